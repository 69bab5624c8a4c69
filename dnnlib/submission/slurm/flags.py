"""The flags of a script that can submit to Slurm: --submit and --slurm-*."""

import argparse
import re

from dnnlib import cli
from dnnlib.submission.slurm import target as slurm
from dnnlib.submission.submit import SubmitTarget
from dnnlib.util import UserError


def _time(text):
    try:
        slurm.limit_seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _name(text):
    if not re.fullmatch(r'[\w.,-]+', text, re.ASCII):
        raise argparse.ArgumentTypeError(f"expected a name, or several separated by commas, not '{text}'")
    return text


def _sbatch_option(text):
    if not re.fullmatch(r'--[a-z][a-z-]*(=[^\n\\]+)?', text):
        raise argparse.ArgumentTypeError(f"expected an option of sbatch such as --account=abc, not '{text}'")
    return text


# Name, type and help; defaults are those of slurm.TargetOptions.
_FLAGS = {
    'nodes': (cli.int_at_least(1), 'machines (default: 1)'),
    'tasks-per-node': (cli.int_between(1, slurm.PORTS_PER_JOB), 'processes on each machine, which train '
                       'together (default: 1)'),
    'gpus-per-node': (cli.int_at_least(0), 'GPUs of each machine, divided evenly among its processes '
                      '(default: none)'),
    'cpus-per-task': (cli.int_at_least(1), "CPU cores of each process (default: Slurm's, usually 1)"),
    'time': (_time, "time limit, such as 90 (minutes), 1:30:00 or 2-12 (days-hours) "
             "(default: the partition's)"),
    'partition': (_name, "partition, or several separated by commas (default: Slurm's)"),
    'warning-seconds': (cli.int_between(1, 65535), 'seconds before the time limit at which the job starts to '
                        'save; must cover an iteration with its snapshot and metrics (default: 120)'),
}


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add --submit and the flags of the Slurm target to a parser."""
    group = parser.add_argument_group('where to run')
    group.add_argument('--submit', default='local', choices=[target.name.lower() for target in SubmitTarget],
                       help='local = here and now; slurm = as a batch job, which requeues itself and '
                            'resumes when it is preempted or reaches its time limit (default: local)')
    for name, (value_type, text) in _FLAGS.items():
        group.add_argument(f'--slurm-{name}', type=value_type, metavar='X', help=text)
    group.add_argument('--slurm-option', action='append', type=_sbatch_option, metavar='OPTION',
                       help="another option of sbatch, such as --slurm-option='--account=abc'; "
                            "may be repeated")


def target_options(args: argparse.Namespace, **more) -> slurm.TargetOptions | None:
    """Return the options of the Slurm target from the flags and `more`; None for another target.

    Raises UserError for flags that do not go together.
    """
    values = {name.replace('-', '_'): getattr(args, 'slurm_' + name.replace('-', '_')) for name in _FLAGS}
    values['options'] = args.slurm_option
    given = {name: value for name, value in values.items() if value is not None}
    if args.submit == 'slurm':
        options = slurm.TargetOptions(**given, **more)
        options.check()
        return options
    for name in given:
        flag = 'option' if name == 'options' else name.replace('_', '-')
        raise UserError(f'--slurm-{flag} requires --submit=slurm')
    return None
