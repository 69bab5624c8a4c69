"""Project an image into the latent space of a network, as StyleGAN2-ADA's script of this name does."""

import script_start  # noqa: F401  (must come first)

# isort: split
import argparse

from dnnlib import cli


def __getattr__(name):
    """Return the published class, projector.Projector, whose module loads TensorFlow."""
    if name == 'Projector':
        from latents.projection.projector import Projector
        return Projector
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
