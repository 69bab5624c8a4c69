"""The commands of run_generator.py that draw the figures of the papers, each as one picture."""

import argparse
import math
import re

from dnnlib import cli
from dnnlib.util import UserError
from latents.commands.command import Command, check_has_styles, check_seeds
from latents.figures import (
    interpolation,
    layout,
    mixing_regularization,
    noise_components,
    noise_detail,
    style_mixing,
    truncation,
    uncurated,
)
from training.settings import picture_requests

_STYLES = ('coarse', 'middle', 'fine')


# Types of flags.

def _crop(text):
    """Parse '0,64,512,384' as a box in pixels: x, y, width, height."""
    numbers = tuple(map(int, text.split(','))) if re.fullmatch(r'\d{1,5}(,\d{1,5}){3}', text) else (0,) * 4
    if 0 in numbers[2:]:
        raise argparse.ArgumentTypeError(f"expected a box in pixels such as '0,64,512,384', not '{text}'")
    return numbers


def _numbers(text):
    """Parse '1,0.5,-1' as numbers."""
    try:
        numbers = [float(part) for part in text.split(',')]
    except ValueError:
        numbers = [math.nan]
    if not all(map(math.isfinite, numbers)):
        raise argparse.ArgumentTypeError(f"expected numbers such as '1,0.5,-1', not '{text}'")
    return numbers


def _style_ranges(text):
    """Parse 'coarse,4-7,8' as names and lists of layers."""
    parts = text.split(',')
    if not all(part in _STYLES or re.fullmatch(r'\d{1,3}(-\d{1,3})?', part) for part in parts):
        raise argparse.ArgumentTypeError("expected coarse, middle, fine or layers such as 4-7, separated by "
                                         f"commas, not '{text}'")
    return [part if part in _STYLES else cli.number_range(part) for part in parts]


# Flags and checks that several commands have.

def _add_seeds(parser, flag, default, meaning):
    parser.add_argument(flag, type=cli.number_range, metavar='RANGE', default=cli.number_range(default),
                        help=f'{meaning} (default: {default})')


def _add_crop(parser, default):
    parser.add_argument('--crop', type=_crop, metavar='X,Y,W,H',
                        help=f'part of the images in pixels (default: {default})')


def _add_picture(parser):
    parser.add_argument('--legend', dest='has_legend', type=cli.boolean, default=True, metavar='BOOL',
                        help='draw a legend around the picture, as far as there is room; no = as published '
                             '(default: yes)')
    parser.add_argument('--scale', type=cli.int_between(1, 64), metavar='N',
                        help='enlarge every pixel N times (default: 1, more for small images with a legend)')


def _check_picture(args, Gs, picture_size):
    """Raise UserError if a picture of the size `picture_size(size of an image)` is too large."""
    if Gs.is_generator and Gs.image_shape:  # otherwise only its own source text knows what it draws
        height, width = Gs.image_shape
        scale = layout.enlargement((width, height), args.scale, args.has_legend)
        layout.check_picture(picture_size((width, height)), scale)


def _check_has_noise(args, Gs):
    check_has_styles(args, Gs)
    if Gs.is_generator and not Gs.has_noise:
        raise UserError(f'{args.network_pkl}: {picture_requests.NO_NOISE}')


# Uncurated images.

def _add_uncurated(parser):
    parser.add_argument('--seed', type=cli.seed, default=5, metavar='N',
                        help='random seed of all images (default: 5)')
    _add_crop(parser, 'whole images')
    parser.add_argument('--rows', type=cli.int_between(1, 1000), metavar='N',
                        help='rows of the largest images (default: 3 from 512x512 on, 5 below)')
    parser.add_argument('--lods', type=cli.number_range, metavar='LIST',
                        help='how often the images of each column are halved (default: 0,1,2,2,3,3 from '
                             '512x512 on, 0,0,1,1,2,2,2 below, without images of less than 16x16)')
    parser.add_argument('--truncation-psi', type=float, metavar='PSI',
                        help='strength of the truncation trick, 1 = off (default: that of the generator)')
    _add_picture(parser)


def _check_uncurated(args):
    if args.lods and min(args.lods) < 0:
        raise UserError(f'--lods: expected numbers of at least 0, not {min(args.lods)}')


def _check_uncurated_network(args, Gs):
    _check_picture(args, Gs, lambda size: uncurated.picture_size(
        *uncurated.settings(size, args.crop, args.rows, args.lods)))


# Style mixing.

def _add_style_mixing(parser):
    _add_seeds(parser, '--src-seeds', '639,701,687,615,2268', 'seeds of the sources, along the top')
    _add_seeds(parser, '--dst-seeds', '888,829,1898,1733,1614,845', 'seeds of the destinations, on the left')
    parser.add_argument('--style-ranges', type=_style_ranges, metavar='LIST',
                        help='what each row takes from the sources: coarse, middle, fine or layers such as '
                             '4-7 (default: half of the rows coarse, a third middle, the rest fine)')
    _add_picture(parser)


def _check_style_mixing(args):
    check_seeds(args.src_seeds + args.dst_seeds)


def _check_style_mixing_network(args, Gs):
    check_has_styles(args, Gs)
    if Gs.is_generator:
        style_mixing.resolved(args.style_ranges, len(args.dst_seeds), Gs.num_styles)
    _check_picture(args, Gs, lambda size: style_mixing.picture_size(size, args.src_seeds, args.dst_seeds))


