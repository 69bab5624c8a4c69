"""Images of latents, dlatents and noise in files, for `generate-images` of run_generator.py."""

import glob
import os

import numpy as np

from dnnlib.util import UserError
from latents import dlatent_files, noise_files

PATTERNS = {'projected_w': '*projected_w.npz', 'dlatents': '*dlatents.npz'}  # of files in a folder
NOISES = '*projected_noises.npz'


def files_in(flag, paths, pattern):
    """Return paths of files, with the files of this pattern in place of a folder: those in it and below.

    Raises UserError, which names the flag, for a folder without any.
    """
    files = []
    for path in paths:
        found = [path]
        if os.path.isdir(path):
            found = sorted(glob.glob(os.path.join(glob.escape(path), '**', pattern), recursive=True))
        if not found:
            raise UserError(f'{flag}={path}: there is no {pattern} in this folder')
        files += found
    return files


def images(Gs, projected_w, dlatents, noises=None):
    """Yield (file name, uint8 [1,C,H,W]) of every dlatent in files: `projected_w` or, if that is None,
    `dlatents`.

    noises: one file for all or one for each; None = the network's own noise.
    """
    from training import generation  # loads TensorFlow
    name, paths = ('dlatent%02d.png', dlatents) if projected_w is None else ('proj%02d.png', projected_w)
    num_layers = Gs.components.synthesis.input_shape[1]
    for count, _, found in _each(Gs, paths, dlatent_files.read, noises):
        found = dlatent_files.for_layers(found, num_layers)
        yield name % count, generation.images_from_dlatents(Gs, found)


def images_of_latents(Gs, paths, truncation_psi, class_idx, noises=None):
    """Yield (`latent<NN>.png`, uint8 [1,C,H,W]) of every z in files. noises: as of `images`."""
    from training import generation  # loads TensorFlow
    label = generation.label_of_class(Gs, class_idx)
    for count, path, found in _each(Gs, paths, dlatent_files.read_latents, noises):
        dlatent_files.check_fit_of_latents(path, found, Gs.input_shape[1])
        yield 'latent%02d.png' % count, generation.images_from_latents(Gs, found, label, truncation_psi)


def _each(Gs, paths, read, noises):
    """Yield (number, path, array [1,...]) of every array in files, after its noise has been set."""
    from latents import noise  # loads TensorFlow
    found = [(idx, array) for idx, path in enumerate(paths) for array in read(path)]
    for count, (idx, array) in enumerate(found):
        if noises is not None:
            noise.set_values(Gs, noise_files.read(noises[idx % len(noises)]))
        print('Generating image for %s (%d/%d) ...' % (paths[idx], count, len(found)))
        yield count, paths[idx], array[np.newaxis]
