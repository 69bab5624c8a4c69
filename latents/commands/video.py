"""The commands of run_generator.py for videos: walks through latents, and the progress of a training."""

import math

from dnnlib import cli
from dnnlib.util import UserError
from latents import dlatent_files, from_files, video_files
from latents.commands.command import Command, check_has_styles, check_output, check_seeds
from training.settings import picture_requests

MAX_SECONDS = 3600
NOISE_MODES = ('const', 'random', 'none')  # In the words of stylegan2-ada-pytorch.


def _add_file(parser, stem, fps):
    parser.add_argument('--fps', type=cli.float_between(0.1, 240), default=fps, metavar='N',
                        help=f'frames per second (default: {fps})')
    parser.add_argument('--crf', type=cli.int_between(1, 51), metavar='N',
                        help='quality of MP4 as a constant rate factor, from 1 (best) to 51 (default: '
                             f'{video_files.DEFAULT_CRF})')
    parser.add_argument('--output', default=None, metavar='NAME',
                        help='name of the file in the run directory, whose suffix sets the format: '
                             f'{", ".join(video_files.FORMATS)} (default: {stem}.mp4, or .webp without PyAV)')
    parser.set_defaults(stem=stem)


def _check_file(args):
    """Set args.output to its default. Raises UserError unless the file can be written."""
    stem = vars(args).pop('stem')
    if args.output is None:
        args.output = stem + video_files.default_suffix()
    check_output(args.output)
    video_files.check(args.output, args.fps)
    if args.crf is not None and not args.output.lower().endswith('.mp4'):
        raise UserError(f'--crf={args.crf}: only MP4 has a constant rate factor; leave out --crf, or choose '
                        '--output=NAME.mp4')


def _add_walk(parser):
    parser.add_argument('--seeds', type=cli.number_range, metavar='RANGE',
                        help="seeds of the waypoints, such as '1-5' or '1,2,7', or of the random walks in Z")
    parser.add_argument('--projected-w', type=cli.comma_list, metavar='FILE,...',
                        help='projected dlatents as waypoints before those of the seeds: projected_w.npz, '
                             'dlatents.npz, w and w+ of others as .npz, .npy or .pt, or folders, whose '
                             '*projected_w.npz are taken')
    parser.add_argument('--latents', type=cli.comma_list, metavar='FILE,...',
                        help='latents z [N,size] as waypoints between these and the seeds: .npz, .npy or .pt')
    parser.add_argument('--walk', choices=('w', 'z'), default='w',
                        help='w: a smooth closed loop through the waypoints in W; z: random latents that are '
                             'smoothed over time, as in the videos of Progressive GAN (default: w)')
    parser.add_argument('--grid', type=cli.columns_by_rows, metavar='WxH',
                        help='walks side by side, W columns by H rows; the waypoints are dealt to the cells '
                             'in order, equally many to each (default: 1x1)')
    length = parser.add_mutually_exclusive_group()
    length.add_argument('--seconds', type=cli.float_between(0.01, MAX_SECONDS), metavar='S',
                        help='length per waypoint in W (default: 2), or of the whole walk in Z (default: 20)')
    length.add_argument('--frames', type=cli.int_between(1, cli.MAX_NUMBERS), metavar='N',
                        help='the same, in frames')
    parser.add_argument('--smoothing', type=cli.float_between(0.01, MAX_SECONDS), metavar='S',
                        help='standard deviation of the smoothing in Z in seconds (default: 1)')
    parser.add_argument('--classes', type=cli.comma_list, metavar='NAME|N,...',
                        help='classes that the video visits one after the other, between which labels are '
                             'interpolated (default: --class throughout)')
    parser.add_argument('--fixed-layers', type=cli.number_range, metavar='RANGE',
                        help='layers whose styles come from --fixed-seed throughout (default: none)')
    parser.add_argument('--fixed-seed', type=cli.seed, metavar='SEED', help='seed of these styles')
    parser.add_argument('--truncation-cutoff', type=cli.int_at_least(0), metavar='N',
                        help='truncate only the first N layers (default: all)')
    parser.add_argument('--noise-mode', choices=NOISE_MODES, default='const',
                        help="const: the network's noise in every frame; random: new noise in every frame; "
                             'none (default: const)')
    _add_file(parser, 'video', fps=30)


