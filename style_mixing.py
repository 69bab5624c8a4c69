"""Generate a table of images that share styles, as StyleGAN2-ADA's script of this name does."""

import script_start  # noqa: F401  (must come first)

# isort: split
import os

import pretrained_networks
from dnnlib import cli, faults
from latents.commands import ada

# TensorFlow takes seconds to load: the function that draws imports `style_table`, which needs it.


@faults.described()
def style_mixing_example(network_pkl, row_seeds, col_seeds, truncation_psi, styles, outdir, class_idx=None,
                         minibatch_size=4, trust_source=False):
    """Write `<row>-<col>.png`, the row's image with `styles` of the column's, and all as `grid.png`.

    styles: layers; None = the first 7.
    """
    from latents import style_table
    print(f'Loading networks from "{network_pkl}"...')
    Gs = pretrained_networks.load_generator(network_pkl, trust_source)
    os.makedirs(outdir, exist_ok=True)
    style_table.write(Gs, network_pkl, row_seeds, col_seeds, truncation_psi, class_idx, styles,
                      minibatch_size, outdir, flag='--styles')


def make_parser():
    """Return the parser of the command line."""
    parser = cli.ArgumentParser(description=__doc__)
    seeds = dict(type=cli.number_range, required=True, metavar='RANGE')
    ada.add_published(parser)
    add = parser.add_argument
    add('--rows', dest='row_seeds', help='seeds of the images whose styles are replaced', **seeds)
    add('--cols', dest='col_seeds', help='seeds of the images that lend their styles', **seeds)
    add('--styles', type=cli.number_range, metavar='RANGE',
        help='layers whose styles come from the column (default: 0-6)')
    own = parser.add_argument_group('flags beyond the published ones')
    ada.add_class(own)
    cli.add_trust_source(own)
    cli.add_cache_dir(own)
    return parser


def main(argv=None):
    """Parse the arguments, check them and draw."""
    cli.call_with_flags(make_parser(), argv, ada.check_style_mixing, style_mixing_example)


if __name__ == '__main__':
    cli.run_script(main)
