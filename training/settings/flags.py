"""The flags of run_training.py and their checks."""

import argparse
import os

from dnnlib import cli
from dnnlib.submission import submit
from dnnlib.submission.slurm import flags
from dnnlib.util import UserError, is_url
from training.data import data_flags, folders
from training.settings import ada_flags
from training.settings.configs import CONFIGS, PRESETS
from training.settings.from_flags import MAY_CHANGE, OWN_FLAGS

EXAMPLES = """examples:

  # Train config F on FFHQ with 8 GPUs, as in the paper
  python run_training.py --num-gpus=8 --data-dir=datasets --config=config-f \\
    --dataset=ffhq --mirror-augment=true

  # Print the settings of StyleGAN as in its paper
  python run_training.py --num-gpus=8 --data-dir=datasets --config=stylegan \\
    --dataset=ffhq --mirror-augment=true --dry-run

  # Train a narrow network on Fashion-MNIST on a CPU
  python run_training.py --data-dir=datasets --dataset=fashion-mnist --config=config-f --metrics=none \\
    --gamma=0.01 --fmap-base=512 --fmap-max=64 --minibatch-size=16 --minibatch-gpu=16 --total-kimg=100

  # Train config F on few images, with adaptive augmentation
  python run_training.py --data-dir=datasets --dataset=mydata --config=config-f --aug=ada

  # Resume the newest run in results/, and train it to 50000 kimg
  python run_training.py --resume=latest --total-kimg=50000

valid configs:
  {configs}

presets of the earlier papers:
  {presets}

configs of StyleGAN2-ADA, which augment what the discriminator sees:
  {ada}

valid metrics:
  {metrics}
"""


def make_parser(description, metrics):
    """Return the parser of the command line. metrics: the names of all metrics."""
    epilog = EXAMPLES.format(configs='\n  '.join(CONFIGS), presets='\n  '.join(PRESETS),
                             ada='\n  '.join(ada_flags.CONFIGS),
                             metrics='\n  '.join([*sorted(metrics), 'none']))
    parser = cli.ArgumentParser(
        description=description, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('--result-dir', default='results', type=cli.folder, metavar='DIR',
        help='folder of the run directories (default: results)')
    data_flags.add_flags(parser, 'required for a new run')
    add('--config', metavar='CONFIG',
        help='training configuration, such as config-f; required for a new run')
    add('--num-gpus', default=1, type=cli.int_at_least(1), metavar='N',
        help='number of GPUs (or CPU devices), which share the minibatch (default: 1)')
    add('--total-kimg', type=cli.int_at_least(0), metavar='KIMG',
        help='length of the training in thousands of real images (default: 25000; progan: 12000)')
    add('--gamma', type=cli.float_at_least(0), help="weight of R1 (default: the config's)")
    add('--mirror-augment', default=False, type=cli.boolean, metavar='BOOL',
        help='mirror real images at random (default: false)')
    add('--metrics', type=cli.comma_list, metavar='LIST',
        help="metrics to evaluate at network snapshots, separated by commas, or 'none' (default: fid50k, "
             'if its feature network is available)')
    flags.add_flags(parser)
    own = parser.add_argument_group(
        'flags beyond the published ones', 'A resumed run keeps the settings that it was started with. '
        f'These may change: --{", --".join(MAY_CHANGE)}.')
    own.add_argument('-n', '--dry-run', action='store_true',
                     help='print all settings as JSON and the memory that the training will take, or the '
                     'script of --submit=slurm, and exit')
    add_shared(own, gpus='--num-gpus')
    for name, (value_type, default, text, _) in OWN_FLAGS.items():
        own.add_argument(f'--{name}', help=f'{text} (default: {default})', **cli.kind(value_type))
    return parser


def add_shared(group, gpus):
    """Add the flags that train.py has as well to a group. gpus: its flag for the number of devices."""
    add = group.add_argument
    add('--trust-source', action='store_true',
        help='run the source text in the file of --resume for networks that are unknown here')
    cli.add_cache_dir(group)
    add('--workers', type=cli.comma_list, metavar='LIST',
        help=f'addresses host:port,... of processes that train together, each with {gpus} devices; the first '
        'one writes all files (default: those in TF_CONFIG)')
    add('--worker-index', type=cli.int_at_least(0), metavar='N',
        help='index of this process in --workers, starting at 0')
    add('--xla', choices=('on', 'off', 'auto'),
        help='compile whole training steps with XLA; auto is off: on CPUs XLA is slower, and on GPUs it has '
             'not been measured (default: auto)')
    add('--report', nargs='?', const=True, type=cli.boolean, metavar='BOOL',
        help='write report.html, a page of curves and pictures, into the run directory at every network '
        'snapshot (default: false)')


def those_given(parser, argv):
    """Return {name: value} of the flags on a command line, without defaults. A path in --dataset is divided
    into --data-dir and --dataset."""
    flags = data_flags.given(parser, argv)
    if os.path.dirname(flags.get('dataset', '')):
        flags['data-dir'], flags['dataset'], _ = data_flags.place(flags.get('data-dir'), flags['dataset'])
    return flags


def validate(args):
    """Complete --data-dir and --dataset, and raise UserError for flags of a new run that the parser accepts
    and that cannot be used."""
    submit.check_root(args.result_dir)
    if args.data_dir is not None and not os.path.isdir(args.data_dir):
        raise UserError(f'--data-dir={args.data_dir}: dataset root directory does not exist.')
    args.data_dir, args.dataset, _ = data_flags.place(args.data_dir, args.dataset)
    configs = [*CONFIGS, *PRESETS, *ada_flags.CONFIGS]
    if args.config not in configs:
        raise UserError(f'--config value must be one of:  {", ".join(configs)}')
    folders.require(args.data_dir, dataset=args.dataset)
    if args.trust_source and (args.resume is None or is_url(args.resume)):
        raise UserError('--trust-source: expected the file or run directory to trust in --resume')
    if args.resume_with_new_nets and args.resume is None:
        raise UserError('--resume-with-new-nets: expected --resume=FILE, whose variables are copied')
