"""Look through the variables of a network, and edit some of them: the strength of the noise in every layer.

Prints the statistics of all variables, and writes a picture with a row of the same images for every factor by
which the strengths are multiplied: 0 shows what the dlatents decide, large ones what the noise adds.
"""

import common
import numpy as np

from dnnlib import cli
from dnnlib.util import UserError


def print_statistics(Gs):
    """Print shape, mean and standard deviation of every variable, which are read in one session call."""
    import dnnlib.tflib as tflib
    values = tflib.run(list(Gs.vars.values()))
    width = max(map(len, Gs.vars))
    for name, value in zip(Gs.vars, values, strict=True):
        shape = 'x'.join(map(str, np.shape(value))) or 'scalar'
        print(f'{name:{width}}  {shape:>12}  mean {np.mean(value):8.4f}  std {np.std(value):7.4f}')


def noise_strengths(Gs, network):
    """Return {variable: value} of the noise strengths. network: name of the file for errors."""
    import dnnlib.tflib as tflib
    strengths = {name: var for name, var in Gs.vars.items()
                 if name.endswith(('/noise_strength', '/Noise/weight'))}  # of StyleGAN2, of StyleGAN
    if not strengths:
        raise UserError(f'{network}: no layer takes noise')
    return dict(zip(strengths.values(), tflib.run(list(strengths.values())), strict=True))


def draw_rows(Gs, strengths, factors, dlatents):
    """Draw the images for every factor, and set the strengths back. -> list of [N,C,H,W]."""
    import dnnlib.tflib as tflib
    rows = []
    for factor in factors:
        tflib.set_vars({var: value * factor for var, value in strengths.items()})
        rows.append(common.draw(Gs, dlatents))
    tflib.set_vars(strengths)
    return rows


def main(argv=None):
    """Print the statistics and draw the picture."""
    parser = common.make_parser(__doc__, out='edit_weights.png')
    parser.add_argument('--factors', type=cli.float_between(-1000, 1000), nargs='+', metavar='X',
                        default=[0, 1, 5], help='factor of each row (default: 0 1 5)')
    common.add_count(parser, '--columns', 12, 'number of images')
    args = common.parse(parser, argv)
    Gs = common.load(args.network, args.trust_source)
    print_statistics(Gs)
    strengths = noise_strengths(Gs, args.network)
    rnd = np.random.RandomState(args.seed)
    dlatents = common.random_dlatents(Gs, args.columns, rnd, args.truncation_psi)
    common.save(draw_rows(Gs, strengths, args.factors, dlatents), args.out, args.scale)


if __name__ == '__main__':
    common.run(main)
