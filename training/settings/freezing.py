"""Freeze-D: the first layers of a discriminator, counted from the image, are not trained (Mo et al. 2020)."""

from dnnlib.util import UserError


def num_layers(resolution, architecture='resnet'):
    """Return how many layers of StyleGAN2-ADA's discriminator can be frozen: all before its output.

    They are FromRGB (for 'skip', at every resolution), Conv0, Conv1_down and, for 'resnet', Skip at each
    resolution above 4x4, then Conv and Dense0 at 4x4.
    """
    num_blocks = resolution.bit_length() - 3
    return num_blocks * (2 if architecture == 'orig' else 3) + 3


def check(freeze_layers, resolution, architecture='resnet') -> None:
    """Raise UserError if a discriminator has fewer layers than shall be frozen."""
    total = num_layers(resolution, architecture)
    if freeze_layers > total:
        raise UserError(f'--freezed={freeze_layers}: a discriminator of resolution {resolution} has only '
                        f'{total} layers that can be frozen')
