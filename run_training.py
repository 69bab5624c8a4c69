"""Train StyleGAN2, StyleGAN or Progressive GAN on a data set of TFRecords."""

import argparse
import json
import os

import dnnlib
from dnnlib import cli, trust
from dnnlib.submission import slurm_flags, submit
from dnnlib.util import EasyDict, UserError, get_obj_by_name, is_url
from metrics.metric_defaults import metric_defaults
from training.configs import CONFIGS, PRESETS
from training.run_settings import OWN_FLAGS, run_settings

EXAMPLES = """examples:

  # Train config F on FFHQ with 8 GPUs, as in the paper
  python run_training.py --num-gpus=8 --data-dir=datasets --config=config-f \\
    --dataset=ffhq --mirror-augment=true

  # Train StyleGAN as in its paper, and see the settings first
  python run_training.py --num-gpus=8 --data-dir=datasets --config=stylegan \
    --dataset=ffhq --mirror-augment=true --dry-run

  # Train a narrow network on Fashion-MNIST on a CPU
  python run_training.py --data-dir=datasets --dataset=fashion-mnist --config=config-f --metrics=none \\
    --gamma=0.01 --fmap-base=512 --fmap-max=64 --minibatch-size=16 --minibatch-gpu=16 --total-kimg=100

valid configs:
  {configs}

presets of the earlier papers:
  {presets}

valid metrics:
  {metrics}
"""

RUN_FUNC = 'training.training_loop.training_loop'
RUN_DESC = {'stylegan': 'sgan-{dataset}-{num_gpus}gpu', 'progan': 'pgan-{dataset}-{num_gpus}gpu'}


def make_parser():
    """The command line."""
    metrics = [*sorted(metric_defaults), 'none']
    epilog = EXAMPLES.format(configs='\n  '.join(CONFIGS), presets='\n  '.join(PRESETS),
                             metrics='\n  '.join(metrics))
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('--result-dir', default='results', metavar='DIR',
        help='folder of the run directories (default: results)')
    add('--data-dir', required=True, metavar='DIR', help='folder that holds the data sets')
    add('--dataset', required=True, type=cli.folder_name, help='name of the data set, a folder in --data-dir')
    add('--config', required=True, metavar='CONFIG', help='training configuration, such as config-f')
    add('--num-gpus', default=1, type=cli.int_at_least(1), metavar='N',
        help='number of GPUs or, on a machine without, of CPU devices; divides the minibatch (default: 1)')
    add('--total-kimg', type=cli.int_at_least(0), metavar='KIMG',
        help='length, in thousands of real images shown (default: 25000; progan: 12000)')
    add('--gamma', type=cli.float_at_least(0), help="weight of R1 (default: the config's)")
    add('--mirror-augment', default=False, type=cli.boolean, metavar='BOOL',
        help='mirror real images at random (default: false)')
    add('--metrics', type=cli.comma_list, metavar='LIST',
        help="metrics to evaluate at network snapshots, separated by commas, or 'none' (default: fid50k, "
             'if its feature network is at hand)')
    slurm_flags.add_flags(parser)
    own = parser.add_argument_group('flags beyond the published ones')
    own.add_argument('-n', '--dry-run', action='store_true',
                     help='print all settings as JSON, or the script for --submit=slurm, and leave')
    own.add_argument('--trust-source', action='store_true',
                     help='run the source text in the file of --resume for networks that are not known here')
    for name, (value_type, default, text, _) in OWN_FLAGS.items():
        own.add_argument(f'--{name}', type=value_type, metavar='X', help=f'{text} (default: {default})')
    return parser


def validate(args):
    """Raise UserError for what the parser cannot see."""
    if not os.path.exists(args.data_dir):
        raise UserError(f'--data-dir={args.data_dir}: dataset root directory does not exist.')
    if args.config not in (*CONFIGS, *PRESETS):
        raise UserError(f'--config value must be one of:  {", ".join([*CONFIGS, *PRESETS])}')
    for metric in args.metrics or []:
        if metric not in metric_defaults:
            known = ', '.join([*sorted(metric_defaults), 'none'])
            raise UserError(f"unknown metric '{metric}'; --metrics takes {known}")
    if not os.path.isdir(os.path.join(args.data_dir, args.dataset)):
        raise UserError(f'--dataset={args.dataset}: there is no such folder in {args.data_dir}; '
                        'create it with dataset_tool.py')
    if args.trust_source and (args.resume is None or is_url(args.resume)):
        raise UserError('--trust-source: expected a file or a run directory in --resume, to which trust is '
                        'given')


def choose_metrics(args):
    """-> names of the metrics, why the default is not among them (None if it is or nobody wants it).

    Raises UserError for a metric that is asked for and cannot be evaluated.
    """
    if args.metrics == [] or (args.metrics and args.dry_run):
        return args.metrics, None
    from metrics import availability  # loads TensorFlow
    if args.metrics is None:
        reason = availability.missing(['fid50k'])
        return ['fid50k'] if reason is None else [], reason
    availability.require(args.metrics)
    return args.metrics, None


def main(argv=None):
    """Parse, check, submit."""
    args = make_parser().parse_args(argv)
    validate(args)
    metrics, reason = choose_metrics(args)
    settings = run_settings(args, [metric_defaults[name] for name in metrics])
    sc = dnnlib.SubmitConfig()
    sc.num_gpus = args.num_gpus
    sc.submit_target = dnnlib.SubmitTarget[args.submit.upper()]
    sc.slurm = slurm_flags.target_options(
        args, resume_script=os.path.abspath(__file__), state_files='training-state-*')
    sc.local.do_not_copy_source_files = True
    sc.run_dir_root = args.result_dir
    sc.run_desc = RUN_DESC.get(args.config, 'stylegan2-{dataset}-{num_gpus}gpu-{config}').format(**vars(args))
    if args.dry_run:
        print_settings(sc, settings)
        return
    if reason is not None:
        print(f'Training goes on without the default metric, fid50k: {reason}.')
    if args.trust_source:
        trust.remember_file(settings['resume_pkl'])
    settings = {key: EasyDict(value) if isinstance(value, dict) else value for key, value in settings.items()}
    dnnlib.submit_run(sc, RUN_FUNC, **settings)


def print_settings(sc, settings):
    """Print what would run: the script for Slurm, or all settings, defaults included, as JSON."""
    if sc.submit_target == dnnlib.SubmitTarget.SLURM:
        print(submit.slurm_script(sc, RUN_FUNC), end='')
        return
    from training.resolved_settings import resolved  # loads TensorFlow
    print(json.dumps({
        'run_func_name': RUN_FUNC, 'run_dir_root': sc.run_dir_root, 'run_desc': sc.run_desc,
        'num_gpus': sc.num_gpus, 'settings': resolved(get_obj_by_name(RUN_FUNC), settings)}, indent=2))


if __name__ == '__main__':
    cli.run_script(main)
