"""What run_training.py and train.py submit, and how they show it."""

import json
import re

import dnnlib
from dnnlib.util import get_obj_by_name

RUN_FUNC = 'training.training_loop.training_loop'


def valid_desc(desc):
    """Return a description of a run in the characters that names of run directories have."""
    return re.sub(r'[^\w.-]', '-', desc, flags=re.ASCII)


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