def _check_walk(args):
    _check_file(args)
    if args.seeds:
        check_seeds(args.seeds)
    args.projected_w = from_files.files_in('--projected-w', args.projected_w or [],
                                              from_files.PATTERNS['projected_w'])
    if (args.fixed_layers is None) != (args.fixed_seed is None):
        raise UserError('--fixed-layers and --fixed-seed go together')
    if args.classes and args.class_idx is not None:
        raise UserError('--class and --classes: choose one of them')
    num_cells = math.prod(args.grid or (1, 1))
    if args.walk == 'z':
        _check_z(args, num_cells)
    else:
        _check_w(args, num_cells)
    if args.classes:
        args.class_idx = args.classes[0]  # which `Command` replaces by its number


def _check_z(args, num_cells):
    if args.projected_w:
        raise UserError('--projected-w: projected dlatents are in W; leave out --walk=z')
    if args.latents:
        raise UserError('--latents: random walks in Z start from seeds; leave out --walk=z')
    if len(args.seeds or []) != num_cells:
        raise UserError(f'--walk=z: expected --seeds with one seed for each random walk, {num_cells} in all, '
                        f'not {len(args.seeds or [])}')


def _check_w(args, num_cells):
    if args.smoothing is not None:
        raise UserError('--smoothing: only walks in Z are smoothed; add --walk=z')
    num_waypoints = len(args.seeds or []) + sum(len(dlatent_files.read(path)) for path in args.projected_w)
    num_waypoints += sum(len(dlatent_files.read_latents(path)) for path in args.latents or [])
    if num_waypoints < 1 or num_waypoints % num_cells:
        raise UserError(f'expected --seeds or --projected-w with a multiple of {num_cells} waypoints, the '
                        f'same number for each cell of --grid, not {num_waypoints}')
    if num_waypoints == num_cells and len(args.classes or []) < 2:
        raise UserError('expected --seeds or --projected-w with at least two waypoints for each walk')


def _check_walk_network(args, Gs):
    if args.classes:
        others = [picture_requests.number_of_class(text, args.network_pkl, Gs.label_size)
                  for text in args.classes[1:]]
        args.classes = [args.class_idx, *others]
    if not Gs.is_generator:
        return
    for number in args.classes or []:
        picture_requests.check_class(number, Gs.label_size)
    if args.walk == 'w' and not Gs.num_styles:
        raise UserError(f'{args.network_pkl}: this network has no W to walk in; use --walk=z')
    if args.fixed_layers:
        check_has_styles(args, Gs)
        picture_requests.check_layers(args.fixed_layers, Gs.num_styles, '--fixed-layers')
    for path in args.projected_w:
        dlatent_files.check_fit(path, dlatent_files.read(path), Gs)
    for path in args.latents or []:
        dlatent_files.check_fit_of_latents(path, dlatent_files.read_latents(path), Gs.latent_size)
    if Gs.image_shape:
        columns, rows = args.grid or (1, 1)
        picture_requests.check_grid(columns, rows, Gs.image_shape)
        video_files.check_size(args.output, Gs.image_shape[0] * rows, Gs.image_shape[1] * columns)


def _add_progress(parser):
    parser.add_argument('run_dir', metavar='RUN_DIR', help='directory of a training run, with its fakes*.png')
    parser.add_argument('--hold', type=cli.float_between(0, MAX_SECONDS), default=2, metavar='S',
                        help='how long the last picture stays, in seconds (default: 2)')
    parser.add_argument('--max-size', type=cli.int_between(16, 16383), default=1920, metavar='N',
                        help='larger pictures are reduced to this number of pixels along the longer side '
                             '(default: 1920)')
    _add_file(parser, 'training', fps=10)


def _check_progress(args):
    from latents.videos import training_progress
    _check_file(args)
    training_progress.pictures_of(args.run_dir)


COMMANDS = (
    Command('video', 'draw a video of a walk through the latents of a network', 'latents.videos.drawing.draw',
            _add_walk, _check_walk, _check_walk_network),
    Command('training-video', 'make a video of the pictures that a training run has written',
            'latents.videos.training_progress.draw', _add_progress, _check_progress, psi=None,
            needs_network=False),
)
