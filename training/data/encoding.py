"""How images are stored in records: raw pixels at all resolutions, or one PNG or JPEG file. No TensorFlow."""

import io

import numpy as np
import PIL.Image

from training.data import sizes

STORES = ('raw', 'png', 'jpeg')
JPEG_QUALITY = 95
EXACT_DOUBLINGS = 8  # Averages over so many are exact in float32, and integers give the same values.


def encoded(image, store):
    """Encode an image, uint8 [C,H,W] -> list of (shape [C,H,W], bytes or a memoryview of bytes).

    'raw': the pixels of every resolution from the full one down to the base. 'png', 'jpeg': one file.
    """
    if store == 'raw':
        return [(level.shape, memoryview(np.ascontiguousarray(level)).cast('B')) for level in levels(image)]
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
    if image.dtype == np.uint8:
        yield image
        for doubling, sums in enumerate(_sums(image, min(doublings, EXACT_DOUBLINGS)), 1):
            yield _rounded_average(sums, doubling)
        if doublings <= EXACT_DOUBLINGS:
            return
        doublings -= EXACT_DOUBLINGS
        image = sums.astype(np.float32) * np.float32(0.25 ** EXACT_DOUBLINGS)
    else:
        yield rounded(image)
    for _ in range(doublings):
        image = halved(image)
        yield rounded(image)


def _sums(image, doublings):
    """Yield the sums of blocks of 2x2, 4x4 and so on pixels of an image, uint8 [C,H,W]."""
    sums = np.ascontiguousarray(image)
    for doubling in range(1, doublings + 1):
        if doubling == 1:  # two bytes at a time, as arithmetic on every other byte is slow
            pairs = sums.view(np.uint16)
            columns = pairs & 255
            columns += pairs >> 8
        else:
            sums = sums.astype(np.uint16 if doubling <= 4 else np.uint32, copy=False)
            columns = sums[:, :, 0::2] + sums[:, :, 1::2]
        sums = columns[:, 0::2] + columns[:, 1::2]
        yield sums


def _rounded_average(sums, doublings):
    """Divide sums of 4^doublings pixels, rounded half to even -> uint8. This is faster than float32."""
    shift = 2 * doublings
    average = sums >> shift
    average &= 1
    average += sums
    average += (1 << shift - 1) - 1
    average >>= shift
    return average.astype(np.uint8)


def rounded(image):
    """Round an image half to even -> uint8, clipped to its range."""
    return np.rint(image).clip(0, 255).astype(np.uint8)


def halved(pixels):
    """Average blocks of 2x2 pixels: [C,H,W] -> float32 [C,H/2,W/2]."""
    height, width = (side // 2 * 2 for side in pixels.shape[1:])
    pixels = pixels[:, :height, :width].astype(np.float32)
    blocks = pixels[:, 0::2, 0::2] + pixels[:, 0::2, 1::2] + pixels[:, 1::2, 0::2] + pixels[:, 1::2, 1::2]
    return blocks * np.float32(0.25)
