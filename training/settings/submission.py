"""What run_training.py and train.py submit, and how they show it."""

import json
import re
import sys

import dnnlib
from dnnlib import cli
from dnnlib.parallel import workers
from dnnlib.util import call_func_by_name, get_obj_by_name

RUN_FUNC = 'training.training_loop.training_loop'


def valid_desc(desc):
    """Return a description of a run in the characters that names of run directories have."""
    return re.sub(r'[^\w.-]', '-', desc, flags=re.ASCII)


def parsed(parser, argv):
    """Parse a command line and apply what must be known before all else. -> arguments, Workers.

    Raises UserError for --report without its packages.
    """
    args = parser.parse_args(argv)
    cli.use_cache_dir(args)
    if args.report:
        call_func_by_name(func_name='reports.report.require')  # which nothing else needs
    return args, workers.from_flags(args.workers, args.worker_index)


def resume(run, sc, is_dry_run, is_first):
    """Resume a run with a SubmitConfig, or print its settings. is_first: is this the process that writes?"""
    from training.resuming import command  # loads TensorFlow
    if is_dry_run:
        print_resolved(sc, sc.run_func_kwargs)
        show_memory(sc.run_func_kwargs, sc.num_gpus)
    elif is_first:
        command.resume(run, sc)
    else:
        workers.follow(sc, sc.run_func_name, **sc.run_func_kwargs)


def config(num_gpus, run_dir_root, run_desc):
    """Return the SubmitConfig of a new run on this machine."""
    sc = dnnlib.SubmitConfig()
    sc.num_gpus = num_gpus
    sc.run_dir_root = run_dir_root
    sc.run_desc = valid_desc(run_desc)
    sc.local.do_not_copy_source_files = True
    return sc


def print_resolved(sc, settings):
    """Print all settings with their defaults as JSON."""
    from training.settings.resolved import resolved  # loads TensorFlow
    print(json.dumps({
        'run_func_name': RUN_FUNC, 'run_dir_root': sc.run_dir_root, 'run_desc': sc.run_desc,
        'num_gpus': sc.num_gpus, 'settings': resolved(get_obj_by_name(RUN_FUNC), settings)}, indent=2))


def show_memory(settings, num_gpus, flag='--minibatch-gpu'):
    """Print to stderr how much memory a training will take; stdout is for what programs read.

    flag: what the user gives the minibatch of a device with.
    """
    from training.memory_plan import report  # loads TensorFlow
    report.show(settings, num_gpus, sys.stderr, flag)
