"""Contact sheets: the images of a data set in one picture, in rows of classes if it has any."""

import unicodedata

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from dnnlib.files import atomic_write
from dnnlib.util import UserError
from training.misc import pictures

MAX_CELL = 256    # Pixels; larger images are reduced,
MIN_ROW = 48      # and smaller ones enlarged to rows that leave room for a name.
MAX_CLASSES = 32  # Rows.
GAP = 2           # Pixels between images.
MAX_NAME = 240    # Pixels; longer names are cut off.


def write(stored, path, num_images, columns=None):
    """Draw the first images of a data set or, if its labels are classes, images of each class in a row.

    columns: None = as the number of images suggests. Returns how many are drawn. Raises UserError if the
    picture cannot be written.
    """
    counts = {index: count for index, count in stored.images_of_classes().items() if count > 0}
    draw = _draw_rows if counts else _draw_grid
    try:
        count, what = draw(stored, path, num_images, columns, counts)
    except OSError as error:
        raise UserError(f'{path}: the picture cannot be written: {error.strerror}') from error
    print(f'Wrote {what} to "{path}".')
    return count


def _draw_grid(stored, path, num_images, columns, _counts):
    count = min(num_images, len(stored))
    images = np.stack([_reduced(stored.image(index)) for index in range(count)])
    grid_size = columns and (columns, -(-count // columns))
    pictures.save_image_grid(images, path, drange=[0, 255], grid_size=grid_size)
    return count, f'the first {count} images'


def _draw_rows(stored, path, num_images, columns, counts):
    shown = dict(list(counts.items())[:MAX_CLASSES])
    columns = columns or min(max(num_images // len(shown), 1), max(shown.values()))
    classes = stored.classes
    rows = [(_drawable(stored.name_of_class(index)) or str(index), count,
             [_reduced(stored.image(each)) for each in np.flatnonzero(classes == index)[:columns]])
            for index, count in shown.items()]
    picture = _sheet(rows, columns)
    image_format = pictures.picture_format(path)
    with atomic_write(path) as file:
        picture.save(file, format=image_format)
    of = '' if shown == counts else f'the first {len(shown)} of '
    return (sum(len(images) for *_, images in rows),
            f'up to {columns} images of each of {of}{len(counts)} classes')


def _sheet(rows, columns):
    """Return a picture of rows [(name, number of images in the class, [image [C,H,W], ...])]."""
    _, height, width = rows[0][2][0].shape
    factor = -(-MIN_ROW // height)
    height, width = height * factor, width * factor
    font, small = (PIL.ImageFont.load_default(size) for size in (min(max(height // 4, 13), 22), 11))
    rows = [(_shortened(name, font), f'{count:,}', images) for name, count, images in rows]
    margin = 16 + int(max(max(font.getlength(name), small.getlength(count)) for name, count, _ in rows))
    size = margin + columns * (width + GAP), len(rows) * (height + GAP)
    picture = PIL.Image.new('RGB', size, 'white')
    draw = PIL.ImageDraw.Draw(picture)
    for row, (name, count, images) in enumerate(rows):
        top = row * (height + GAP)
        for column, image in enumerate(images):
            tile = pictures.convert_to_pil_image(image, drange=[0, 255])
            picture.paste(tile.resize((width, height), PIL.Image.Resampling.NEAREST),
                          (margin + column * (width + GAP), top))
        draw.text((6, top + height / 2), name, 'black', font, anchor='ls')
        draw.text((6, top + height / 2 + 3), count, 'grey', small, anchor='lt')
    return picture


def _drawable(name):
    """Return a name without what the font of Pillow lacks: it has ASCII only, so accents go."""
    text = unicodedata.normalize('NFKD', name).encode('ascii', 'ignore').decode()
    return ' '.join(''.join(char if char.isprintable() else ' ' for char in text).split())


def _shortened(name, font):
    """Return as much of a name as fits beside a row."""
    if font.getlength(name) <= MAX_NAME:
        return name
    while font.getlength(name + '...') > MAX_NAME:
        name = name[:-1]
    return name + '...'


def _reduced(image):
    """Return an image [C,H,W] whose sides are at most MAX_CELL."""
    factor = -(-max(image.shape[1:]) // MAX_CELL)
    if factor == 1:
        return image
    picture = pictures.convert_to_pil_image(image, drange=[0, 255]).reduce(factor)
    pixels = np.asarray(picture)
    return pixels[np.newaxis] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)  # [H,W,C] -> [C,H,W]
