"""Resumes a run of run_projector.py in its directory."""

import os

from dnnlib.submission import submit
from dnnlib.util import UserError
from latents.projection.state_file import FILE


def resume(run_dir):
    """Continue an interrupted run. Raises UserError for any other folder and while the run is active."""
    missing = [name for name in (FILE, 'submit_config.pkl')
               if not os.path.isfile(os.path.join(run_dir, name))]
    if missing:
        raise UserError(f'--resume={run_dir}: expected the directory of an interrupted run; there is no '
                        f'{missing[0]}')
    from training.resuming import command  # loads TensorFlow
    sc = command.stored_config(run_dir)
    with submit.alone_in(run_dir):
        submit.continue_run(sc)
