"""Writes videos frame by frame: H.264 in MP4 through PyAV, animated WebP and GIF through Pillow.

Memory does not grow with the number of frames. Pillow's own way to save animations keeps all frames in
memory; here it encodes one at a time, and the few bytes around them are written by hand.
"""

import contextlib
import fractions
import importlib.util
import io
import os
import struct

import numpy as np

from dnnlib.files import NO_SPACE, atomic_write
from dnnlib.util import UserError

DEFAULT_CRF = 18        # Constant rate factor of H.264: hardly a difference to be seen.
PRESET = 'veryfast'     # Half the memory of x264's default, in files of about the same size.
WEBP_QUALITY = 90
MAX_FPS = {'.mp4': 240, '.webp': 240, '.gif': 50}  # Browsers slow down GIFs with shorter delays than 0.02 s.
MAX_SIDE = {'.mp4': 16384, '.webp': 16383, '.gif': 65535}
FORMATS = tuple(MAX_FPS)


def default_suffix():
    """Return '.mp4' if PyAV is installed, and otherwise '.webp'."""
    return '.mp4' if importlib.util.find_spec('av') else '.webp'


def check(path, fps=30) -> None:
    """Raise UserError unless videos of this name and speed, in frames per second, can be written here."""
    suffix = _suffix(path)
    if suffix not in FORMATS:
        raise UserError(f'{path}: unknown video format; use {", ".join(FORMATS)}')
    if suffix == '.mp4' and not importlib.util.find_spec('av'):
        raise UserError(f"{path}: MP4 needs PyAV (pip install 'av>=14'); .webp and .gif do without")
    if not 0 < fps <= MAX_FPS[suffix]:
        raise UserError(f'{path}: expected at most {MAX_FPS[suffix]} frames per second in this format, not '
                        f'{fps:g}')


def check_size(path, height, width) -> None:
    """Raise UserError unless frames of this size fit the format."""
    longest = MAX_SIDE[_suffix(path)]
    if max(height, width) > longest:
        raise UserError(f'{path}: frames of {width} x {height} pixels are too large for this format, which '
                        f'allows {longest}')


def _suffix(path):
    return os.path.splitext(path)[1].lower()


@contextlib.contextmanager
def opened(path, fps=30, crf=DEFAULT_CRF):
    """Give a function that takes frames, uint8 [H,W,3] or [H,W], all of one size.

    The video appears at `path` if the block ends without an error, and never otherwise. Frames of MP4 whose
    height or width is odd are padded by one row or column. crf: quality of MP4, 1 (best) to 51.
    Raises UserError for frames of different sizes, and if there is no frame.
    """
    check(path, fps)
    fps = fractions.Fraction(fps).limit_denominator(1001)
    shapes = set()
    with atomic_write(path) as file, _WRITERS[_suffix(path)](path, file, fps, crf) as write:
        def add(frame):
            shapes.add(frame.shape)
            if len(shapes) > 1:
                raise UserError(f'{path}: all frames of a video must have one size, not {sorted(shapes)}')
            check_size(path, *frame.shape[:2])
            write(frame)
        yield add
        if not shapes:
            raise UserError(f'{path}: a video needs at least one frame')


@contextlib.contextmanager
def _mp4(path, file, fps, crf):
    """Give a function that appends a frame to an MP4 file, whose index comes first: it plays at once."""
    import av
    from av.video.reformatter import Colorspace
    try:
        # By its name: FFmpeg must read the file again to move the index.
        with av.open(file.name, 'w', format='mp4', options={'movflags': '+faststart'}) as container:
            stream = container.add_stream('libx264', rate=fps, options={'crf': str(crf), 'preset': PRESET})
            stream.pix_fmt = 'yuv420p'  # all that browsers play
            codec = stream.codec_context
            codec.colorspace = codec.color_primaries = codec.color_trc = 1  # BT.709 in the terms of H.264
            codec.color_range = 1  # 16 to 235

            def write(frame):
                frame = np.ascontiguousarray(_padded_to_even(_as_rgb(frame)))
                if not codec.is_open:
                    stream.height, stream.width = frame.shape[:2]
                frame = av.VideoFrame.from_ndarray(frame)
                frame = frame.reformat(format='yuv420p', dst_colorspace=Colorspace.ITU709)
                container.mux(stream.encode(frame))
            yield write
            container.mux(stream.encode())
    except av.error.FFmpegError as error:
        if error.errno in NO_SPACE:
            raise OSError(error.errno, os.strerror(error.errno), path) from error
        raise UserError(f'{path}: the video cannot be encoded ({error.strerror})') from error


def _as_rgb(frame):
    return frame if frame.ndim == 3 else np.repeat(frame[:, :, np.newaxis], 3, axis=2)


def _padded_to_even(frame):
    height, width, _ = frame.shape
    return np.pad(frame, [(0, height % 2), (0, width % 2), (0, 0)], mode='edge')


def _durations(fps, units_per_second):
    """Yield the duration of each frame as a whole number of units, such that errors do not add up."""
    end = 0
    while True:
        begin = round(end * units_per_second / fps)
        end += 1
        yield round(end * units_per_second / fps) - begin


@contextlib.contextmanager
def _webp(path, file, fps, _crf):
    """Give a function that appends a frame to a WebP file: a chunk ANMF with a picture from Pillow."""
    from PIL import Image
    durations = _durations(fps, units_per_second=1000)

    def write(frame):
        size = _uint24(frame.shape[1] - 1) + _uint24(frame.shape[0] - 1)
        if not file.tell():
            file.write(b'RIFF\0\0\0\0WEBP')
            file.write(_chunk(b'VP8X', struct.pack('<I', 0x02) + size))  # animated
            file.write(_chunk(b'ANIM', struct.pack('<IH', 0, 0)))  # on black; repeated forever
        picture = io.BytesIO()
        Image.fromarray(_as_rgb(frame)).save(picture, 'WEBP', quality=WEBP_QUALITY)
        header = bytes(6) + size + _uint24(next(durations)) + b'\x02'  # at (0, 0); not blended
        file.write(_chunk(b'ANMF', header + picture.getvalue()[12:]))  # without RIFF, size and WEBP
        if file.tell() >= 1 << 32:
            raise UserError(f'{path}: WebP files have at most 4 GB; write a shorter video, or .mp4')
    yield write
    num_bytes = file.tell()
    file.seek(4)
    file.write(struct.pack('<I', num_bytes - 8))


def _uint24(number):
    return struct.pack('<I', number)[:3]


def _chunk(name, data):
    """Return a chunk of a RIFF file."""
    return name + struct.pack('<I', len(data)) + data + bytes(len(data) % 2)


@contextlib.contextmanager
def _gif(_path, file, fps, _crf):
    """Give a function that appends a frame to a GIF file, each with its own palette of 256 colours."""
    from PIL import GifImagePlugin, Image
    durations = _durations(fps, units_per_second=100)

    def write(frame):
        picture = Image.fromarray(frame)
        if picture.mode == 'RGB':  # dithered; median cut, the default method, takes 30 times as long
            picture = picture.quantize(palette=picture.quantize(256, Image.Quantize.FASTOCTREE))
        if not file.tell():
            header, _ = GifImagePlugin.getheader(picture.copy(), info={'loop': 0})
            file.writelines(header)
        file.writelines(GifImagePlugin.getdata(
            picture, duration=next(durations) * 10, include_color_table=True))
    yield write
    file.write(b';')


_WRITERS = {'.mp4': _mp4, '.webp': _webp, '.gif': _gif}
