"""Makes videos of the pictures of generated images that a training run has written. Without TensorFlow."""

import numpy as np

import dnnlib
from dnnlib.progress import shown
from dnnlib.util import UserError
from latents import video_files
from training.misc import pictures

_LEGEND_SHARE = 1 / 24  # Height of the legend in heights of the picture...
_LEGEND_HEIGHTS = 16, 40  # ...but at least and at most this many pixels.


def pictures_of(run_dir):
    """Return [(legend, path)] of a run's fakes*.png in the order of training.

    Raises UserError if there is none.
    """
    try:
        found = pictures.snapshots_of_run(run_dir)
    except OSError as error:
        raise UserError(f'{run_dir}: expected the directory of a training run ({error.strerror})') from error
    if not found:
        raise UserError(f'{run_dir}: there is no fakes*.png; expected the directory of a training run')
    return [('before training' if kimg is None else f'{kimg} kimg', path) for kimg, path in found]


def draw(run_dir, output, fps=10, hold=2, max_size=1920, crf=None):
    """Write the video into the run directory. The arguments are the flags of the command `training-video`."""
    found = pictures_of(run_dir)
    size = _size(_read(found[-1][1]), max_size)
    path = dnnlib.make_run_dir_path(output)
    print(f'Writing {len(found)} pictures...')
    with video_files.opened(path, fps, crf or video_files.DEFAULT_CRF) as add:
        for legend, picture in shown(found, 'Writing', 'pictures'):
            frame = _frame(_read(picture), legend, size)
            add(frame)
        for _ in range(round(hold * fps)):
            add(frame)
    print(f'Saved {path}')


def _read(path):
    from PIL import Image
    try:
        with Image.open(path) as picture:
            return picture.convert('RGB')
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f'{path}: this picture cannot be read ({error})') from error


def _size(picture, max_size):
    """Return the (width, height) of a picture whose longer side has at most `max_size` pixels."""
    scale = min(max_size / max(picture.size), 1)
    return tuple(max(round(side * scale), 1) for side in picture.size)


def _frame(picture, legend, size):
    """Return a frame [H,W,3]: the picture at a size (width, height), and the legend below it.

    Pictures of other proportions, such as those before a change of --grid-size, get margins.
    """
    from PIL import Image, ImageDraw, ImageFont, ImageOps
    width, height = size
    legend_height = int(np.clip(height * _LEGEND_SHARE, *_LEGEND_HEIGHTS))
    frame = Image.new('RGB', (width, height + legend_height))
    if picture.size != size:
        picture = ImageOps.pad(picture, size, Image.Resampling.LANCZOS)
    frame.paste(picture, (0, 0))
    ImageDraw.Draw(frame).text(
        (legend_height / 4, height + legend_height / 2), legend, fill='white', anchor='lm',
        font=ImageFont.load_default(0.7 * legend_height))
    return np.asarray(frame)
