"""Cuts the microscope images of BreCaHAD (Aksac et al., 2019) into squares, as for StyleGAN2-ADA."""

import glob
import os

import PIL.Image

from dnnlib.files import atomic_folder
from dnnlib.progress import shown
from dnnlib.util import UserError

STEPS = {256: 256, 512: 256}  # distance between crops by their side: 512 pixels overlap by half


def crop_all(brecahad_dir, path, side):
    """Write crops of all *.tif images to a new folder as 0000.png, 0001.png and so on: column by column, from
    the top left. -> their number.

    Raises UserError without images, for those that cannot be read, and for those smaller than a crop.
    """
    sources = sorted(glob.glob(os.path.join(glob.escape(brecahad_dir), '*.tif')))
    if not sources:
        raise UserError(f'{brecahad_dir}: there are no *.tif files; expected the folder with the images of '
                        'BreCaHAD')
    crops = (crop for source in shown(sources, 'Cropping', 'images') for crop in _crops(source, side))
    try:
        with atomic_folder(path) as folder:
            for count, crop in enumerate(crops, 1):
                crop.save(os.path.join(folder, f'{count - 1:04d}.png'))
    except OSError as error:
        raise UserError(f'{path}: cannot be written: {error.strerror}') from error
    return count


def _crops(source, side):
    """Return the crops of an image."""
    image = _read(source)
    width, height = image.size
    if min(width, height) < side:
        raise UserError(f'{source}: is {width}x{height}, which is smaller than --cropsize={side}')
    return [image.crop((left, top, left + side, top + side))
            for left in range(0, width - side + 1, STEPS[side])
            for top in range(0, height - side + 1, STEPS[side])]


def _read(source):
    try:
        with PIL.Image.open(source) as image:
            image.load()
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
        raise UserError(f'{source}: cannot be read as an image ({error}); copy it again') from error
    if image.mode not in ('RGB', 'RGBA'):
        raise UserError(f'{source}: has mode {image.mode}; expected RGB')
    return image.convert('RGB')
