"""The Slurm target: a batch script in the run directory, handed to `sbatch`.

The job requeues itself when it is preempted or reaches its time limit, and resumes from what it saved.
"""

import dataclasses
import glob
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys

from dnnlib.files import atomic_write
from dnnlib.parallel.link import REQUEUE_STATUS
from dnnlib.util import UserError

SCRIPT = 'slurm.sh'      # in the run directory
PORTS_PER_JOB = 32       # on each machine

# Options of sbatch that the script sets itself, and those that have a flag.
_OWN_OPTIONS = ('chdir', 'output', 'open-mode', 'ntasks', 'requeue', 'no-requeue', 'signal', 'array', 'wait')
_FLAG_OF_OPTION = {'nodes': 'nodes', 'ntasks-per-node': 'tasks-per-node', 'gpus-per-node': 'gpus-per-node',
                   'cpus-per-task': 'cpus-per-task', 'time': 'time', 'partition': 'partition'}

_HERE = pathlib.Path(__file__).resolve().parent


class RefusedError(UserError):
    """Slurm has refused a job."""


@dataclasses.dataclass
class TargetOptions:
    """Options of a job. None leaves the choice to Slurm."""
    nodes: int = 1
    tasks_per_node: int = 1
    gpus_per_node: int | None = None
    cpus_per_task: int | None = None
    time: str | None = None            # Time limit in the words of sbatch: 90, 1:30:00 or 2-12.
    partition: str | None = None
    warning_seconds: int = 120         # Between the request to save and the time limit.
    straggler_seconds: int = 0         # Between the end of a task and the kill of the others. 0: never.
    options: list = dataclasses.field(default_factory=list)  # More options of sbatch, such as --account=abc.
    resume_script: str | None = None   # Resumes with --resume=RUN_DIR. None: the run starts anew.
    resume_flags: list = dataclasses.field(default_factory=list)  # More flags of it.
    state_files: str = '*'             # Pattern of the files in the run directory to resume from.

    @property
    def tasks(self) -> int:
        """Number of processes that train together."""
        return self.nodes * self.tasks_per_node

    def check(self) -> None:
        """Raise UserError for options that contradict each other or the script."""
        if self.gpus_per_node and self.gpus_per_node % self.tasks_per_node != 0:
            raise UserError(f'--slurm-gpus-per-node={self.gpus_per_node} cannot be shared evenly by '
                            f'--slurm-tasks-per-node={self.tasks_per_node}')
        limit = None if self.time is None else limit_seconds(self.time)
        if limit and limit <= self.warning_seconds:
            raise UserError(f'--slurm-time={self.time}: expected more than --slurm-warning-seconds='
                            f'{self.warning_seconds}, the time for saving')
        for text in self.options:
            name = text.partition('=')[0].removeprefix('--')
            if name in _FLAG_OF_OPTION:
                raise UserError(f'--slurm-option={text}: use --slurm-{_FLAG_OF_OPTION[name]} instead')
            if name in _OWN_OPTIONS:
                raise UserError(f'--slurm-option={text}: the script sets --{name} itself; leave it out')


def limit_seconds(time: str) -> int:
    """Return the seconds of a time limit in the words of sbatch; 0 = no limit. Raises ValueError.

    Formats: minutes, minutes:seconds, hours:minutes:seconds, days-hours, days-hours:minutes and
    days-hours:minutes:seconds.
    """
    match = re.fullmatch(r'(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?', time, re.ASCII)
    if match is None:
        raise ValueError('expected a time limit such as 90 (minutes), 1:30:00 or 2-12 (days-hours), '
                         f"not '{time}'")
    days, *parts = match.groups()
    numbers = [int(part) for part in parts if part is not None]
    if days is None and len(numbers) < 3:
        numbers.insert(0, 0)  # the first one counts minutes
    hours, minutes, rest = (numbers + [0, 0])[:3]
    return ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + rest


def batch_script(submit_config) -> str:
    """Return the script for a completed configuration. It runs this interpreter in this working directory.

    Raises UserError for a path that sbatch cannot read.
    """
    lines = ['#!/bin/bash', *_directives(submit_config), '', *_variables(submit_config)]
    return '\n'.join(lines) + '\n\n' + (_HERE / 'job.sh').read_text(encoding='utf-8')


def _directives(submit_config):
    """Return the lines that sbatch reads."""
    options = submit_config.slurm
    log = os.path.join(submit_config.run_dir.replace('%', '%%'), 'slurm-%j.txt')
    lines = [
        f'--job-name={submit_config.task_name}',
        f'--chdir={_quoted(os.getcwd())}',
        f'--output={_quoted(log)}',
        '--open-mode=append',
        f'--nodes={options.nodes}',
        f'--ntasks={options.tasks}',
        f'--ntasks-per-node={options.tasks_per_node}',
    ]
    asked = {'gpus-per-node': options.gpus_per_node, 'cpus-per-task': options.cpus_per_task,
             'time': options.time, 'partition': options.partition}
    lines += [f'--{name}={value}' for name, value in asked.items() if value]
    lines += ['--requeue', f'--signal=B:USR1@{options.warning_seconds}']
    for text in options.options:
        name, equals, value = text.partition('=')
        lines.append(name + equals + (value if re.fullmatch(r'[\w.,:@%+/-]*', value) else _quoted(value)))
    return [f'#SBATCH {line}' for line in lines]


