"""Generate images with a trained generator, or mix the styles of pairs of them."""

import script_start  # noqa: F401  (before all that takes time to load)

# isort: split
import argparse
import math

import numpy as np

import dnnlib
import pretrained_networks
from dnnlib import cli, faults
from dnnlib.progress import shown
from dnnlib.submission import submit
from dnnlib.util import UserError
from training.settings import picture_requests

# TensorFlow takes seconds to load: the functions that draw import what needs it.

EXAMPLES = """examples:

  # Generate uncurated images of FFHQ (Figure 12)
  python run_generator.py generate-images --network=gdrive:networks/stylegan2-ffhq-config-f.pkl \\
    --seeds=6600-6625 --truncation-psi=0.5

  # Sixteen images of your own network, and all of them in one grid.png
  python run_generator.py generate-images --network=results/00000-run/network-final.pkl \\
    --seeds=0-15 --grid=4x4

  # One class of a network that was trained with --labels=full
  python run_generator.py generate-images --network=results/00001-run/network-final.pkl \\
    --seeds=0-15 --class=3 --grid=4x4

  # Mix styles
  python run_generator.py style-mixing-example --network=gdrive:networks/stylegan2-ffhq-config-f.pkl \\
    --row-seeds=85,100,75,458,1500 --col-seeds=55,821,1789,293
"""

DEFAULT_COL_STYLES = range(7)
NO_STYLES = 'this network has no styles to mix'


@faults.described(remedy='give')
def generate_images(network_pkl, seeds, truncation_psi, class_idx=None, grid=None, trust_source=False):
    """Write `seed<NNNN>.png` for every seed and, with `grid` = (columns, rows), all of them as `grid.png`."""
    from training import generation
    Gs = pretrained_networks.load_generator(network_pkl, trust_source)
    label, images = generation.label_of_class(Gs, class_idx), []
    for idx, seed in enumerate(seeds):
        print('Generating image for seed %d (%d/%d) ...' % (seed, idx, len(seeds)))
        latents = generation.inputs_from_seed(Gs, seed)
        image = generation.images_from_latents(Gs, latents, label, truncation_psi)
        generation.save_images(image, 'seed%04d.png' % seed)
        if grid is not None:
            images.append(image[0])
    if grid is not None:
        print('Saving image grid...')
        generation.save_images(np.stack(images), 'grid.png', grid_size=grid)


def existing_styles(col_styles, num_layers):
    """The layers to take from the columns; None = those of the default that there are."""
    if col_styles is None:
        return [layer for layer in DEFAULT_COL_STYLES if layer < num_layers]
    picture_requests.check_layers(col_styles, num_layers)
    return col_styles


@faults.described(remedy='give')
def style_mixing_example(network_pkl, row_seeds, col_seeds, truncation_psi, class_idx=None, col_styles=None,
                         minibatch_size=4, trust_source=False):
    """Write `<row>-<col>.png`, the row's image with `col_styles` of the column's, and all as `grid.png`."""
    from training import generation
    Gs = pretrained_networks.load_generator(network_pkl, trust_source)
    if 'mapping' not in Gs.components:
        raise UserError(f'{network_pkl}: {NO_STYLES}')
    col_styles = existing_styles(col_styles, Gs.components.synthesis.input_shape[1])
    pairs = [(row, col) for row in row_seeds for col in col_seeds]

    print('Generating W vectors...')
    label = generation.label_of_class(Gs, class_idx)
    dlatents = generation.dlatents_from_seeds(Gs, row_seeds + col_seeds, label, truncation_psi)
    mixed = np.stack([dlatents[row] for row, _ in pairs])
    mixed[:, col_styles] = np.stack([dlatents[col][col_styles] for _, col in pairs])

    print('Generating images...')
    images = generation.images_from_dlatents(Gs, np.stack(list(dlatents.values())), minibatch_size)
    sources = dict(zip(dlatents, images, strict=True))

    print('Generating style-mixed images...')
    images = generation.images_from_dlatents(Gs, mixed, minibatch_size)
    mixed = dict(zip(pairs, images, strict=True))

    print('Saving images...')
    pictures = {**{(seed, seed): image for seed, image in sources.items()}, **mixed}
    for (row, col), image in shown(pictures.items(), 'Saving', 'images'):
        generation.save_images(image[np.newaxis], f'{row}-{col}.png')

    print('Saving image grid...')
    cells = [np.zeros_like(sources[row_seeds[0]]), *(sources[col] for col in col_seeds)]
    for row in row_seeds:
        cells += [sources[row], *(mixed[row, col] for col in col_seeds)]
    generation.save_images(np.stack(cells), 'grid.png', grid_size=(len(col_seeds) + 1, len(row_seeds) + 1))