# Truncation.

def _add_truncation(parser):
    _add_seeds(parser, '--seeds', '91,388', 'a row for each of these seeds')
    default = '1,0.7,0.5,0,-0.5,-1'
    parser.add_argument('--psis', type=_numbers, metavar='LIST', default=_numbers(default),
                        help=f'a column for each of these psis (default: {default})')
    _add_picture(parser)


def _check_seeds(args):
    check_seeds(args.seeds)


def _check_truncation_network(args, Gs):
    check_has_styles(args, Gs)
    _check_picture(args, Gs, lambda size: truncation.picture_size(size, args.seeds, args.psis))


# Noise.

def _add_noise_detail(parser):
    _add_seeds(parser, '--seeds', '1157,1012', 'a row for each of these seeds')
    parser.add_argument('--samples', dest='num_samples', metavar='N', default=100,
                        type=cli.int_between(noise_detail.FEWEST_SAMPLES, 100_000),
                        help='images of each seed for the standard deviation (default: 100)')
    _add_crop(parser, '650,180,256,256 of 1024x1024, and its place in images of other sizes')
    _add_picture(parser)


def _check_noise_detail_network(args, Gs):
    _check_has_noise(args, Gs)
    _check_picture(args, Gs, lambda size: noise_detail.picture_size(size, args.seeds, args.crop))


def _add_noise_components(parser):
    _add_seeds(parser, '--seeds', '1967,1555', 'a column for each of these seeds')
    parser.add_argument('--flips', type=cli.number_range, default=(), metavar='LIST',
                        help='columns, from 0, whose images are mirrored (default: none; in the paper: 1)')
    _add_picture(parser)


def _check_noise_components(args):
    check_seeds(args.seeds)
    absent = [column for column in args.flips if not 0 <= column < len(args.seeds)]
    if absent:
        raise UserError(f'--flips: there is no column {absent[0]}, only 0-{len(args.seeds) - 1}')


def _check_noise_components_network(args, Gs):
    _check_has_noise(args, Gs)
    _check_picture(args, Gs, lambda size: noise_components.picture_size(size, args.seeds))


# Paths and mixing regularization.

def _add_interpolation(parser):
    _add_seeds(parser, '--seeds', '91,388', 'the two seeds between which the path lies')
    parser.add_argument('--steps', dest='num_steps', type=cli.int_between(2, 1000), default=8, metavar='N',
                        help='images of each path, including both ends (default: 8)')
    _add_picture(parser)


def _check_interpolation(args):
    check_seeds(args.seeds)
    if len(args.seeds) != 2:
        raise UserError(f"--seeds: expected two seeds such as '91,388', not {len(args.seeds)}")


def _check_interpolation_network(args, Gs):
    _check_picture(args, Gs, lambda size: interpolation.picture_size(size, args.num_steps, Gs.num_styles))


def _add_mixing_regularization(parser):
    parser.add_argument('--seed', type=cli.seed, default=0, metavar='N',
                        help='random seed of latents and crossovers (default: 0)')
    parser.add_argument('--columns', dest='num_columns', type=cli.int_between(1, 1000), metavar='N',
                        default=8, help='images of each row (default: 8)')
    parser.add_argument('--latents', dest='num_latents', type=cli.int_between(1, 100), metavar='N', default=4,
                        help='latents of an image in the last row; the first row has 1 (default: 4)')
    _add_picture(parser)


def _check_mixing_regularization_network(args, Gs):
    check_has_styles(args, Gs)
    if Gs.is_generator:
        mixing_regularization.check_latents(args.num_latents, Gs.num_styles)
    _check_picture(args, Gs, lambda size: mixing_regularization.picture_size(
        size, args.num_columns, args.num_latents))


COMMANDS = (
    Command('uncurated', 'draw uncurated images in several sizes', 'latents.figures.uncurated.draw',
            _add_uncurated, _check_uncurated, _check_uncurated_network, psi=None),
    Command('style-mixing-figure', 'draw coarse, middle and fine styles of sources in destinations',
            'latents.figures.style_mixing.draw', _add_style_mixing, _check_style_mixing,
            _check_style_mixing_network, psi=1.0),
    Command('truncation', 'draw images from psi 1 to -1', 'latents.figures.truncation.draw', _add_truncation,
            _check_seeds, _check_truncation_network, psi=None),
    Command('noise-detail', 'draw what noise changes, and how much', 'latents.figures.noise_detail.draw',
            _add_noise_detail, _check_seeds, _check_noise_detail_network, psi=1.0),
    Command('noise-components', 'draw images with noise in all, no, fine and coarse layers',
            'latents.figures.noise_components.draw', _add_noise_components, _check_noise_components,
            _check_noise_components_network, psi=1.0),
    Command('interpolation', 'draw the path between two latents, in Z and in W',
            'latents.figures.interpolation.draw', _add_interpolation, _check_interpolation,
            _check_interpolation_network, psi=1.0),
    Command('mixing-regularization', 'draw images of one to several latents each',
            'latents.figures.mixing_regularization.draw', _add_mixing_regularization,
            check_network=_check_mixing_regularization_network, psi=1.0),
)
