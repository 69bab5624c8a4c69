"""What srun starts for every task: it tells TensorFlow of the others, then becomes the command.
Usage: srun python task.py COMMAND [ARGUMENT ...]"""

import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3]))

from dnnlib import cli  # noqa: E402
from dnnlib.submission.slurm import target  # noqa: E402
from dnnlib.util import UserError  # noqa: E402


def main():
    """Replace this process by the command. Raises UserError outside of a task or without a command."""
    command = sys.argv[1:]
    if not command or 'SLURM_STEP_NODELIST' not in os.environ:
        raise UserError('task.py needs a command, and srun to start it')
    environ = {name: value for name, value in os.environ.items() if name != 'TF_CONFIG'}
    tf_config = target.tf_config(environ, target.host_names(environ['SLURM_STEP_NODELIST']))
    if tf_config is not None:
        environ['TF_CONFIG'] = json.dumps(tf_config)
    os.execvpe(command[0], command, environ)


if __name__ == '__main__':
    cli.run_script(main)
