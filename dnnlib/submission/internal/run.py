"""Launcher: runs the submitted function of a run directory.

Usage: python run.py RUN_DIR TASK_NAME HOST_NAME
"""

import os
import pathlib
import pickle
import sys

HERE = pathlib.Path(__file__).resolve().parent
# A copy in a run directory uses the sources beside it.
sys.path.insert(0, str(HERE / 'src' if (HERE / 'src').is_dir() else HERE.parents[2]))

from dnnlib import cli  # noqa: E402
from dnnlib.parallel import workers  # noqa: E402
from dnnlib.submission import submit  # noqa: E402


def main():
    """Run the function of the stored configuration. Raises SubmitError if it or an argument is missing."""
    if len(sys.argv) < 4:
        raise submit.SubmitError('run.py needs three arguments: run_dir task_name host_name')
    run_dir, task_name, host_name = sys.argv[1:4]
    config_path = os.path.join(run_dir, 'submit_config.pkl')
    if not os.path.isfile(config_path):
        raise submit.SubmitError(f'{config_path}: no such file; the first argument must be a run directory')
    with open(config_path, 'rb') as file:
        submit_config = pickle.load(file)
    submit.set_user_name_override(submit_config.user_name)
    submit_config.run_dir = run_dir  # as this machine sees it
    submit_config.task_name = task_name
    submit_config.host_name = host_name
    if workers.from_flags(None, None).is_first:
        with submit.alone_in(run_dir):
            submit.run_wrapper(submit_config)
    else:
        workers.follow(submit_config, submit_config.run_func_name, **submit_config.run_func_kwargs)


if __name__ == '__main__':
    cli.run_script(main)