def make_parser():
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest='command', metavar='COMMAND')
    generate = commands.add_parser('generate-images', help='images from seeds')
    mix = commands.add_parser('style-mixing-example', help='a table of images that share styles')
    for sub in (generate, mix):
        cli.add_cache_dir(sub)
        sub.add_argument('--network', dest='network_pkl', required=True, metavar='PKL',
                         help='network pickle: a path, a URL or a gdrive: key')
        sub.add_argument('--trust-source', action='store_true', help='run the source text of unknown nets')
        sub.add_argument('--truncation-psi', type=float, default=0.5, metavar='PSI',
                         help='strength of the truncation trick, 1 = off (default: 0.5)')
        sub.add_argument('--class', dest='class_idx', type=cli.int_at_least(0), metavar='N',
                         help='class of a network that was trained with labels (default: no class)')
        sub.add_argument('--result-dir', default='results', type=cli.folder, metavar='DIR',
                         help='folder of the run directories (default: results)')
    seeds = dict(type=cli.number_range, metavar='RANGE', required=True)
    generate.add_argument('--seeds', help="random seeds, such as '1-5' or '1,2,7'", **seeds)
    generate.add_argument('--grid', type=cli.columns_by_rows, metavar='WxH',
                          help='also write all images as grid.png, W columns by H rows (default: no grid)')
    mix.add_argument('--row-seeds', help='seeds of the images that are changed', **seeds)
    mix.add_argument('--col-seeds', help='seeds of the images that styles come from', **seeds)
    mix.add_argument('--col-styles', type=cli.number_range, metavar='RANGE',
                     help='layers whose style comes from the column (default: 0-6)')
    return parser


def validate(args):
    """Raise UserError for what the parser cannot see."""
    if args.command is None:
        raise UserError('missing subcommand.  Re-run with --help for usage.')
    submit.check_root(args.result_dir)
    pretrained_networks.check_path(args.network_pkl)
    seeds = args.seeds if args.command == 'generate-images' else args.row_seeds + args.col_seeds
    if not 0 <= min(seeds) <= max(seeds) < 2 ** 32:
        raise UserError(f'seeds must be from 0 to {2 ** 32 - 1}, not {min(seeds)} to {max(seeds)}')
    if not math.isfinite(args.truncation_psi):
        raise UserError(f'--truncation-psi must be a number, not {args.truncation_psi}')
    if args.command == 'generate-images' and args.grid and math.prod(args.grid) < len(seeds):
        raise UserError(f'--grid={"x".join(map(str, args.grid))}: too small for {len(seeds)} images')
    check_network(args)


def check_network(args):
    """Raise UserError for what the network cannot draw, as far as its file tells."""
    Gs = pretrained_networks.check_generator(args.network_pkl, args.trust_source)
    if not Gs.is_generator:  # built by its own source text
        return
    picture_requests.check_class(args.class_idx, Gs.label_size)
    if args.command == 'generate-images':
        if args.grid and Gs.resolution:
            picture_requests.check_grid(*args.grid, Gs.resolution)
        return
    if not Gs.num_styles:
        raise UserError(f'{args.network_pkl}: {NO_STYLES}')
    picture_requests.check_layers(args.col_styles, Gs.num_styles)


def main(argv=None):
    """Parse, check, submit."""
    args = make_parser().parse_args(argv)
    cli.use_cache_dir(args)
    validate(args)
    kwargs = vars(args)
    sc = dnnlib.SubmitConfig()
    sc.local.do_not_copy_source_files = True
    sc.run_dir_root = kwargs.pop('result_dir')
    sc.run_desc = kwargs.pop('command')
    dnnlib.submit_run(sc, 'run_generator.' + sc.run_desc.replace('-', '_'), **kwargs)


if __name__ == '__main__':
    cli.run_script(main)
