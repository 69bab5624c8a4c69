"""Latents from one kind of file to another, for `convert-latents` of run_generator.py."""

import os

import numpy as np

import dnnlib
from dnnlib.files import atomic_write
from latents import dlatent_files, torch_file

SUFFIXES = ('.npz', '.npy', '.pt')


def convert(output, latents=None, dlatents=None, layers=None):
    """Write the latents z of the file `latents`, or the dlatents of the file `dlatents`, as a file in the run
    directory, whose suffix sets the kind. layers: how many layers to repeat dlatents of one layer for."""
    path = dnnlib.make_run_dir_path(output)
    array = read(latents, dlatents, layers)
    with atomic_write(path) as file:
        _write(file, array, os.path.splitext(path)[1].lower(), key='w' if latents is None else 'z')
    print(f'Saved {path}: {list(array.shape)}')


def read(latents, dlatents, layers):
    """Return latents [N,latent_size] or dlatents [N,layers,dlatent_size]. Raises UserError for other
    files."""
    if latents is not None:
        return dlatent_files.read_latents(latents)
    found = dlatent_files.read(dlatents)
    return found if found.shape[1] > 1 else dlatent_files.for_layers(found, layers or 1)


def _write(file, array, suffix, key):
    if suffix == '.pt':
        torch_file.write(file, array)
        return
    if key == 'w' and array.shape[1] == 1:  # Two axes of a tensor would mean something else.
        array = array[:, 0]
    if suffix == '.npz':
        np.savez(file, **{key: array})
    else:
        np.save(file, array)
