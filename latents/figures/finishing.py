"""Finishes a picture: enlarges it, draws a legend around it, writes the file."""

import dnnlib
from dnnlib.files import atomic_write
from dnnlib.progress import announced
from latents.figures import layout

_LARGEST, _USUAL, _SMALLEST = 96, 12, 8         # sizes of text in pixels; smaller than usual if it must be
_SIZES_PER_TILE, _SIZES_PER_PICTURE = 10, 30    # of text, in the height of an image and of the longer side
_LINE = 1.3                                     # height of a line in sizes of text


def blank(painter, width, height):
    """Return a white picture of the mode of a generator's images."""
    from PIL import Image
    return Image.new(painter.mode, (width, height), 'white')


def tiled(painter, images, num_columns, num_rows):
    """Return a picture of a generator's images, row by row."""
    width, height = painter.size
    picture = blank(painter, num_columns * width, num_rows * height)
    for idx, image in enumerate(images):
        picture.paste(image, (idx % num_columns * width, idx // num_columns * height))
    return picture


def enlarged(picture, scale):
    """Repeat every pixel `scale` times in both directions."""
    from PIL import Image
    if scale == 1:
        return picture
    return picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)


def with_legend(picture, legend, scale, tile_height):
    """Draw a title and the texts of the columns above a picture, and those of the rows on its left.

    The picture has been enlarged by `scale`; the spans of the legend and `tile_height` have not. Texts for
    which there is no room are left out.
    """
    from PIL import Image, ImageDraw
    columns, rows = _columns_with_room(legend.columns, scale), _rows_with_room(legend.rows, scale)
    largest = min(tile_height * scale // _SIZES_PER_TILE, max(picture.size) // _SIZES_PER_PICTURE)
    largest = max(min(largest, _LARGEST), _USUAL)
    column_font = _fitting([(f'  {text}  ', length) for text, _, length in columns], largest)
    title_font = _fitting([(legend.title, picture.width)], min(largest, 2 * column_font.size))
    row_font = _fitting([], min([largest, *(int(length / _lines(text)) for text, _, length in rows)]))
    left = _width_of_rows(rows, row_font)
    width = max(picture.width, round(title_font.getlength(legend.title)) + title_font.size)
    below_title = round(2 * title_font.size * _LINE)
    top = below_title + (round(column_font.size * _LINE) if columns else 0)

    framed = Image.new(picture.mode, (left + width, top + picture.height), 'white')
    framed.paste(picture, (left, top))
    draw = ImageDraw.Draw(framed)
    draw.text((left + width / 2, below_title / 2), legend.title, 'black', title_font, anchor='mm')
    for text, start, length in columns:
        x = left + start + length / 2
        draw.text((x, (below_title + top) / 2), text, 'black', column_font, anchor='mm')
    for text, start, length in rows:
        y = top + start + length / 2
        draw.multiline_text((left / 2, y), text, 'black', row_font, anchor='mm', align='center')
    return framed


def _columns_with_room(columns, scale):
    """Return the enlarged spans of columns that are wide enough for their texts."""
    smallest = _fitting([], _SMALLEST)
    return [(text, start * scale, length * scale) for text, start, length in columns
            if smallest.getlength(text) <= length * scale]


def _rows_with_room(rows, scale):
    """Return the enlarged spans of rows that are high enough for their texts."""
    return [(text, start * scale, length * scale) for text, start, length in rows
            if _SMALLEST * _lines(text) <= length * scale]


def _lines(text):
    """Return the height of a text in sizes of its font."""
    return _LINE * (text.count('\n') + 1)


def _width_of_rows(rows, font):
    widths = [font.getlength(line) for text, *_ in rows for line in text.split('\n')]
    return round(max(widths) + 2 * font.size) if widths else 0


def _fitting(texts, size):
    """Return Pillow's own font in the largest size, up to `size`, in which texts [(text, room)] fit."""
    from PIL import ImageFont
    for smaller in range(size, _SMALLEST, -1):
        font = ImageFont.load_default(smaller)
        if all(font.getlength(text) <= room for text, room in texts):
            return font
    return ImageFont.load_default(_SMALLEST)


def save(picture, path):
    """Write a picture as PNG."""
    with announced(f'Saving {picture.width} x {picture.height} pixels...'), atomic_write(path) as file:
        picture.save(file, format='PNG')


def finish(picture, name, painter, legend, scale):
    """Write a picture to the run directory. `legend`: Legend or None, `scale`: factor or None = automatic."""
    scale = layout.enlargement(painter.size, scale, legend is not None)
    picture = enlarged(picture, scale)
    if legend is not None:
        picture = with_legend(picture, legend, scale, painter.size[1])
    path = dnnlib.make_run_dir_path(name)
    save(picture, path)
    print(f'Saved {path}: {picture.width} x {picture.height} pixels.')
