"""Image grids, value ranges and pickles: what scripts and the training loop share."""

import glob
import itertools
import os

import numpy as np
import PIL.Image

import dnnlib
from dnnlib.pickles import contents
from dnnlib.progress import shown
from dnnlib.tflib import Network, network_pickle
from dnnlib.util import UserError, atomic_write
from training.data import image_files, official_files

# size: (width in pixels, height in pixels, fewest columns, fewest rows); any other size is a single image.
GRID_SIZES = {
    '1080p': (1920, 1080, 3, 2),
    '4k':    (3840, 2160, 7, 4),
    '8k':    (7680, 4320, 7, 4),
}
MAX_GRID_CELLS = 32       # per row and per column
MAX_GRID_DRAWS = 1000000  # single images that are looked at to fill a grid by classes


def open_file_or_url(file_or_url):
    """Binary stream of a file or, through the download cache, of a URL. Raises UserError if a file cannot be
    opened."""
    if dnnlib.util.is_url(file_or_url):
        return official_files.open_url(file_or_url)
    try:
        if dnnlib.util.is_url(file_or_url, allow_file_urls=True):
            return dnnlib.util.open_url(file_or_url)
        return open(file_or_url, 'rb')
    except OSError as error:
        raise UserError(f'{file_or_url}: cannot be opened ({error.strerror}); '
                        'expected the path of a file or a URL') from error


def load_pkl(file_or_url, trust_source=False):
    """The object in a pickle file or URL: a network, several, arrays or settings.

    `trust_source`: run the source text inside for networks whose build function is not known here. Only for
    files from those whom you trust; files of the same contents are trusted from then on.
    """
    with open_file_or_url(file_or_url) as file:
        return network_pickle.load(file, trust_source=trust_source)


def load_networks(file_or_url, trust_source=False):
    """The networks (G, D, Gs) in a pickle file or URL. Raises UserError if it holds anything else.

    `trust_source`: as for `load_pkl`.
    """
    return as_triple(load_pkl(file_or_url, trust_source=trust_source), file_or_url)


def load_generator(file_or_url, trust_source=False):
    """Gs of the networks (G, D, Gs), or the generator alone, in a pickle file or URL, to be evaluated.

    G and D are not built, and the layers inside Gs cannot be listed. Raises UserError if the file holds
    anything else.

    `trust_source`: as for `load_pkl`.
    """
    with open_file_or_url(file_or_url) as file:
        loaded = network_pickle.load(file, trust_source=trust_source, choose=contents.last_of_triple,
                                     outline=True)
    return as_generator(loaded, file_or_url)


def as_triple(loaded, name):
    """(G, D, Gs) of what a file of this name holds. Raises UserError if that is anything else."""
    if not isinstance(loaded, (tuple, list)) or [type(net) for net in loaded] != [Network] * 3:
        raise UserError(f'{name}: expected three networks (G, D, Gs), as training snapshots hold; found '
                        f'{_contents(loaded)}')
    return tuple(loaded)


def as_generator(loaded, name):
    """Gs of what a file of this name holds: three networks or a generator alone. Raises UserError if that is
    anything else."""
    if isinstance(loaded, (tuple, list)) and len(loaded) == 1:
        loaded = loaded[0]
    return loaded if isinstance(loaded, Network) else as_triple(loaded, name)[2]


def _contents(loaded):
    """What was found, in words."""
    if isinstance(loaded, Network):
        return f'a single network, {loaded.name!r}'
    if not isinstance(loaded, (tuple, list)):
        return f'an object of type {type(loaded).__name__}'
    if not loaded:
        return f'an empty {type(loaded).__name__}'
    kinds = [repr(item.name) if isinstance(item, Network) else type(item).__name__ for item in loaded]
    return f'a {type(loaded).__name__} of {len(loaded)}: {", ".join(kinds[:5])}{", ..." * (len(kinds) > 5)}'


def save_pkl(obj, filename):
    """Write a pickle. A file of that name is only replaced by a complete one."""
    with atomic_write(filename, mode='wb') as file:
        network_pickle.dump(obj, file)


def network_snapshots(run_dir):
    """Paths of the network snapshots in a run directory, the newest last."""
    return sorted(glob.glob(os.path.join(glob.escape(run_dir), 'network-snapshot-*.pkl')))


