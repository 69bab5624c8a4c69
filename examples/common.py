"""What the programs of this folder share: flags, networks from files, random inputs and pictures."""

import repository  # noqa: F401  (must come first)

# isort: split
import os

import numpy as np

import pretrained_networks
import script_start
from dnnlib import cli, faults
from dnnlib.progress import announced, shown
from dnnlib.util import UserError
from training import misc
from training.misc.pictures import picture_format


def make_parser(description, out):
    """Return a parser with the flags of all programs; `out` is the default name of the picture."""
    parser = cli.ArgumentParser(description=description.splitlines()[0])
    add = parser.add_argument
    add('--network', required=True, metavar='PKL', help='network file: a path, a URL or a key')
    add('--out', default=out, metavar='FILE', help='picture to write (default: %(default)s)')
    add('--seed', type=cli.seed, default=1, help='seed of the random latents (default: %(default)s)')
    add('--truncation-psi', type=cli.float_between(-10, 10), default=0.7, metavar='X',
        help='truncation of the random images (default: %(default)s)')
    add('--scale', type=cli.int_between(1, 16), metavar='N',
        help='side of a pixel in the picture (default: 2 for images of up to 64 pixels, 1 for larger ones)')
    cli.add_trust_source(parser)
    cli.add_cache_dir(parser)
    return parser


def add_count(parser, flag, default, help):
    """Add a flag for a number from 1 to 1000 to a parser."""
    parser.add_argument(flag, type=cli.int_between(1, 1000), default=default, metavar='N',
                        help=f'{help} (default: %(default)s)')


def parse(parser, argv, networks=('network',)):
    """Return the arguments of a command line. Raises UserError before TensorFlow loads for a picture that
    cannot be written and for files, given by the flags `networks`, that hold no generator."""
    args = parser.parse_args(argv)
    cli.use_cache_dir(args)
    picture_format(args.out)
    if not os.path.isdir(os.path.dirname(args.out) or '.'):
        raise UserError(f'--out={args.out}: there is no folder {os.path.dirname(args.out)}')
    for flag in networks:
        pretrained_networks.check_generator(getattr(args, flag), args.trust_source)
    return args


def load(network, trust_source=False):
    """Return Gs of a file. Raises UserError if it has no styles, as Progressive GAN's."""
    with announced(f'Loading networks from "{network}"...'):
        Gs = pretrained_networks.load_generator(network, trust_source)
    if not {'mapping', 'synthesis'} <= set(Gs.components):
        raise UserError(f'{network}: expected a generator with a mapping and a synthesis network')
    return Gs


def random_dlatents(Gs, count, rnd, psi):
    """Draw dlatents [count,layers,dlatent_size], truncated by psi, of random classes if there are any. rnd: a
    RandomState."""
    latents = rnd.randn(count, *Gs.input_shape[1:])
    label_size = Gs.input_shapes[1][1]
    labels = np.eye(label_size)[rnd.randint(label_size, size=count)] if label_size else None
    dlatents = Gs.components.mapping.run(latents, labels)
    average = Gs.get_var('dlatent_avg')
    return average + (dlatents - average) * psi


def draw(Gs, dlatents, minibatch_size=8):
    """Return the images [N,C,H,W] of dlatents, with the network's own noise and values in [-1,1]."""
    return np.concatenate([
        Gs.components.synthesis.run(dlatents[begin:begin + minibatch_size], randomize_noise=False)
        for begin in shown(range(0, len(dlatents), minibatch_size), 'Drawing', 'minibatches')])


def save(rows, path, scale):
    """Write rows of images [columns,C,H,W] with values in [-1,1] as a picture. scale: side of a pixel; None =
    2 for small images."""
    images = np.concatenate(rows)
    scale = scale or (2 if images.shape[-1] <= 64 else 1)
    images = images.repeat(scale, axis=2).repeat(scale, axis=3)
    misc.save_image_grid(images, path, drange=[-1, 1], grid_size=(len(rows[0]), len(rows)))
    print(f'Saved {path}')


def run(main):
    """Run a program as the scripts of the repository run: errors that the user can fix become one line."""
    script_start.begin()
    cli.run_script(faults.described()(main))
