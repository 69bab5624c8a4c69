"""Draw images, figures and videos with a trained generator."""

import script_start  # noqa: F401  (must come first)

# isort: split
import argparse

import numpy as np

import pretrained_networks
from dnnlib import cli, faults
from dnnlib.progress import shown
from dnnlib.util import UserError
from latents import commands, from_files
from latents.commands.examples import EXAMPLES
from training.settings import picture_requests

# TensorFlow takes seconds to load: the functions that draw import `generation`, which needs it.

DEFAULT_COL_STYLES = 7  # the first layers


def _load(network_pkl, trust_source):
    print(f'Loading networks from "{network_pkl}"...')
    return pretrained_networks.load_generator(network_pkl, trust_source)


def _images_of_seeds(Gs, seeds, truncation_psi, class_idx):
    """Yield (file name, uint8 [1,C,H,W]) of every seed."""
    from training import generation
    label = generation.label_of_class(Gs, class_idx)
    for idx, seed in enumerate(seeds):
        print('Generating image for seed %d (%d/%d) ...' % (seed, idx, len(seeds)))
        latents = generation.inputs_from_seed(Gs, seed)
        yield 'seed%04d.png' % seed, generation.images_from_latents(Gs, latents, label, truncation_psi)


@faults.described()
def generate_images(network_pkl, seeds, truncation_psi, class_idx=None, grid=None, trust_source=False,
                    projected_w=None, dlatents=None, noises=None):
    """Write `seed<NNNN>.png` for every seed, `proj<NN>.png` for every dlatent in the files `projected_w` or
    `dlatent<NN>.png` for those in `dlatents`, and with `grid` = (columns, rows) all of them as `grid.png`.

    Of seeds, projected_w and dlatents, one is not None. noises: files as of `from_files.images`.
    """
    from training import generation
    Gs = _load(network_pkl, trust_source)
    if seeds is not None:
        named_images = _images_of_seeds(Gs, seeds, truncation_psi, class_idx)
    else:
        named_images = from_files.images(Gs, projected_w, dlatents, noises)
    images = []
    for name, image in named_images:
        generation.save_images(image, name)
        if grid is not None:
            images.append(image[0])
    if grid is not None:
        print('Saving image grid...')
        generation.save_images(np.stack(images), 'grid.png', grid_size=grid)


@faults.described()
def style_mixing_example(network_pkl, row_seeds, col_seeds, truncation_psi, class_idx=None, col_styles=None,
                         minibatch_size=4, trust_source=False):
    """Write `<row>-<col>.png`, the row's image with `col_styles` of the column's, and all as `grid.png`."""
    from training import generation
    Gs = _load(network_pkl, trust_source)
    if 'mapping' not in Gs.components:
        raise UserError(f'{network_pkl}: {picture_requests.NO_STYLES}')
    num_layers = Gs.components.synthesis.input_shape[1]
    picture_requests.check_layers(col_styles, num_layers)
    if col_styles is None:
        col_styles = range(min(DEFAULT_COL_STYLES, num_layers))
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
    """Return the parser of the command line."""
    parser = cli.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    subparsers = parser.add_subparsers(dest='command', metavar='COMMAND')
    for command in commands.ALL.values():
        command.add_to(subparsers)
    return parser


def main(argv=None):
    """Parse the arguments, check them and submit the run."""
    args = make_parser().parse_args(argv)
    cli.use_cache_dir(args)
    if args.command is None:
        raise UserError('missing subcommand.  Re-run with --help for usage.')
    commands.ALL[args.command].submit(args)


if __name__ == '__main__':
    cli.run_script(main)
