"""How images are stored in records: raw pixels at all resolutions, or one PNG or JPEG file. No TensorFlow."""

import io

import numpy as np
import PIL.Image

from training.data import sizes

STORES = ('raw', 'png', 'jpeg')
JPEG_QUALITY = 95


def encoded(image, store):
    """Encode an image, uint8 [C,H,W] -> list of (shape [C,H,W], bytes).

    'raw': the pixels of every resolution from the full one down to the base. 'png', 'jpeg': one file.
    """
    if store == 'raw':
        return [(level.shape, level.tobytes()) for level in levels(image)]
    pixels = image[0] if image.shape[0] == 1 else image.transpose(1, 2, 0)  # [3,H,W] -> [H,W,3]
    options = {'png': {'compress_level': 1}, 'jpeg': {'quality': JPEG_QUALITY, 'subsampling': 0}}[store]
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, format=store, **options)
    return [(image.shape, file.getvalue())]


def levels(image):
    """Yield an image [C,H,W] at every resolution from its own down to its base, uint8.

    Values are rounded half to even, as published; the averages themselves are not, as errors would add up.
    """
    _, doublings = sizes.split(*image.shape[1:])
    for _ in range(doublings + 1):
        yield image if image.dtype == np.uint8 else np.rint(image).clip(0, 255).astype(np.uint8)
        image = halved(image)


def halved(pixels):
    """Average blocks of 2x2 pixels: [C,H,W] -> float32 [C,H/2,W/2]."""
    height, width = (side // 2 * 2 for side in pixels.shape[1:])
    pixels = pixels[:, :height, :width].astype(np.float32)
    blocks = pixels[:, 0::2, 0::2] + pixels[:, 0::2, 1::2] + pixels[:, 1::2, 0::2] + pixels[:, 1::2, 1::2]
    return blocks * np.float32(0.25)
