"""Find directions in W that change images most, from the weights alone, without drawing any.

Closed-form factorization (Shen and Zhou 2021, "SeFa"): a step n in W changes the styles of all layers by A'n,
where the columns of A are the weights `mod_weight` that map w to styles. The unit vectors n that maximize
|A'n| are the eigenvectors of AA' with the largest eigenvalues. Rows of the picture: these directions, the
strongest first; columns: steps along them, with the image itself in the middle.
"""

import common
import numpy as np

from dnnlib import cli
from dnnlib.util import UserError


def directions(Gs, network):
    """Return (directions [dlatent_size,dlatent_size], one per row, eigenvalues), the largest first. network:
    name of the file for errors."""
    synthesis = Gs.components.synthesis
    weights = [synthesis.get_var(name) for name in synthesis.vars if name.endswith('/mod_weight')]
    if not weights:
        raise UserError(f'{network}: no layer has modulation weights (mod_weight); expected a network of '
                        'StyleGAN2, StyleGAN2-ADA or its PyTorch code')
    A = np.concatenate(weights, axis=1).astype(np.float64)  # [dlatent_size, all styles]
    values, vectors = np.linalg.eigh(A @ A.T)  # ascending
    return vectors.T[::-1], values[::-1]


def walk(Gs, dlatents, direction, steps):
    """Draw images along a direction. dlatents [layers,dlatent_size], steps [N] -> [N,C,H,W]."""
    return common.draw(Gs, dlatents + np.reshape(steps, [-1, 1, 1]) * direction)


def main(argv=None):
    """Factorize the weights and draw the picture."""
    parser = common.make_parser(__doc__, out='factorize.png')
    common.add_count(parser, '--directions', 6, 'number of directions')
    common.add_count(parser, '--columns', 9, 'images of a row')
    parser.add_argument('--reach', type=cli.float_between(0, 1000), default=6, metavar='X',
                        help='largest step in W (default: %(default)s)')
    args = common.parse(parser, argv)
    Gs = common.load(args.network, args.trust_source)
    found, strengths = directions(Gs, args.network)
    dlatents, = common.random_dlatents(Gs, 1, np.random.RandomState(args.seed), args.truncation_psi)
    steps = np.linspace(-args.reach, args.reach, args.columns)
    rows = []
    for number in range(min(args.directions, len(found))):
        share = strengths[number] / strengths.sum()
        print(f'Direction {number}: {share:.2%} of all change of styles; on average {1 / len(found):.2%}')
        rows.append(walk(Gs, dlatents, found[number], steps))
    common.save(rows, args.out, args.scale)


if __name__ == '__main__':
    common.run(main)
