"""Positions in a picture of tiles. Sizes are (width, height), boxes (x, y, width, height), in pixels."""

from dataclasses import dataclass

from dnnlib.util import UserError
from training.settings.picture_requests import MAX_PIXELS

LEGIBLE = 128  # pixels of an image beside which a legend has room


@dataclass(frozen=True)
class Legend:
    """Texts around a picture. A span is (text, first pixel, number of pixels)."""
    title: str
    columns: list   # Spans from left to right, above the picture.
    rows: list      # Spans from top to bottom, on its left; texts may have several lines.


def even_spans(texts, num_pixels):
    """Return spans of this length, one after the other."""
    return [(text, idx * num_pixels, num_pixels) for idx, text in enumerate(texts)]


def proportional(box, full_size, size):
    """Return the box of an image of `full_size` at the same place in an image of `size`, at least a pixel."""
    (x, y, width, height), scales = box, [have / full for have, full in zip(size, full_size, strict=True)]
    width, height = max(round(width * scales[0]), 1), max(round(height * scales[1]), 1)
    return (min(round(x * scales[0]), size[0] - width), min(round(y * scales[1]), size[1] - height),
            width, height)


def check_crop(crop, size) -> None:
    """Raise UserError unless a box lies within images of this size."""
    x, y, width, height = crop
    if x + width > size[0] or y + height > size[1]:
        raise UserError(f'--crop={x},{y},{width},{height}: leaves the images of this network, which have '
                        f'{size[0]} x {size[1]} pixels')


def enlargement(size, scale, has_legend):
    """Return the factor by which a picture of images of this size grows: `scale`, or automatic for None.

    With a legend, small images become large enough for its text.
    """
    if scale is not None:
        return scale
    return -(-LEGIBLE // max(size)) if has_legend else 1


def check_picture(size, scale) -> None:
    """Raise UserError for a picture that is too large, enlarged by a factor."""
    width, height = size[0] * scale, size[1] * scale
    if width * height > MAX_PIXELS:
        raise UserError(f'a picture of {width} x {height} pixels is too large; ask for fewer images or a '
                        f'smaller --scale')
