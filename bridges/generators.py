"""Which generators can be exported as graphs, found without TensorFlow."""

from dnnlib.pickles.inspection import Blueprint
from dnnlib.util import UserError
from training.misc.pickles import check_generator


def check(path: str) -> Blueprint:
    """Return what a network file says about its generator. Raises UserError unless it can be exported."""
    found = check_generator(path)
    if not found.is_generator:
        raise UserError('only its own source text can build this generator; expected one of StyleGAN, '
                        'StyleGAN2, StyleGAN2-ADA or Progressive GAN')
    return found
