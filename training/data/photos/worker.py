"""Turns a file into an encoded image. Runs in worker processes, without TensorFlow."""

import functools
import hashlib
from dataclasses import dataclass

import numpy as np

from training.data import encoding
from training.data.photos import colours, decoding, fitting
from training.data.photos.reasons import DAMAGED, Unusable

_LANE_WORDS = 4096  # Pixels are added up in so many columns of 8 bytes.


@dataclass
class Result:
    """What became of a file: `parts` and `fingerprint` of its image or, if it is unusable, a `reason`."""
    parts: list | None = None          # What `encoding.encoded` returns.
    fingerprint: bytes | None = None   # Equal for equal pixels.
    reason: tuple | None = None        # (kind, detail)
    is_turned: bool = False            # Taken as it is in spite of an EXIF orientation or ICC profile.


@dataclass(frozen=True)
class Worker:
    """Makes images of the files of an ImageSource by a Recipe."""
    source: object
    recipe: object

    def __call__(self, name):
        """Return the Result for a file."""
        try:
            with decoding.decoded(self.source, name) as image:
                is_turned = self.recipe.as_is and _is_turned(image)
                pixels = planes(self._made(image))
        except Unusable as error:
            return Result(reason=(error.kind, error.detail))
        return Result(encoding.encoded(pixels, self.recipe.store), fingerprint(pixels), is_turned=is_turned)

    def _made(self, image):
        if not self.recipe.as_is:
            return fitting.fitted(image, self.recipe)
        _, height, width = self.recipe.shape
        mode = 'L' if self.recipe.channels == 1 else 'RGB'
        if image.size != (width, height) or image.mode != mode:
            raise Unusable(DAMAGED, f'{image.width}x{image.height} of mode {image.mode} when it is decoded')
        return image


def planes(image):
    """Return the pixels of a Pillow image, L or RGB, as uint8 [C,H,W]."""
    if image.mode == 'L':
        data = image.tobytes()
    else:  # three times as fast as a transpose in NumPy
        data = b''.join(image.tobytes('raw', band) for band in 'RGB')
    return np.frombuffer(data, np.uint8).reshape(-1, image.height, image.width)


def fingerprint(pixels):
    """Return 32 bytes that are equal for two images of a shape, uint8 [C,H,W], if their pixels are.

    Of large images, sums with fixed random odd weights are hashed, as SHA-256 of all pixels takes a tenth of
    the time of decoding them. Different images have the same sums with a probability of about 2^-64.
    """
    digest = hashlib.sha256()
    lane_bytes = 8 * _LANE_WORDS
    data = np.ascontiguousarray(pixels).reshape(-1)
    num_rows = data.size // lane_bytes
    rows = data[:num_rows * lane_bytes].view(np.uint64).reshape(num_rows, _LANE_WORDS)
    if num_rows > 1:
        rows = (rows * _weights(num_rows)).sum(axis=0)
    digest.update(rows)
    digest.update(data[num_rows * lane_bytes:])
    return digest.digest()


@functools.lru_cache(maxsize=4)
def _weights(num_rows):
    weights = np.random.RandomState(num_rows).randint(0, 1 << 63, [num_rows, 1], np.uint64)
    return weights << np.uint64(1) | np.uint64(1)


def _is_turned(image):
    return decoding.orientation(image) != 1 or colours.has_other_colours(image)
