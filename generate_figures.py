"""Draw the figures of the StyleGAN paper with the official networks, as pictures of the published layout."""

import script_start  # noqa: F401  (must come first)

# isort: split
import argparse
import functools
import os
from dataclasses import dataclass
from types import ModuleType

import pretrained_networks
from dnnlib import cli, faults
from dnnlib.submission import submit
from dnnlib.util import UserError
from latents.figures import (
    finishing,
    layout,
    noise_components,
    noise_detail,
    style_mixing,
    truncation,
    uncurated,
)
from training.settings import picture_requests

EXAMPLES = """examples:

  python generate_figures.py
  python generate_figures.py --only=figure02,figure08 --result-dir=figures
  python generate_figures.py --network=results/00000-run/network-final.pkl

run_generator.py draws the same figures with seeds of your own and with legends.
"""
OFFICIAL = 'stylegan:karras2019stylegan-{}.pkl'


@dataclass(frozen=True)
class Figure:
    """A published figure."""
    name: str               # Of the file, without '.png'.
    module: ModuleType      # Its `compose` draws the picture...
    network: str            # ...with this official network...
    arguments: dict         # ...and these arguments.
    full: int = 1024        # Side of the network's images, which a crop refers to.


FIGURES = (
    Figure('figure02-uncurated-ffhq', uncurated, OFFICIAL.format('ffhq-1024x1024'),
           dict(crop=(0, 0, 1024, 1024), rows=3, lods=[0, 1, 2, 2, 3, 3], seed=5)),
    Figure('figure03-style-mixing', style_mixing, OFFICIAL.format('ffhq-1024x1024'),
           dict(src_seeds=[639, 701, 687, 615, 2268], dst_seeds=[888, 829, 1898, 1733, 1614, 845],
                style_ranges=['coarse'] * 3 + ['middle'] * 2 + ['fine'])),
    Figure('figure04-noise-detail', noise_detail, OFFICIAL.format('ffhq-1024x1024'),
           dict(num_samples=100, seeds=[1157, 1012])),
    Figure('figure05-noise-components', noise_components, OFFICIAL.format('ffhq-1024x1024'),
           dict(seeds=[1967, 1555], flips=[1])),
    Figure('figure08-truncation-trick', truncation, OFFICIAL.format('ffhq-1024x1024'),
           dict(seeds=[91, 388], psis=[1, 0.7, 0.5, 0, -0.5, -1])),
    Figure('figure10-uncurated-bedrooms', uncurated, OFFICIAL.format('bedrooms-256x256'),
           dict(crop=(0, 0, 256, 256), rows=5, lods=[0, 0, 1, 1, 2, 2, 2], seed=0), full=256),
    Figure('figure11-uncurated-cars', uncurated, OFFICIAL.format('cars-512x384'),
           dict(crop=(0, 64, 512, 384), rows=4, lods=[0, 1, 2, 2, 3, 3], seed=2), full=512),
    Figure('figure12-uncurated-cats', uncurated, OFFICIAL.format('cats-256x256'),
           dict(crop=(0, 0, 256, 256), rows=5, lods=[0, 0, 1, 1, 2, 2, 2], seed=1), full=256),
)
NUMBERS = [figure.name.partition('-')[0] for figure in FIGURES]


def arguments_for(figure, size):
    """Return the arguments of a figure for images of this size: crops keep their place."""
    if 'crop' not in figure.arguments:
        return figure.arguments
    crop = layout.proportional(figure.arguments['crop'], (figure.full, figure.full), size)
    return {**figure.arguments, 'crop': crop}


def check_network(figure, network_pkl, Gs):
    """Raise UserError if a figure cannot be drawn with a generator, an inspection.Blueprint."""
    if not Gs.is_generator or not Gs.image_shape:
        return
    size = Gs.image_shape[1], Gs.image_shape[0]
    if figure.module is uncurated:
        arguments = arguments_for(figure, size)
        uncurated.settings(size, arguments['crop'], arguments['rows'], arguments['lods'])
    elif not Gs.num_styles:
        raise UserError(f'{network_pkl}: {picture_requests.NO_STYLES}; {figure.name} needs them')
    elif not Gs.has_noise and figure.module in (noise_detail, noise_components):
        raise UserError(f'{network_pkl}: {picture_requests.NO_NOISE}; {figure.name} needs it')


@functools.cache
def _painter(network_pkl, trust_source):
    from latents.figures.painter import Painter
    return Painter(network_pkl, trust_source=trust_source)


@faults.described()
def draw(figure, network_pkl, result_dir, trust_source=False):
    """Write a figure as a file of its name. Every network is loaded once."""
    painter = _painter(network_pkl, trust_source)
    path = os.path.join(result_dir, f'{figure.name}.png')
    print(path)
    os.makedirs(result_dir, exist_ok=True)
    finishing.save(figure.module.compose(painter, **arguments_for(figure, painter.size)), path)


def make_parser():
    """Return the parser of the command line."""
    parser = cli.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--only', type=cli.some_of(*NUMBERS), default=NUMBERS, metavar='LIST',
                        help=f'figures to draw: {", ".join(NUMBERS)} (default: all)')
    parser.add_argument('--network', dest='network_pkl', metavar='PKL',
                        help='draw all of them with this network (default: the official ones)')
    cli.add_trust_source(parser)
    parser.add_argument('--result-dir', default='results', type=cli.folder, metavar='DIR',
                        help='folder of the pictures (default: results)')
    cli.add_cache_dir(parser)
    return parser


def main(argv=None):
    """Parse, check all networks, draw."""
    args = make_parser().parse_args(argv)
    cli.use_cache_dir(args)
    submit.check_root(args.result_dir)
    figures = [figure for figure, number in zip(FIGURES, NUMBERS, strict=True) if number in args.only]
    blueprints = {}
    for figure in figures:
        network_pkl = figure.network if args.network_pkl is None else args.network_pkl
        if network_pkl not in blueprints:
            blueprints[network_pkl] = pretrained_networks.check_generator(network_pkl, args.trust_source)
        check_network(figure, network_pkl, blueprints[network_pkl])
    for figure in figures:
        draw(figure, args.network_pkl or figure.network, args.result_dir, args.trust_source)


if __name__ == '__main__':
    cli.run_script(main)
