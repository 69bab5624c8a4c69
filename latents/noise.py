"""The noise images of a generator: one for every layer that takes noise, in a variable `noise<layer>`."""

import contextlib

import numpy as np

import dnnlib.tflib as tflib


def variables(Gs):
    """Return the noise variables [1,1,H,W] of a generator, coarsest first; none for Progressive GAN's."""
    synthesis = Gs.components.get('synthesis', Gs)
    return [var for name, var in synthesis.vars.items() if name.startswith('noise')]


def values(Gs):
    """Return the noise images as a list of arrays [1,1,H,W], as `variables` orders them."""
    return tflib.run(variables(Gs))


def set_values(Gs, arrays):
    """Set the noise images to arrays [1,1,H,W], as `variables` orders them."""
    tflib.set_vars(dict(zip(variables(Gs), arrays, strict=True)))


def drawn(Gs, rnd):
    """Return noise images from a RandomState, in the order in which the published scripts draw them."""
    return [rnd.randn(*var.shape.as_list()) for var in variables(Gs)]


@contextlib.contextmanager
def only(Gs, layers):
    """Keep the noise of these layers (numbers) and multiply that of all others by 0, within a block."""
    stored = values(Gs)
    try:
        set_values(Gs, [image * np.float32(idx in layers) for idx, image in enumerate(stored)])
        yield
    finally:
        set_values(Gs, stored)
