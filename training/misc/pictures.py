"""Pictures of images, and grids of them: values, tiles, files, and the real images of a training grid."""

import functools
import itertools
import os
import re

import numpy as np

import dnnlib
from dnnlib.files import atomic_write
from dnnlib.progress import shown
from dnnlib.util import UserError

# size: (width in pixels, height in pixels, fewest columns, fewest rows); any other size is a single image.
GRID_SIZES = {
    '1080p': (1920, 1080, 3, 2),
    '4k':    (3840, 2160, 7, 4),
    '8k':    (7680, 4320, 7, 4),
}
MAX_GRID_CELLS = 32       # per row and per column
MAX_GRID_DRAWS = 1000000  # images drawn to fill a grid by classes
_SNAPSHOT = re.compile(r'fakes_?(init|[0-9]+)\.(png|jpg|jpeg)')


def picture_format(filename):
    """Return Pillow's name of the format that belongs to a file name. Raises UserError if there is none."""
    from PIL import Image  # here, as network_info.py does without
    extension = os.path.splitext(filename)[1].lower()
    formats = Image.registered_extensions()
    if extension not in formats:
        raise UserError(f'{filename or repr(filename)}: unknown picture format; use .png or .jpg')
    return formats[extension]


def snapshots_of_run(run_dir):
    """Return [(kimg, path)] of the pictures of generated images in a run directory, in the order of training.

    kimg is a whole number; None = before training.
    """
    found = [(match[1], name) for name in os.listdir(run_dir) if (match := _SNAPSHOT.fullmatch(name))]
    found.sort(key=lambda pair: (-1 if pair[0] == 'init' else int(pair[0]), pair[1]))
    return [(None if kimg == 'init' else int(kimg), os.path.join(run_dir, name)) for kimg, name in found]


def adjust_dynamic_range(data, drange_in, drange_out):
    """Map the value range `drange_in` [low, high] linearly to `drange_out`. NumPy array or tensor."""
    if list(drange_in) == list(drange_out):
        return data
    in_low, in_high = np.float32(drange_in)
    out_low, out_high = np.float32(drange_out)
    scale = (out_high - out_low) / (in_high - in_low)
    return data * scale + (out_low - in_low * scale)


def create_image_grid(images, grid_size=None):
    """Tile images [N,H,W] or [N,C,H,W] row by row -> [..., rows*H, columns*W], same dtype, empty cells 0.

    grid_size: (columns, rows); None = as square as possible.
    """
    return _tiled(images, grid_size, np.asarray)


