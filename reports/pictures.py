"""Pictures of a run, scaled down so that all fit into one page."""

import base64
import concurrent.futures
import functools
import io
import os
from dataclasses import dataclass

import PIL.Image

from dnnlib.progress import shown
from dnnlib.util import num_cores

MAX_BYTES = 4_200_000  # Of all pictures of a page, as text.
MAX_FRAMES = 64        # Of a run; fewer if there are more than two.
WIDTHS = (1600, 1280, 960, 720, 540, 400, 300, 200)  # Few, so that the cache stays useful as a run grows.
_QUALITY = 75
_BYTES_PER_PIXEL = 0.3  # Typical of small pictures, as text; if it turns out more, smaller ones are tried.

_TROUBLE = (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError)  # of damaged image files


@dataclass
class Encoded:
    """A picture in the page."""
    source: str   # Data URI.
    width: int
    height: int


@dataclass
class Frame:
    """A picture of generated images in the page."""
    kimg: int | None  # None = before training.
    picture: Encoded


def strips(runs):
    """Return (frames, picture of real images or None) for each run; `run.notes` say what is left out.

    All pictures have the largest of WIDTHS with which they take at most MAX_BYTES together.
    """
    limit = max(2 * MAX_FRAMES // max(len(runs), 2), 8)
    chosen = [_thinned(run, limit) for run in runs]
    paths = [[*(picture.path for picture in fakes), *filter(None, [run.reals])]
             for run, fakes in zip(runs, chosen, strict=True)]
    encoded, faults = _within(MAX_BYTES, sum(paths, []))
    result = []
    for run, fakes, own in zip(runs, chosen, paths, strict=True):
        run.notes += [f'{os.path.basename(path)} cannot be read: {faults[path]}.'
                      for path in own if path in faults]
        frames = [Frame(fake.kimg, encoded[fake.path]) for fake in fakes if fake.path in encoded]
        result.append((frames, encoded.get(run.reals)))
    return result


def _thinned(run, limit):
    """Return all pictures, or every second, fourth and so on, and the last one: about `limit` at most. A new
    picture changes little of the choice, as the cache needs."""
    step = 1
    while len(run.fakes) / step > limit:
        step *= 2
    chosen = [picture for index, picture in enumerate(run.fakes)
              if index % step == 0 or index == len(run.fakes) - 1]
    if step > 1:
        run.notes.append(f'{len(chosen)} of {len(run.fakes)} pictures are shown, which keeps the page small; '
                         'the others are in the run directory.')
    return chosen


def _within(max_bytes, paths):
    """Encode pictures. -> {path: Encoded}, {path: why it cannot be read}."""
    sizes = [size for size in map(_size, paths) if size is not None]
    for width in WIDTHS:
        pixels = sum(min(w, width) ** 2 * h / w for w, h in sizes)
        if pixels * _BYTES_PER_PIXEL > max_bytes and width != WIDTHS[-1]:
            continue
        encoded, faults = _encode_all(paths, width)
        if sum(len(picture.source) for picture in encoded.values()) <= max_bytes:
            break
    return encoded, faults


def _size(path):
    try:
        with PIL.Image.open(path) as image:
            return image.size
    except _TROUBLE:
        return None


def _encode_all(paths, width):
    encoded, faults = {}, {}
    pool = concurrent.futures.ThreadPoolExecutor(num_cores())
    try:
        futures = {path: pool.submit(_encode_file, path, width) for path in paths}
        for path, future in shown(futures.items(), 'Pictures for the report', 'pictures'):
            try:
                encoded[path] = future.result()
            except _TROUBLE as error:
                faults[path] = str(error).split('\n')[0]
    finally:
        pool.shutdown(cancel_futures=True)
    return encoded, faults


def _encode_file(path, width):
    status = os.stat(path)
    return _encoded(path, status.st_mtime_ns, status.st_size, width)


@functools.lru_cache(maxsize=2 * MAX_FRAMES)
def _encoded(path, _time, _num_bytes, width):
    """Return an image file as Encoded WebP of at most this width. A training that writes a report at every
    snapshot encodes only what is new."""
    with PIL.Image.open(path) as image:
        image = image.convert('L' if image.mode in ('1', 'L', 'I;16') else 'RGB')
    if image.width > width:
        height = max(round(image.height * width / image.width), 1)
        image = image.resize((width, height), PIL.Image.Resampling.LANCZOS, reducing_gap=1.1)
    stream = io.BytesIO()
    image.save(stream, 'WEBP', quality=_QUALITY, method=2)
    text = base64.b64encode(stream.getvalue()).decode()
    return Encoded(f'data:image/webp;base64,{text}', *image.size)