def parse_config_for_previous_run(run_dir):
    """Arguments of the training run in a folder -> {'train': all of them, 'dataset': those of the data set}.
    Raises UserError if there is no readable `submit_config.pkl`."""
    submit_config = load_pkl(os.path.join(run_dir, 'submit_config.pkl'))
    arguments = submit_config['run_func_kwargs']
    return {'train': arguments, 'dataset': arguments['dataset_args']}


def adjust_dynamic_range(data, drange_in, drange_out):
    """Map the value range `drange_in` [low, high] linearly to `drange_out`. NumPy array or tensor."""
    if list(drange_in) == list(drange_out):
        return data
    in_low, in_high = np.float32(drange_in)
    out_low, out_high = np.float32(drange_out)
    scale = (out_high - out_low) / (in_high - in_low)
    return data * scale + (out_low - in_low * scale)


def create_image_grid(images, grid_size=None):
    """Tile images [N,H,W] or [N,C,H,W] row by row -> [..., rows*H, columns*W], same dtype, unused cells 0.

    `grid_size`: (columns, rows); None = as square as possible.
    """
    num, height, width = images.shape[0], images.shape[-2], images.shape[-1]
    if grid_size is None:
        columns = max(int(np.ceil(np.sqrt(num))), 1)
        grid_size = columns, max((num - 1) // columns + 1, 1)
    columns, rows = grid_size
    grid = np.zeros([*images.shape[1:-2], rows * height, columns * width], dtype=images.dtype)
    for idx, image in enumerate(images):
        x, y = idx % columns * width, idx // columns * height
        grid[..., y:y + height, x:x + width] = image
    return grid


def convert_to_pil_image(image, drange=[0, 1]):
    """[H,W], [1,H,W] or [3,H,W] with values in `drange` -> PIL image of mode L or RGB."""
    if image.ndim == 3 and image.shape[0] == 1:
        image = image[0]
    image = adjust_dynamic_range(image, drange, [0, 255])
    image = np.rint(image).clip(0, 255).astype(np.uint8)
    return PIL.Image.fromarray(image if image.ndim == 2 else image.transpose(1, 2, 0))  # [3,H,W] -> [H,W,3]


def save_image_grid(images, filename, drange=[0, 1], grid_size=None):
    """Write images [N,C,H,W] as one picture (see `create_image_grid`) in the format of the file name."""
    image_format = image_files.picture_format(filename)
    picture = convert_to_pil_image(create_image_grid(images, grid_size), drange)
    with atomic_write(filename, mode='wb') as file:
        picture.save(file, format=image_format)


def apply_mirror_augment(minibatch):
    """Images [N,C,H,W] of which NumPy's global generator picks about half to be mirrored. -> a new array."""
    result = np.array(minibatch)
    for idx in np.flatnonzero(np.random.rand(len(minibatch)) < 0.5):
        result[idx] = np.flip(minibatch[idx], axis=-1)
    return result


def _grid_size(size, height, width):
    """(columns, rows) that fill a picture of the named size with images of height x width."""
    if size not in GRID_SIZES:
        return 1, 1
    full_width, full_height, fewest_columns, fewest_rows = GRID_SIZES[size]
    columns = min(max(full_width // width, fewest_columns), MAX_GRID_CELLS)
    rows = min(max(full_height // height, fewest_rows), MAX_GRID_CELLS)
    return columns, rows


def _draw_blocks(training_set, num_blocks, block_images):
    """Draw single images until each block holds `block_images` of its class -> [[(image, label), ...], ...].

    Block i takes class i % label_size. Gives up after MAX_GRID_DRAWS images: a class may be rare or absent.
    """
    blocks = [[] for _ in range(num_blocks)]
    missing = num_blocks * block_images
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


def _class_grid(training_set, layout, columns, rows):
    """(images [N,C,H,W], labels [N,label_size]) of a grid in blocks of one class each."""
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


def setup_snapshot_image_grid(training_set, size='1080p', layout='random'):
    """Real images for a grid -> ((columns, rows), images [N,C,H,W], labels [N,label_size]), N = columns*rows.

    size:   '1080p', '4k' or '8k': about the picture that the grid fills; anything else = one image.
    layout: 'random', 'row_per_class', 'col_per_class' or 'class4x4' (blocks of 4 x 4 images of one class).
            Cells for which no image of the class was found stay 0.
    """
    columns, rows = _grid_size(size, *training_set.shape[1:])
    if layout == 'random':
        return (columns, rows), *training_set.get_minibatch_np(columns * rows)
    return (columns, rows), *_class_grid(training_set, layout, columns, rows)
