"""Images of dlatents and noise in files, for `generate-images` of run_generator.py."""

import glob
import os

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
    from latents import noise  # this and the next load TensorFlow
    from training import generation
    name, paths = ('dlatent%02d.png', dlatents) if projected_w is None else ('proj%02d.png', projected_w)
    found = [(idx, dlatent) for idx, path in enumerate(paths) for dlatent in dlatent_files.read(path)]
    for count, (idx, dlatent) in enumerate(found):
        if noises is not None:
            noise.set_values(Gs, noise_files.read(noises[idx % len(noises)]))
        print('Generating image for %s (%d/%d) ...' % (paths[idx], count, len(found)))
        yield name % count, generation.images_from_dlatents(Gs, dlatent[None])
