"""Blend two networks: the coarse layers of one draw shapes, the fine layers of the other one draw surfaces.

The second network should descend from the first one by further training on other images (Pinkney and Adler
2020, "Resolution Dependent GAN Interpolation"). Rows of the picture: the first network, blends from coarse to
fine, the second network, all with the same dlatents.
"""

import re

import common
import numpy as np

from dnnlib.util import UserError


def highest_resolution(synthesis):
    """Return the nominal resolution of a synthesis network, which has two layers for each from 4 on."""
    return 2 ** (synthesis.input_shape[1] // 2 + 1)


def resolution_of(name, highest):
    """Return the resolution at which a variable of a synthesis network works: 16 for 16x16/Conv1/bias. None
    for others."""
    if match := re.match(r'(\d+)x\1/', name):
        return int(match[1])
    if match := re.match(r'ToRGB_lod(\d+)/', name):
        return highest >> int(match[1])
    if match := re.match(r'noise(\d+)$', name):
        return 2 ** ((int(match[1]) + 5) // 2)  # 4, 8, 8, 16, 16 and so on
    return None


def check_compatible(first, second, names):
    """Raise UserError unless the synthesis networks have the same variables. names: of their files."""
    shapes = [{name: tuple(var.shape.as_list()) for name, var in net.components.synthesis.vars.items()}
              for net in (first, second)]
    for name in sorted(set(shapes[0]) | set(shapes[1])):
        expected, found = (each.get(name, 'none') for each in shapes)
        if expected != found:
            raise UserError(f'{names[1]}: cannot be blended with {names[0]}: expected {name} {expected}, '
                            f'found {found}')


def copy_resolution(blended, source, resolution):
    """Copy the variables of one resolution from a synthesis network to another, in two session calls."""
    import dnnlib.tflib as tflib
    highest = highest_resolution(blended)
    tflib.set_vars(tflib.run({var: source.vars[name] for name, var in blended.vars.items()
                              if resolution_of(name, highest) == resolution}))


def draw_rows(coarse, fine, dlatents):
    """Return images of `coarse`, of blends with more and more layers of `fine`, from the highest resolution
    down to 8, and of `fine`: a list of [N,C,H,W]."""
    rows = [common.draw(coarse, dlatents)]
    blended = coarse.clone('Blend')
    resolution = highest_resolution(coarse.components.synthesis)
    while resolution > 4:
        print(f'Layers of {resolution}x{resolution} and more come from the second network...')
        copy_resolution(blended.components.synthesis, fine.components.synthesis, resolution)
        rows.append(common.draw(blended, dlatents))
        resolution //= 2
    return [*rows, common.draw(fine, dlatents)]


def main(argv=None):
    """Load both networks and draw the picture."""
    parser = common.make_parser(__doc__, out='blend_layers.png')
    parser.add_argument('--other', required=True, metavar='PKL', help='network of the fine layers')
    common.add_count(parser, '--columns', 12, 'number of images')
    args = common.parse(parser, argv, networks=('network', 'other'))
    coarse, fine = (common.load(name, args.trust_source) for name in (args.network, args.other))
    check_compatible(coarse, fine, (args.network, args.other))
    rnd = np.random.RandomState(args.seed)
    dlatents = common.random_dlatents(coarse, args.columns, rnd, args.truncation_psi)
    common.save(draw_rows(coarse, fine, dlatents), args.out, args.scale)


if __name__ == '__main__':
    common.run(main)
