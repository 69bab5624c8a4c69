"""The command line of `benchmarks/xla_on_gpu.py export`."""

from dnnlib import cli
from dnnlib.files import create_folder

STEPS = ('generate', 'G', 'D', 'G-reg', 'D-reg')
PRECISIONS = ('float32', 'tf32', 'mixed')


def make_parser():
    """Build the command-line parser."""
    parser = cli.ArgumentParser(
        prog='xla_on_gpu.py export',
        description='Write compiled steps of config F in the form for GPUs as files.')
    add = parser.add_argument
    add('folder', type=cli.folder, metavar='FOLDER', help='where a folder for each step is created')
    add('--resolution', type=_list_of(cli.power_of_two), default=[256, 1024],
        help='one or more, separated by commas (default: 256,1024)')
    add('--steps', type=cli.some_of(*STEPS), default=list(STEPS),
        help=f"some of {','.join(STEPS)} (default: all)")
    add('--precision', type=cli.some_of(*PRECISIONS), default=list(PRECISIONS),
        help=f"some of {','.join(PRECISIONS)} (default: all)")
    add('--images', type=_list_of(cli.int_at_least(1)), default=[1, 8, 32],
        help='minibatches of generation (default: 1,8,32)')
    add('--minibatch', type=cli.int_at_least(1), default=4,
        help='minibatch of training (default: 4, as published for each GPU)')
    add('--fmap-base', type=cli.int_at_least(1), default=16 << 10,
        help='width of the networks (default: that of config F)')
    add('--fmap-max', type=cli.int_at_least(1), default=512, help='limit of it (default: that of config F)')
    add('--no-expected', dest='with_expected', action='store_false',
        help='do not compute the results on this CPU, which takes long at 1024x1024; see run --compare-cpu')
    return parser


def _list_of(kind):
    return lambda text: [kind(word) for word in text.split(',')]


def export(argv):
    """Run the command line."""
    cli.run_script(lambda: _export(make_parser().parse_args(argv)))


def _export(args):
    create_folder(args.folder)
    from benchmarks.hlo import export, steps  # these load TensorFlow
    work = [(step, steps.Size(resolution, minibatch, args.fmap_base, args.fmap_max))
            for resolution in args.resolution for step in args.steps
            for minibatch in (args.images if step == steps.GENERATION else [args.minibatch])]
    for number, (step, size) in enumerate(work, 1):
        print(f'[{number}/{len(work)}] {step} {size.resolution}x{size.resolution}, '
              f'minibatch {size.minibatch}', flush=True)
        for path in export.write(args.folder, step, size, args.precision, args.with_expected):
            print(f'    {path}', flush=True)
