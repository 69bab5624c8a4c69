"""Draw images, figures and videos with a trained generator."""

import script_start  # noqa: F401  (must come first)

# isort: split
import argparse

import numpy as np

import pretrained_networks
from dnnlib import cli, faults
from dnnlib.util import UserError
from latents import commands, from_files, onnx_images
from latents.commands.examples import EXAMPLES
from training.misc import pictures

# TensorFlow takes seconds to load: the functions that draw import `generation`, which needs it.


def _load(network_pkl, trust_source):
    print(f'Loading networks from "{network_pkl}"...')
    return pretrained_networks.load_generator(network_pkl, trust_source)


@faults.described()
def generate_images(network_pkl, seeds, truncation_psi, class_idx=None, grid=None, trust_source=False,
                    projected_w=None, dlatents=None, noises=None, latents=None, engine='tensorflow'):
    """Write `seed<NNNN>.png` for every seed, `proj<NN>.png` for every dlatent in the files `projected_w`,
    `dlatent<NN>.png` for those in `dlatents` or `latent<NN>.png` for every z in the files `latents`, and with
    `grid` = (columns, rows) all of them as `grid.png`.

    Of seeds, projected_w, dlatents and latents, one is not None. noises: files as of `from_files.images`.
    engine: 'tensorflow', or 'onnx' for seeds.
    """
    if engine == 'onnx':
        named_images = onnx_images.images_of_seeds(network_pkl, seeds, truncation_psi, class_idx)
    else:
        from training import generation
        Gs = _load(network_pkl, trust_source)
        if seeds is not None:
            named_images = generation.images_of_seeds(Gs, seeds, truncation_psi, class_idx)
        elif latents is not None:
            named_images = from_files.images_of_latents(Gs, latents, truncation_psi, class_idx, noises)
        else:
            named_images = from_files.images(Gs, projected_w, dlatents, noises)
    images = []
    for name, image in named_images:
        pictures.save_images(image, name)
        if grid is not None:
            images.append(image[0])
    if grid is not None:
        print('Saving image grid...')
        pictures.save_images(np.stack(images), 'grid.png', grid_size=grid)


@faults.described()
def style_mixing_example(network_pkl, row_seeds, col_seeds, truncation_psi, class_idx=None, col_styles=None,
                         minibatch_size=4, trust_source=False):
    """Write `<row>-<col>.png`, the row's image with `col_styles` of the column's, and all as `grid.png`."""
    from latents import style_table
    Gs = _load(network_pkl, trust_source)
    style_table.write(Gs, network_pkl, row_seeds, col_seeds, truncation_psi, class_idx, col_styles,
                      minibatch_size)


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
