"""What can be exported here, found without TensorFlow."""

import importlib.util

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


def check_packages(flag: str, needs: dict) -> None:
    """Raise UserError if packages that a flag needs are missing. needs: {package: requirement for pip}."""
    missing = [f"'{wanted}'" for name, wanted in needs.items() if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f'{flag} needs other packages: pip install {" ".join(missing)}')
