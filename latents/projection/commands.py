"""The commands of run_projector.py. Only the checks of data sets and features load TensorFlow."""

import os

from dnnlib import cli
from dnnlib.submission import run_dirs
from dnnlib.util import UserError
from latents import video_files
from latents.commands.command import Command, check_seeds
from latents.projection.image_files import ImageFiles
from training.data import data_flags, folders
from training.misc import pickles

FEATURES = ('lpips', 'lite0', 'pixels')
SPACES = ('w', 'w+')


def _add_common(parser):
    add = parser.add_argument
    add('--num-snapshots', type=cli.int_at_least(0), default=5, metavar='N',
        help='number of pictures of the optimization (default: 5)')
    add('--features', choices=FEATURES, default='lpips',
        help='what is compared: lpips, which needs the published vgg16_zhang_perceptual.pkl; lite0 = feature '
             'maps of EfficientNet-Lite0; pixels (default: lpips)')
    add('--space', choices=SPACES, default='w',
        help='w = one dlatent vector for all layers; w+ = one per layer: closer images, which are harder to '
             'edit (default: w)')
    add('--num-steps', type=cli.int_at_least(1), default=1000, metavar='N',
        help='number of optimization steps (default: 1000)')
    add('--minibatch-size', type=cli.int_at_least(1), default=1, metavar='N',
        help='number of images that are projected together (default: 1)')
    add('--video', action='store_true', help='write a video of the optimization of every image')


def _add_generated(parser):
    parser.add_argument('--seeds', type=cli.number_range, default=[0, 1, 2], metavar='RANGE',
                        help="random seeds, such as '1-5' or '1,2,7' (default: 0,1,2)")
    _add_common(parser)


def _add_real(parser):
    data_flags.add_flags(parser, 'required')
    parser.add_argument('--num-images', type=cli.int_at_least(1), default=3, metavar='N',
                        help='number of images, from the first on (default: 3)')
    _add_common(parser)


def _add_files(parser):
    parser.add_argument('--images', required=True, metavar='PATH',
                        help='image file, or folder or zip file of images, of any size and format')
    _add_common(parser)


def _check_generated(args):
    check_seeds(args.seeds)


def _check_real(args):
    args.data_dir, args.dataset_name, _ = data_flags.place(args.data_dir, args.dataset)
    del args.dataset
    folders.require(args.data_dir, dataset=args.dataset_name)


def _check_files(args):
    if not args.images:
        raise UserError('--images: expected the path of an image, or of a folder or zip file of images')
    args.images = os.path.abspath(args.images)
    ImageFiles(args.images)


def check_network(args, Gs):
    """Raise UserError for a network without W or whose images are not those of the data set, and for
    features that are not available."""
    if Gs.is_generator and not Gs.num_styles:
        raise UserError(f'{args.network_pkl}: this network maps no latents to W, into which images are '
                        'projected')
    from latents.projection.distances import FEATURES as distances  # loads TensorFlow
    distances[args.features].require()
    if 'dataset_name' in args:
        _check_data(args, Gs)


def _check_data(args, Gs):
    from training import dataset  # loads TensorFlow
    path = os.path.join(args.data_dir, args.dataset_name)
    shape, _ = dataset.shapes_in(path)
    own_shape = [Gs.num_channels, *(Gs.image_shape or [])]
    if Gs.is_generator and Gs.image_shape and shape != own_shape:
        raise UserError(f'{args.network_pkl}: generates images {own_shape}, but those of the data set are '
                        f'{shape}')
    if dataset.num_images_in(path) < args.num_images:
        raise UserError(f'--num-images={args.num_images}: the data set has {dataset.num_images_in(path)}')


def _command(name, help, function, add_arguments, check, psi=None):
    return Command(name, help, f'run_projector.{function}', add_arguments, check, check_network, psi)


ALL = {command.name: command for command in (
    _command('project-generated-images', 'project images that the network generates from seeds',
             'project_generated_images', _add_generated, _check_generated, psi=1.0),
    _command('project-real-images', 'project images of a data set', 'project_real_images', _add_real,
             _check_real),
    _command('project-images', 'project image files', 'project_images', _add_files, _check_files),
)}


def check_ada(args):
    """Raise UserError for arguments of projector.py that its parser accepts and that cannot be fulfilled."""
    run_dirs.check_root(args.outdir)
    pickles.check_path(args.network_pkl)
    if not os.path.isfile(args.target_fname):
        raise UserError(f'--target={args.target_fname}: no such file; expected an image')
    ImageFiles(args.target_fname)
    if args.save_video and video_files.default_suffix() != '.mp4':
        raise UserError("--save-video: MP4 needs PyAV (pip install 'av>=14'); --save-video=false does "
                        'without it')
    check_network(args, pickles.check_generator(args.network_pkl, args.trust_source))