def _quoted(text):
    """Return text as one word of an #SBATCH line."""
    if '\n' in text or '\\' in text:
        raise UserError(f'{text!r}: sbatch takes no path or option with a line break or a backslash')
    return '"' + text.replace('"', '\\"') + '"'


def _variables(submit_config):
    """Return the lines that set the variables of job.sh."""
    options, run_dir = submit_config.slurm, submit_config.run_dir
    task, launcher = _HERE / 'task.py', _HERE.parent / 'internal' / 'run.py'
    if not submit_config.local.do_not_copy_source_files:
        task = os.path.join(run_dir, 'src', 'dnnlib', 'submission', 'slurm', 'task.py')
        launcher = os.path.join(run_dir, 'run.py')
    start = [sys.executable, str(launcher), run_dir, submit_config.task_name]
    resume = []
    if options.resume_script is not None:
        resume = [sys.executable, options.resume_script, f'--resume={run_dir}', *options.resume_flags]
    statuses = [REQUEUE_STATUS, 128 + signal.SIGTERM]
    # A task that exits before the others must not have them killed while they save.
    srun = ['--kill-on-bad-exit=0', f'--wait={options.straggler_seconds}', '--distribution=block']
    if options.tasks > 1:
        statuses.append(128 + signal.SIGKILL)  # srun prefers it to the status of the tasks that lost this one
        srun.append('--label')
    if options.gpus_per_node and options.tasks_per_node > 1:
        srun.append(f'--gpus-per-task={options.gpus_per_node // options.tasks_per_node}')
    return [
        f'run_dir={shlex.quote(run_dir)}',
        f'state_files={shlex.quote(options.state_files)}',
        f'requeue_statuses=({" ".join(map(str, statuses))})',
        f'start=({shlex.join(start)} "$SLURMD_NODENAME")',
        f'resume=({shlex.join(resume)})',
        f'task=({shlex.join([sys.executable, str(task)])})',
        f'srun_options=({shlex.join(srun)})',
    ]


def check(submit_config) -> None:
    """Raise UserError if a job of this configuration cannot be submitted from here."""
    submit_config.slurm.check()
    if shutil.which('sbatch') is None:
        raise UserError('--submit=slurm: sbatch was not found; submit from a machine of the cluster')


def finalize_submit_config(submit_config, run_dir: str) -> None:
    """Set the run directory, as every machine sees it."""
    submit_config.run_dir = os.path.abspath(run_dir)


def submit(submit_config, shown_run_dir: str, run) -> None:
    """Hand the script to sbatch, and print the number of the job and its directory. `run` is not used.

    Raises RefusedError with the message of sbatch if Slurm refuses the job.
    """
    path = os.path.join(submit_config.run_dir, SCRIPT)
    with atomic_write(path, 'w') as file:
        file.write(batch_script(submit_config))
    result = subprocess.run(['sbatch', '--parsable', path], capture_output=True, text=True)
    job = re.search(r'^\d+', result.stdout, re.MULTILINE)
    if job is None:  # whatever the status: a job that exists must not lose its directory
        lines = [re.sub(r'^sbatch: (error: |fatal: )?', '', line).strip()
                 for line in result.stderr.splitlines()]
        reasons = '; '.join(line for line in lines if line) or f'status {result.returncode}'
        raise RefusedError(f'sbatch refused the job: {reasons}')
    print(f'Slurm submit - run_dir: {shown_run_dir}')
    print(f'Job {job[0]} is in the queue; abort.txt in its run_dir ends it.')


def resume(submit_config, state_path: str | None = None, dry_run: bool = False) -> None:
    """Submit a job that resumes the run in its directory, or only print its script.

    state_path: the state that was asked for; jobs resume from the newest. Raises UserError for another one or
    if abort.txt has ended the run, and as `check` and `submit` do.
    """
    shown_run_dir = submit_config.run_dir
    run_dir = submit_config.run_dir = os.path.abspath(shown_run_dir)
    states = glob.glob(os.path.join(glob.escape(run_dir), submit_config.slurm.state_files))
    if state_path is not None and os.path.abspath(state_path) != max(states):
        raise UserError(f'--resume={state_path}: a job resumes from the newest state; remove the later ones')
    if dry_run:
        print(batch_script(submit_config), end='')
        return
    check(submit_config)
    abort = os.path.join(shown_run_dir, 'abort.txt')
    if os.path.exists(abort):
        raise UserError(f'{abort}: this file ended the run; remove it to resume')
    submit(submit_config, shown_run_dir, None)
