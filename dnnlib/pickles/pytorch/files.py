"""Files of PyTorch code that hold networks."""

import itertools

from dnnlib.pickles.arrays import shown
from dnnlib.pickles.pytorch import modules, rosinality
from dnnlib.util import UserError

EXPECTED = ('expected a network pickle of this project, of the TensorFlow versions of StyleGAN2 and '
            "StyleGAN2-ADA, of stylegan2-ada-pytorch or of stylegan3's StyleGAN2, or a checkpoint of "
            "rosinality's stylegan2-pytorch")


def networks(found):
    """Return the networks in what was read from a file, as stand-ins: (G, D, Gs) or one of them.

    Raises UserError, which says what else the file holds.
    """
    if modules.is_file(found):
        return modules.networks(found)
    if rosinality.is_checkpoint(found):
        return rosinality.networks(found)
    raise UserError(f'a file of PyTorch with {_described(found)}; {EXPECTED}')


def _described(found):
    if isinstance(found, dict):
        keys = [key[:40] if isinstance(key, str) and key.isprintable() else shown(key)
                for key in itertools.islice(found, 4)]
        return f'a dictionary of {", ".join(keys) or "nothing"}{", ..." * (len(found) > 4)}'
    return f'an object of type {type(found).__name__}'
