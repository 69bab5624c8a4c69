"""Writes videos frame by frame: H.264 in MP4 through PyAV, animated WebP and GIF through Pillow."""

import contextlib
import fractions
import importlib.util
import os

import numpy as np

from dnnlib.files import atomic_write
from dnnlib.util import UserError

FORMATS = ('.mp4', '.webp', '.gif')


def default_suffix():
    """Return '.mp4' if PyAV is installed, and otherwise '.webp'."""
    return '.mp4' if importlib.util.find_spec('av') else '.webp'


def check(path) -> None:
    """Raise UserError unless videos of this name can be written here."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in FORMATS:
        raise UserError(f'{path}: unknown video format; use {", ".join(FORMATS)}')
    if suffix == '.mp4' and not importlib.util.find_spec('av'):
        raise UserError(f"{path}: MP4 needs PyAV (pip install 'av>=14'); .webp and .gif do without")


@contextlib.contextmanager
def opened(path, fps=30):
    """Give a function that takes frames, uint8 [H,W,3] or [H,W], all of one size.

    The video appears at `path` if the block ends without an error. Memory does not grow with its length.
    """
    check(path)
    import av
    with atomic_write(path) as file, av.open(file, 'w', format='mp4') as container:
        stream = container.add_stream('libx264', rate=fractions.Fraction(fps))
        stream.pix_fmt = 'yuv420p'

        def add(frame):
            frame = np.pad(frame if frame.ndim == 3 else np.repeat(frame[:, :, np.newaxis], 3, axis=2),
                           [(0, frame.shape[0] % 2), (0, frame.shape[1] % 2), (0, 0)], mode='edge')
            if not stream.codec_context.is_open:
                stream.height, stream.width = frame.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame))))
        yield add
        container.mux(stream.encode())
