"""Crops, resizes and turns images to the size of the data set."""

import PIL.Image

from training.data.photos import colours, decoding
from training.data.photos.reasons import OTHER_SHAPE, TOO_SMALL, Unusable

_TURNS = PIL.Image.Transpose
# {EXIF orientation: how the image is turned upright}
_UPRIGHT = {2: _TURNS.FLIP_LEFT_RIGHT, 3: _TURNS.ROTATE_180, 4: _TURNS.FLIP_TOP_BOTTOM, 5: _TURNS.TRANSPOSE,
            6: _TURNS.ROTATE_270, 7: _TURNS.TRANSVERSE, 8: _TURNS.ROTATE_90}
_FROM_RIGHT, _FROM_BOTTOM = (2, 3, 7, 8), (3, 4, 6, 7)  # orientations with reversed rows, and columns


def fitted(image, recipe):
    """Return a decoded image as L or RGB of the recipe's size. Raises Unusable.

    Turning and colours come last: they take less time for the smaller image.
    """
    turn = decoding.orientation(image)
    size = image.size[::-1] if turn >= 5 else image.size
    box, inner = placement(*size, recipe)
    profile = image.info.get('icc_profile')
    image = _resized(colours.resizable(image), _as_stored(box, *size, turn),
                     inner[::-1] if turn >= 5 else inner, recipe.filter)
    if turn in _UPRIGHT:
        image = image.transpose(_UPRIGHT[turn])
    return _on_canvas(colours.finished(image, recipe, profile), recipe)


def placement(width, height, recipe):
    """Return the part of an upright image that is used, and the (width, height) to which it is resized.

    The part is (left, top, right, bottom). Raises Unusable for images that would have to be enlarged.
    """
    part_width, part_height = width, height
    inner_width, inner_height = recipe.width, recipe.height
    if recipe.way.startswith('center'):
        part_width = min(width, round(height * inner_width / inner_height))
        part_height = min(height, round(width * inner_height / inner_width))
    elif recipe.way == 'pad':
        scale = min(inner_width / width, inner_height / height)
        inner_width, inner_height = max(round(width * scale), 1), max(round(height * scale), 1)
    if recipe.way == 'center-wide' and part_width < width:
        raise Unusable(OTHER_SHAPE, f'{width}x{height} is wider than {inner_width}x{inner_height}')
    if not recipe.enlarge and (part_width < inner_width or part_height < inner_height):
        raise Unusable(TOO_SMALL, f'{width}x{height}, expected at least {inner_width}x{inner_height}')
    left, top = (width - part_width) // 2, (height - part_height) // 2
    return (left, top, left + part_width, top + part_height), (inner_width, inner_height)


def _as_stored(box, width, height, turn):
    """Return where a box of the upright image, which is `width` x `height`, is in the image as stored."""
    (left, right), (top, bottom) = box[::2], box[1::2]
    if turn >= 5:
        left, right, top, bottom, width, height = top, bottom, left, right, height, width
    if turn in _FROM_RIGHT:
        left, right = width - right, width - left
    if turn in _FROM_BOTTOM:
        top, bottom = height - bottom, height - top
    return left, top, right, bottom


def _resized(image, box, size, name):
    if (box[2] - box[0], box[3] - box[1]) == size:
        return image if image.size == size else image.crop(box)
    return image.resize(size, PIL.Image.Resampling[name.upper()], box=box)


def _on_canvas(image, recipe):
    """Return an image in the middle of one of the recipe's size."""
    _, height, width = recipe.shape
    if image.size == (width, height):
        return image
    colour = (0, 0, 0) if recipe.way == 'center-wide' else recipe.background
    canvas = PIL.Image.new('RGB', (width, height), colour).convert(image.mode)
    canvas.paste(image, ((width - image.width) // 2, (height - image.height) // 2))
    return canvas
