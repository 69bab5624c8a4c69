"""Files of latents: `projected_w.npz` of StyleGAN2-ADA (PyTorch), `dlatents.npz` of StyleGAN2-ADA, and arrays
and tensors of others.

`.npz` and dictionaries: see `KEYS_OF_DLATENTS` and `KEYS_OF_LATENTS`. Arrays of NumPy with two axes are
[N,size]; tensors of PyTorch with two axes are one set of dlatents [layers,dlatent_size], as editors of images
save them.
"""

import numpy as np

from dnnlib.files import atomic_write
from dnnlib.util import UserError
from latents import array_files

KEYS = ('w', 'dlatents')  # of stylegan2-ada-pytorch; of stylegan2-ada
KEYS_OF_DLATENTS = (*KEYS, 'ws', 'w_plus', 'latents', 'latent')
KEYS_OF_LATENTS = ('z', 'latents', 'latent')
_EXPECTED = ("expected dlatents [N,layers,dlatent_size] or [N,dlatent_size]: .npz with the key 'w' or "
             "'dlatents', .npy or .pt")
_EXPECTED_LATENTS = "expected latents z [N,latent_size]: .npz with the key 'z' or 'latents', .npy or .pt"


def write(path, dlatents, key='w') -> None:
    """Write dlatents [N,layers,dlatent_size] as float32 under a key of `KEYS`."""
    assert key in KEYS and np.ndim(dlatents) == 3, (key, np.shape(dlatents))
    with atomic_write(path) as file:
        np.savez(file, **{key: np.asarray(dlatents, np.float32)})


def read(path):
    """Return dlatents [N,layers,dlatent_size], float32; layers is 1 where all layers have the same. See
    `for_layers`. Raises UserError for any other file."""
    found, are_tensors = array_files.read(path, KEYS_OF_DLATENTS, (1, 2, 3), _EXPECTED)
    return _joined(path, [_with_layers(array, are_tensors) for array in found], _EXPECTED)


def _with_layers(array, is_tensor):
    """[dlatent_size], [N,dlatent_size] or, of a tensor, [layers,dlatent_size] -> [N,layers,dlatent_size]."""
    if array.ndim == 3:
        return array
    return array[np.newaxis] if is_tensor and array.ndim == 2 else array.reshape(-1, 1, array.shape[-1])


def read_latents(path):
    """Return latents z [N,latent_size], float32. Raises UserError for any other file."""
    found, _ = array_files.read(path, KEYS_OF_LATENTS, (1, 2), _EXPECTED_LATENTS)
    return _joined(path, [np.atleast_2d(array) for array in found], _EXPECTED_LATENTS)


def _joined(path, found, expected):
    if len({array.shape[1:] for array in found}) > 1:
        raise UserError(f'{path}: {expected}, found several of different shapes')
    return np.concatenate(found)


def for_layers(dlatents, num_layers):
    """Return dlatents [N,num_layers,dlatent_size] of those in a file, [N,num_layers or 1,dlatent_size]."""
    return np.broadcast_to(dlatents, [len(dlatents), num_layers, dlatents.shape[-1]])


def check_fit(path, dlatents, Gs) -> None:
    """Raise UserError unless the dlatents of a file fit a generator, an inspection.Blueprint."""
    if not Gs.is_generator:
        return
    num_layers, size = dlatents.shape[1:]
    wanted = [Gs.num_styles, Gs.kwargs.get('dlatent_size', 512)]
    if not Gs.num_styles or size != wanted[1] or num_layers not in (1, wanted[0]):
        raise UserError('{}: has dlatents of {} layers and {} numbers, the network has {} and {}; use the '
                        'network that the file was made with'.format(path, num_layers, size, *wanted))


def check_fit_of_latents(path, latents, latent_size) -> None:
    """Raise UserError unless the latents of a file are of this length; None = any."""
    if latent_size not in (None, latents.shape[1]):
        raise UserError(f'{path}: has latents of {latents.shape[1]} numbers, the network has {latent_size}; '
                        'use the network that the file was made with')
