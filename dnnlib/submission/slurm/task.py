"""What srun starts for every task: sets TF_CONFIG, then becomes the command.

Usage: srun python task.py COMMAND [ARGUMENT ...]
"""

import json
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3]))

from dnnlib import cli  # noqa: E402
from dnnlib.submission.slurm.target import PORTS_PER_JOB  # noqa: E402
from dnnlib.util import UserError  # noqa: E402

FIRST_PORT = 12000  # The ports of all jobs lie below those that systems assign to outgoing connections.
PORT_RANGES = 640


def tf_config(environ, hosts: list[str]) -> dict | None:
    """Return the TF_CONFIG of a task of srun, from its environment and the names of the job's machines.

    Tasks are workers in the order of their ranks. The ports follow from the number of the job, so that jobs
    on the same machine do not collide. None for the only task of a job.
    """
    if int(environ['SLURM_NTASKS']) == 1:
        return None
    first = FIRST_PORT + int(environ['SLURM_JOB_ID']) % PORT_RANGES * PORTS_PER_JOB
    counts = []
    for count, times in re.findall(r'(\d+)(?:\(x(\d+)\))?', environ['SLURM_STEP_TASKS_PER_NODE']):
        counts += [int(count)] * int(times or 1)  # '2(x3),1' -> [2, 2, 2, 1]
    workers = [f'{host}:{first + local}' for host, count in zip(hosts, counts, strict=True)
               for local in range(count)]
    return {'cluster': {'worker': workers},
            'task': {'type': 'worker', 'index': int(environ['SLURM_PROCID'])}}


def host_names(node_list: str) -> list[str]:
    """Expand a list of machines by scontrol: 'n[1-2,7]' -> ['n1', 'n2', 'n7']."""
    command = ['scontrol', 'show', 'hostnames', node_list]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()


def main():
    """Replace this process by the command. Raises UserError outside a task or without a command."""
    command = sys.argv[1:]
    if not command or 'SLURM_STEP_NODELIST' not in os.environ:
        raise UserError('task.py needs a command, and srun to start it')
    environ = {name: value for name, value in os.environ.items() if name != 'TF_CONFIG'}
    config = tf_config(environ, host_names(environ['SLURM_STEP_NODELIST']))
    if config is not None:
        environ['TF_CONFIG'] = json.dumps(config)
    os.execvpe(command[0], command, environ)


if __name__ == '__main__':
    cli.run_script(main)
