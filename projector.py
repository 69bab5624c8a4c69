"""Project an image into the latent space of a network, as StyleGAN2-ADA's script of this name does."""

import script_start  # noqa: F401  (must come first)

# isort: split

from dnnlib import cli
from latents.projection import commands


def __getattr__(name):
    """Return the published class, projector.Projector, whose module loads TensorFlow."""
    if name == 'Projector':
        from latents.projection.projector import Projector
        return Projector
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def project(network_pkl, target_fname, outdir, save_video, seed, features='lpips', trust_source=False):
    """Write target.png, proj.png, dlatents.npz, projected_noises.npz and, with `save_video`, proj.mp4 to a
    folder."""
    from latents.projection import ada
    ada.project(network_pkl, target_fname, outdir, save_video, seed, features, trust_source)


def make_parser():
    """Return the parser of the command line."""
    parser = cli.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add('--network', dest='network_pkl', required=True, metavar='PKL',
        help='network file: a path, a URL or the key of a published one')
    add('--target', dest='target_fname', required=True, metavar='FILE', help='image to project')
    add('--outdir', required=True, type=cli.folder, metavar='DIR', help='folder of the results')
    add('--save-video', type=cli.boolean, default=True, metavar='BOOL',
        help='write proj.mp4, a video of the optimization (default: true)')
    add('--seed', type=cli.seed, default=303, metavar='N', help='random seed (default: 303)')
    own = parser.add_argument_group('flags beyond the published ones')
    own.add_argument('--features', choices=commands.FEATURES, default='lpips',
                     help='what is compared (default: lpips)')
    cli.add_trust_source(own)
    cli.add_cache_dir(own)
    return parser


def main(argv=None):
    """Parse the arguments, check them and project."""
    cli.call_with_flags(make_parser(), argv, commands.check_ada, project)


if __name__ == '__main__':
    cli.run_script(main)
