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
                    projected_w=None, dlatents=None, noises=None, latents=None, engine='tensorflow',
                    xla='auto'):
    """Write `seed<NNNN>.png` for every seed, `proj<NN>.png` for every dlatent in the files `projected_w`,
    `dlatent<NN>.png` for those in `dlatents` or `latent<NN>.png` for every z in the files `latents`, and with
    `grid` = (columns, rows) all of them as `grid.png`.

    Of seeds, projected_w, dlatents and latents, one is not None. noises: files as of `from_files.images`.
    engine: 'tensorflow', or 'onnx' for seeds. xla: 'on', 'off' or 'auto', whether TensorFlow compiles the
    network.
    """
    if engine == 'onnx':
        _save(onnx_images.images_of_seeds(network_pkl, seeds, truncation_psi, class_idx), grid)
        return
    from training import generation
    with _compiling(xla):
        Gs = _load(network_pkl, trust_source)
        if seeds is not None:
            named_images = generation.images_of_seeds(Gs, seeds, truncation_psi, class_idx)
        elif latents is not None:
            named_images = from_files.images_of_latents(Gs, latents, truncation_psi, class_idx, noises)
        else:
            named_images = from_files.images(Gs, projected_w, dlatents, noises)
        _save(named_images, grid)


def _compiling(xla):
    """Return the context in which networks are compiled, or not."""
    from dnnlib.tflib import xla as switch
    return switch.enabled(switch.is_on(xla))


def _save(named_images, grid):
    """Write (name, image) for each and, unless `grid` is None, all as grid.png."""
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
                         minibatch_size=4, trust_source=False, xla='auto'):
    """Write `<row>-<col>.png`, the row's image with `col_styles` of the column's, and all as `grid.png`."""
    from latents import style_table
    with _compiling(xla):
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