def _tiled(images, grid_size, convert):
    """Tile images, each converted when it is copied. Empty cells are those of an image of zeros."""
    num, height, width = images.shape[0], images.shape[-2], images.shape[-1]
    if grid_size is None:
        columns = max(int(np.ceil(np.sqrt(num))), 1)
        grid_size = columns, max((num - 1) // columns + 1, 1)
    columns, rows = grid_size
    empty = convert(np.zeros([], images.dtype))
    grid = np.full([*images.shape[1:-2], rows * height, columns * width], empty, empty.dtype)
    for idx, image in enumerate(images):
        x, y = idx % columns * width, idx // columns * height
        grid[..., y:y + height, x:x + width] = convert(image)
    return grid


def to_bytes(images, drange):
    """Round images with values in `drange` to uint8. Returns bytes in this range as they are."""
    if images.dtype == np.uint8 and list(drange) == [0, 255]:
        return images
    images = adjust_dynamic_range(images, drange, [0, 255])
    return np.rint(images).clip(0, 255).astype(np.uint8)


def convert_to_pil_image(image, drange=[0, 1]):
    """Convert an image [H,W], [1,H,W] or [3,H,W] with values in `drange` to a PIL image of mode L or RGB."""
    from PIL import Image
    if image.ndim == 3 and image.shape[0] == 1:
        image = image[0]
    image = to_bytes(image, drange)
    return Image.fromarray(image if image.ndim == 2 else image.transpose(1, 2, 0))  # [3,H,W] -> [H,W,3]


def save_image_grid(images, filename, drange=[0, 1], grid_size=None):
    """Write images [N,C,H,W] as one picture, tiled as by `create_image_grid`, in the format of the name."""
    image_format = picture_format(filename)
    grid = _tiled(images, grid_size, functools.partial(to_bytes, drange=drange))  # small beside floats
    picture = convert_to_pil_image(grid, [0, 255])
    with atomic_write(filename) as file:
        picture.save(file, format=image_format)


def save_images(images, name, grid_size=None, folder=None):
    """Tile images, uint8 [N,C,H,W], and write the picture. -> path.

    grid_size: (columns, rows). folder: None = the run directory.
    """
    path = dnnlib.make_run_dir_path(name) if folder is None else os.path.join(folder, name)
    save_image_grid(images, path, drange=[0, 255], grid_size=grid_size)
    return path


def apply_mirror_augment(minibatch):
    """Return a copy of images [N,C,H,W] in which about half, by NumPy's global generator, are mirrored."""
    result = np.array(minibatch)
    for idx in np.flatnonzero(np.random.rand(len(minibatch)) < 0.5):
        result[idx] = np.flip(minibatch[idx], axis=-1)
    return result


def setup_snapshot_image_grid(training_set, size='1080p', layout='random'):
    """Draw real images for a grid -> ((columns, rows), images [N,C,H,W], labels [N,label_size]).

    size:   '1080p', '4k' or '8k': the picture that the grid fills; anything else = one image.
    layout: 'random', 'row_per_class', 'col_per_class' or 'class4x4' (blocks of 4x4 images of one class).
            Cells without an image of their class stay 0.
    """
    columns, rows = grid_cells(training_set.shape, size)
    if layout == 'random':
        return (columns, rows), *training_set.get_minibatch_np(columns * rows)
    return (columns, rows), *_class_grid(training_set, layout, columns, rows)


def grid_cells(shape, size='1080p'):
    """Return (columns, rows) of the grid of a size, see `setup_snapshot_image_grid`, for images [C,H,W]."""
    if size not in GRID_SIZES:
        return 1, 1
    full_width, full_height, fewest_columns, fewest_rows = GRID_SIZES[size]
    _, height, width = shape
    return (min(max(full_width // width, fewest_columns), MAX_GRID_CELLS),
            min(max(full_height // height, fewest_rows), MAX_GRID_CELLS))


def _class_grid(training_set, layout, columns, rows):
    """Return images [N,C,H,W] and labels [N,label_size] of a grid in blocks of one class each."""
    block_sizes = {'row_per_class': (columns, 1), 'col_per_class': (1, rows), 'class4x4': (4, 4)}
    if layout not in block_sizes:
        raise UserError(f'unknown grid layout "{layout}"; expected one of random, {", ".join(block_sizes)}')
    if training_set.label_size == 0:
        raise UserError(f'grid layout "{layout}" needs labels; set max_label_size or use "random"')

    images = np.zeros([rows, columns, *training_set.shape], dtype=training_set.dtype)
    labels = np.zeros([rows, columns, training_set.label_size], dtype=training_set.label_dtype)
    block_width, block_height = block_sizes[layout]
    blocks_across = (columns - 1) // block_width + 1
    blocks_down = (rows - 1) // block_height + 1
    blocks = _draw_blocks(training_set, blocks_across * blocks_down, block_width * block_height)
    for i, j in itertools.product(range(len(blocks)), range(block_width * block_height)):
        x = i % blocks_across * block_width + j % block_width
        y = i // blocks_across * block_height + j // block_width
        if x < columns and y < rows and j < len(blocks[i]):
            images[y, x], labels[y, x] = blocks[i][j]
    return images.reshape(-1, *training_set.shape), labels.reshape(columns * rows, -1)


def _draw_blocks(training_set, num_blocks, block_images):
    """Draw images until each block holds `block_images` of its class -> [[(image, label), ...], ...].

    Block i takes class i % label_size; blocks of classes that no image has stay empty. Stops after
    MAX_GRID_DRAWS images: a class may be rare.
    """
    blocks = [[] for _ in range(num_blocks)]
    present = training_set.classes()
    missing = block_images * sum(
        present is None or idx % training_set.label_size in present for idx in range(num_blocks))
    for _ in shown(range(MAX_GRID_DRAWS), 'Looking for images of every class', 'images at most'):
        images, labels = training_set.get_minibatch_np(1)
        idx = int(np.argmax(labels[0]))
        while idx < num_blocks and len(blocks[idx]) >= block_images:
            idx += training_set.label_size
        if idx < num_blocks:
            blocks[idx].append((images[0], labels[0]))
            missing -= 1
        if missing == 0:
            break
    return blocks
