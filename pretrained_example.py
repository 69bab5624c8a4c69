"""Draw an image with an official network of StyleGAN: the shortest way from a pickle to a picture."""

import script_start  # noqa: F401  (must come first)

# isort: split
import os

import numpy as np

import pretrained_networks
from dnnlib import cli, faults
from dnnlib.files import atomic_write
from dnnlib.submission import submit

FFHQ = 'stylegan:karras2019stylegan-ffhq-1024x1024.pkl'


@faults.described()
def draw(network_pkl, result_dir, trust_source=False):
    """Print the layers of a generator, and write example.png."""
    from PIL import Image

    from dnnlib import tflib
    print(f'Loading networks from "{network_pkl}"...')
    Gs = pretrained_networks.load_generator(network_pkl, trust_source, outline=False)
    Gs.print_layers()

    rnd = np.random.RandomState(5)
    latents = rnd.randn(1, *Gs.input_shape[1:])
    to_uint8 = dict(func=tflib.convert_images_to_uint8, nchw_to_nhwc=True)
    images = Gs.run(latents, None, truncation_psi=0.7, randomize_noise=True, output_transform=to_uint8)

    os.makedirs(result_dir, exist_ok=True)
    path = os.path.join(result_dir, 'example.png')
    with atomic_write(path) as file:
        Image.fromarray(images[0].squeeze()).save(file, format='PNG')  # [H,W,1] -> [H,W]
    print(f'Saved {path}.')


def make_parser():
    """Return the parser of the command line."""
    parser = cli.ArgumentParser(description=__doc__)
    parser.add_argument('--network', dest='network_pkl', default=FFHQ, metavar='PKL',
                        help=f'network file: a path, a URL or an official key (default: {FFHQ})')
    cli.add_trust_source(parser)
    parser.add_argument('--result-dir', default='results', type=cli.folder, metavar='DIR',
                        help='folder of example.png (default: results)')
    cli.add_cache_dir(parser)
    return parser


def main(argv=None):
    """Parse, check, draw."""
    args = make_parser().parse_args(argv)
    cli.use_cache_dir(args)
    submit.check_root(args.result_dir)
    pretrained_networks.check_generator(args.network_pkl, args.trust_source)
    draw(args.network_pkl, args.result_dir, args.trust_source)


if __name__ == '__main__':
    cli.run_script(main)
