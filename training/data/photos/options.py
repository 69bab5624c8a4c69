"""What create_from_images is told: its flags, and the recipe for an image that they amount to."""

import argparse
from dataclasses import dataclass

import PIL.ImageColor

from dnnlib import cli
from dnnlib.util import UserError
from training.data import encoding, sizes

CROPS, FITS, CHANNELS = ('center', 'center-wide', 'none'), ('crop', 'pad', 'stretch'), (1, 3)
FILTERS = ('lanczos', 'box', 'bicubic', 'bilinear', 'hamming', 'nearest')
WHITE = (255, 255, 255)


@dataclass(frozen=True)
class Options:
    """The flags of create_from_images."""
    shuffle: int = 1
    shuffle_seed: int = 123          # The published order.
    max_images: int | None = None
    resolution: tuple | None = None  # (width, height)
    crop: str | None = None
    fit: str | None = None
    filter: str | None = None
    channels: int | None = None
    background: tuple | None = None  # RGB
    labels: str | None = None
    store: str = 'raw'
    strict: bool = False
    drop_duplicates: bool = False
    jobs: int | None = None          # None = as many as there are cores to use.


@dataclass(frozen=True)
class Recipe:
    """How a file becomes an image of the data set."""
    width: int
    height: int
    way: str = 'center'              # 'center', 'center-wide', 'pad' or 'stretch'
    filter: str = 'lanczos'
    channels: int = 3
    background: tuple = WHITE        # RGB
    store: str = 'raw'
    as_is: bool = False              # The pixels of the file, which has this size, without any change.
    enlarge: bool = False            # Otherwise smaller images cannot be used.

    @property
    def shape(self):
        """[C,H,W] of the images."""
        return (self.channels, self.width if self.way == 'center-wide' else self.height, self.width)


def recipe(options, size=None):
    """Return the Recipe for these options. size: (width, height) without --resolution.

    Raises UserError for options that contradict each other and for sizes that cannot be trained on.
    """
    way = _way(options)
    width, height = options.resolution or size
    result = Recipe(width, height, way, options.filter or 'lanczos', options.channels or 3,
                    options.background or WHITE, options.store)
    if way == 'center-wide' and width <= height:
        raise UserError('--crop=center-wide: expected a --resolution that is wider than high, such as '
                        f'512x384, not {width}x{height}')
    sizes.require(*result.shape[1:], f'--resolution={width}x{height}')
    return result


def check(options):
    """Raise UserError for options that contradict each other or cannot be done."""
    if options.resolution:
        recipe(options)
        return
    for name in ('crop', 'fit', 'filter'):
        if getattr(options, name):
            raise UserError(f'--{name}={getattr(options, name)}: expected --resolution, too; nothing is '
                            'cropped or resized without it')


def converts_colours(options):
    """Return whether the options ask for more than the pixels as they are."""
    return options.channels is not None or options.background is not None


def _way(options):
    crop, fit = options.crop, options.fit
    if crop in ('center', 'center-wide'):
        if fit in ('pad', 'stretch'):
            raise UserError(f'--fit={fit}: --crop={crop} leaves nothing to {fit}; use --crop=none or leave '
                            'one of them out')
        return crop
    if crop is None and fit is None:
        return 'center'
    return {None: 'pad', 'crop': 'center'}.get(fit, fit)


def _resolution(text):
    """Parse '256' as (256, 256) and '512x384' as (512, 384)."""
    try:
        width, height = cli.columns_by_rows(text if 'x' in text else f'{text}x{text}')
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(
            f"expected a side such as 256, or width x height such as 512x384, not '{text}'") from error
    return width, height


def _colour(text):
    try:
        return PIL.ImageColor.getcolor(text, 'RGB')[:3]
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"expected a colour such as white, grey or #ff8000, not '{text}'") from error


def _labels(text):
    if text not in ('none', 'folders', 'dataset.json') and not text.lower().endswith(('.csv', '.tsv')):
        raise argparse.ArgumentTypeError(
            f"expected none, folders, dataset.json or the name of a CSV file, not '{text}'")
    return text


FLAGS = {
    '--shuffle': {'type': int, 'choices': (0, 1), 'default': 1,
                  'help': '0 = keep the order of the file names (default: 1)'},
    '--shuffle-seed': {'type': cli.seed, 'default': 123, 'metavar': 'SEED',
                       'help': 'seed of the order (default: 123, the published order)'},
    '--max-images': {'type': cli.int_at_least(1), 'metavar': 'N',
                     'help': 'use only the first N usable images of the order (default: all)'},
    '--resolution': {'type': _resolution, 'metavar': 'N|WxH',
                     'help': 'crop and resize to this size, square or width x height, turn upright and '
                             'convert colours to sRGB (default: leave images, of one size, as they are)'},
    '--crop': {'choices': CROPS,
               'help': 'what is cut off before resizing. center: all but a centred part with the proportions '
                       'of the target; center-wide: rows above and below, and black bars make WxH a square; '
                       'none: nothing (default: center, or none with --fit)'},
    '--fit': {'choices': FITS,
              'help': 'how whole images get the proportions of the target. pad: inside, with bars in the '
                      'background colour; stretch: distorted; crop: the same as --crop=center (default with '
                      '--crop=none: pad)'},
    '--filter': {'choices': FILTERS, 'help': 'filter for resizing (default: lanczos)'},
    '--channels': {'type': int, 'choices': CHANNELS,
                   'help': '3 = colour, 1 = grey (default: 3 with --resolution, otherwise as in the files)'},
    '--background': {'type': _colour, 'metavar': 'COLOUR',
                     'help': 'colour behind transparent pixels and of the bars, such as white or #808080 '
                             '(default: white)'},
    '--labels': {'type': _labels, 'metavar': 'none|folders|dataset.json|FILE.csv',
                 'help': 'where labels come from: the names of sub-folders, the dataset.json of '
                         'stylegan2-ada-pytorch, or a table of file name and class or numbers (default: '
                         'dataset.json if there is one)'},
    '--store': {'choices': encoding.STORES, 'default': 'raw',
                'help': 'raw = pixels of all resolutions, as published; png and jpeg take less space '
                        '(default: raw)'},
    '--strict': {'action': 'store_true',
                 'help': 'stop at the first file that cannot be used instead of leaving it out'},
    '--drop-duplicates': {'action': 'store_true',
                          'help': 'use only the first of several images with the same pixels'},
    '--jobs': {'type': cli.int_at_least(1), 'metavar': 'N',
               'help': 'number of processes; the result is the same for any (default: number of cores)'},
}
