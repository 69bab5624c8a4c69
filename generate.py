"""Generate images from seeds, latents or projected dlatents, as StyleGAN2-ADA's script of this name does."""

import script_start  # noqa: F401  (must come first)

# isort: split
import os

import pretrained_networks
from dnnlib import cli, faults
from latents import from_files
from latents.commands import ada

# TensorFlow takes seconds to load: the function that draws imports `generation`, which needs it.


@faults.described()
def generate_images(network_pkl, seeds, truncation_psi, outdir, class_idx=None, dlatents=None, noises=None,
                    trust_source=False, latents=None):
    """Write `seed<NNNN>.png` for every seed or, if `seeds` is None, `dlatent<NN>.png` for every dlatent in
    the file `dlatents` or `latent<NN>.png` for every z in the file `latents`, with the noise in the file
    `noises` (None = that of the network)."""
    from training import generation
    noises = None if noises is None else [noises]
    print(f'Loading networks from "{network_pkl}"...')
    Gs = pretrained_networks.load_generator(network_pkl, trust_source)
    os.makedirs(outdir, exist_ok=True)
    if seeds is not None:
        named_images = generation.images_of_seeds(Gs, seeds, truncation_psi, class_idx)
    elif latents is not None:
        named_images = from_files.images_of_latents(Gs, [latents], truncation_psi, class_idx, noises)
    else:
        named_images = from_files.images(Gs, None, [dlatents], noises)
    for name, image in named_images:
        path = generation.save_images(image, name, folder=outdir)
        if seeds is None:
            print(f'Saved {path}')


def make_parser():
    """Return the parser of the command line."""
    parser = cli.ArgumentParser(description=__doc__)
    ada.add_published(parser)
    add = parser.add_mutually_exclusive_group(required=True).add_argument
    add('--seeds', type=cli.number_range, metavar='RANGE', help="random seeds, such as '1-5' or '1,2,7'")
    add('--dlatents', metavar='FILE',
        help='dlatents.npz of projector.py, or w and w+ of others: .npz, .npy or .pt')
    add('--latents', metavar='FILE', help='latents z [N,size]: .npz, .npy or .pt')
    ada.add_class(parser)
    own = parser.add_argument_group('flags beyond the published ones')
    own.add_argument('--noises', metavar='FILE',
                     help='noise of a projection (default: projected_noises.npz beside --dlatents or, '
                          "without such a file, the network's own)")
    cli.add_trust_source(own)
    cli.add_cache_dir(own)
    return parser


def main(argv=None):
    """Parse the arguments, check them and draw."""
    cli.call_with_flags(make_parser(), argv, ada.check_generate, generate_images)


if __name__ == '__main__':
    cli.run_script(main)
