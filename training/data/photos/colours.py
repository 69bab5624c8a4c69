"""Brings images of any mode to 8 bits of grey or sRGB."""

import functools
import io

import numpy as np
import PIL.Image
import PIL.ImageCms

from training.data.photos.reasons import UNKNOWN_RANGE, Unusable

_RESIZABLE = ('L', 'RGB', 'RGBA', 'LA', 'CMYK')


def resizable(image):
    """Return an image as L, RGB, RGBA, LA or CMYK, which Pillow can resize. Raises Unusable."""
    if image.mode.startswith(('I', 'F')):
        return PIL.Image.fromarray(_as_bytes(np.asarray(image), image.mode))
    if 'transparency' in image.info and image.mode in ('1', 'L', 'P', 'RGB'):
        return image.convert('RGBA')
    if image.mode in _RESIZABLE:
        return image
    if image.mode in ('1', 'I;16'):
        return image.convert('L')
    return image.convert('RGBA' if image.mode in ('PA', 'RGBa', 'La') else 'RGB')


def _as_bytes(values, mode):
    """Scale grey pixels [H,W] of 16 bits, of integers or of floats to uint8."""
    if mode.startswith('I;16'):
        low, high, white = 0, 65535, 65535
    else:
        low, high = values.min(), values.max()
        whites = [255, 65535] if mode == 'I' else [1, 255, 65535]
        white = next((white for white in whites if high <= white), None)
    if white is None or not low >= 0:  # also if there are NaNs
        raise Unusable(UNKNOWN_RANGE, f'from {low:g} to {high:g}; expected at least 0 and at most 65535')
    if white == 65535 and mode != 'F':
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return np.rint(values * (255 / white)).astype(np.uint8)


def finished(image, recipe, profile):
    """Return an image as L or RGB, by the channels of the recipe: in sRGB and without transparency.

    profile: bytes of the ICC profile, or None.
    """
    alpha = image.getchannel('A') if image.mode in ('RGBA', 'LA') else None
    if alpha is not None:
        image = image.convert(image.mode[:-1])
    image = _in_srgb(image, profile)
    if alpha is not None:
        canvas = PIL.Image.new('RGB', image.size, recipe.background)
        canvas.paste(image.convert('RGB'), mask=alpha)
        image = canvas
    mode = 'L' if recipe.channels == 1 else 'RGB'
    return image if image.mode == mode else image.convert(mode)


def has_other_colours(image):
    """Return whether an image has an ICC profile that is not that of sRGB."""
    return _transform(image.info.get('icc_profile'), image.mode) is not None


def _in_srgb(image, profile):
    transform = _transform(profile, image.mode)
    return image if transform is None else PIL.ImageCms.applyTransform(image, transform)


@functools.lru_cache(maxsize=64)
def _transform(profile, mode):
    """Return the transform of a profile to sRGB; None if it is broken or of another kind of colours, or if
    it changes nothing."""
    if not profile or mode not in ('L', 'RGB', 'CMYK'):
        return None
    try:
        opened = PIL.ImageCms.ImageCmsProfile(io.BytesIO(profile))
        srgb = PIL.ImageCms.createProfile('sRGB')
        transform = PIL.ImageCms.buildTransform(opened, srgb, mode, 'RGB')
        if mode == 'CMYK':
            return transform
        samples = _samples(mode)
        changed = np.asarray(PIL.ImageCms.applyTransform(samples, transform), np.int16)
    except (PIL.ImageCms.PyCMSError, OSError, ImportError, ValueError, TypeError):
        return None
    is_srgb = np.abs(changed - np.asarray(samples.convert('RGB'), np.int16)).max() <= 1
    return None if is_srgb else transform


def _samples(mode):
    """Return an image of colours from all over the range: 9 steps of each channel, or all greys."""
    steps = np.arange(256) if mode == 'L' else np.stack(np.meshgrid(*[np.linspace(0, 255, 9)] * 3), axis=-1)
    rows = steps.reshape(1, 256) if mode == 'L' else steps.reshape(27, 27, 3)  # [9,9,9,3] -> [27,27,3]
    return PIL.Image.fromarray(rows.astype(np.uint8))
