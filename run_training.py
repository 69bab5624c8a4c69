"""Train StyleGAN2, StyleGAN or Progressive GAN on a data set of TFRecords."""

import script_start  # noqa: F401  (before all that takes time to load)

# isort: split
import argparse
import json
import os

import dnnlib
from dnnlib import cli, trust, workers
from dnnlib.submission import slurm, slurm_flags, submit
from dnnlib.util import EasyDict, UserError, get_obj_by_name, is_url
from metrics.metric_defaults import metric_defaults
from training.configs import CONFIGS, PRESETS
from training.run_settings import MAY_CHANGE, OWN_FLAGS, given, run_settings

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

  # Go on with the newest run in results/ where it stopped, to 50000 kimg
  python run_training.py --resume=latest --total-kimg=50000

valid configs:
  {configs}

presets of the earlier papers:
  {presets}

valid metrics:
  {metrics}
"""

NOT_GIVEN = object()  # in place of the value of a flag

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
    add('--data-dir', metavar='DIR', help='folder that holds the data sets; required for a new run')
    add('--dataset', type=cli.folder_name,
        help='name of the data set, a folder in --data-dir; required for a new run')
    add('--config', metavar='CONFIG',
        help='training configuration, such as config-f; required for a new run')
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
    own = parser.add_argument_group(
        'flags beyond the published ones', 'A run that goes on (--resume) has the settings that it was '
        f'started with. These may change: --{", --".join(MAY_CHANGE)}.')
    own.add_argument('-n', '--dry-run', action='store_true',
                     help='print all settings as JSON, or the script for --submit=slurm, and leave')
    own.add_argument('--trust-source', action='store_true',
                     help='run the source text in the file of --resume for networks that are not known here')
    own.add_argument('--workers', type=cli.comma_list, metavar='LIST',
                     help='addresses host:port,... of processes that train together, each with --num-gpus '
                     'devices; the first one writes (default: those in TF_CONFIG)')
    own.add_argument('--worker-index', type=cli.int_at_least(0), metavar='N',
                     help='which of --workers this process is, from 0 on')
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
    parser = make_parser()
    args = parser.parse_args(argv)
    group = workers.from_flags(args.workers, args.worker_index)
    if args.resume is not None:
        from training import resume  # loads TensorFlow
        run = resume.find_run(args.resume, args.result_dir)
        if run is not None:
            go_on(run, parser, argv, group)
            return
    missing = [f'--{name}' for name in ('data-dir', 'dataset', 'config') if given(args, name) is None]
    if missing:
        parser.error(f'the following arguments are required: {", ".join(missing)}')
    validate(args)
    metrics, reason = choose_metrics(args) if group.is_first else ([], None)
    sc = dnnlib.SubmitConfig()
    sc.num_gpus = args.num_gpus
    sc.submit_target = dnnlib.SubmitTarget[args.submit.upper()]
    sc.slurm = slurm_options(args)
    num_processes = group.count if sc.slurm is None else sc.slurm.tasks
    settings = run_settings(args, [metric_defaults[name] for name in metrics], num_processes)
    sc.local.do_not_copy_source_files = True
    sc.run_dir_root = args.result_dir
    sc.run_desc = run_desc(args.config, args.dataset, args.num_gpus)
    if args.dry_run:
        print_settings(sc, settings)
        return
    if 'resume_pkl' in settings:
        print(f'Only the weights of the networks come from {settings["resume_pkl"]}: the optimizers, the '
              'order of the data, the random numbers and all running means start afresh.')
    if reason is not None:
        print(f'Training goes on without the default metric, fid50k: {reason}.')
    if args.trust_source:
        trust.remember_file(settings['resume_pkl'])
    settings = {key: EasyDict(value) if isinstance(value, dict) else value for key, value in settings.items()}
    (dnnlib.submit_run if group.is_first else workers.follow)(sc, RUN_FUNC, **settings)


def slurm_options(args):
    """Options of the target Slurm, None for another target."""
    return slurm_flags.target_options(
        args, resume_script=os.path.abspath(__file__), state_files='training-state-*')


def run_desc(config, dataset, num_gpus):
    """Description of a run."""
    desc = RUN_DESC.get(config, 'stylegan2-{dataset}-{num_gpus}gpu-{config}')
    return desc.format(config=config, dataset=dataset, num_gpus=num_gpus)


def go_on(run, parser, argv, group):
    """Go on with a run, with the changes that the command line asks for."""
    from training import resume
    args = parser.parse_args(argv)
    not_given = argparse.Namespace(**dict.fromkeys(vars(args), NOT_GIVEN))
    flags = {name.replace('_', '-'): value for name, value in vars(parser.parse_args(argv, not_given)).items()
             if value is not NOT_GIVEN}
    metrics = choose_metrics(args)[0] if 'metrics' in flags and group.is_first else []
    sc = resume.settings_with(run, flags, [metric_defaults[name] for name in metrics], run_desc)
    sc.submit_target = dnnlib.SubmitTarget[args.submit.upper()]
    sc.slurm = slurm_options(args)
    if args.dry_run:
        print_settings(sc, sc.run_func_kwargs)
    elif sc.slurm is not None:
        slurm.check(sc)
        slurm.submit(sc, sc.run_dir, None)
    elif group.is_first:
        resume.go_on(run, sc)
    else:
        workers.follow(sc, sc.run_func_name, **sc.run_func_kwargs)


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
