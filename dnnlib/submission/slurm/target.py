"""The Slurm target: a batch script in the run directory, handed to `sbatch`.

The job comes back by itself when it is preempted or reaches its time limit, and goes on from what it saved.
"""

import dataclasses
import glob
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys

from dnnlib.parallel.link import REQUEUE_STATUS
from dnnlib.util import UserError, atomic_write

SCRIPT = 'slurm.sh'      # in the run directory
FIRST_PORT = 12000       # All ports of jobs lie below those that systems give to outgoing connections.
PORTS_PER_JOB = 32       # on each machine
PORT_RANGES = 640

# Options of sbatch that the script needs for itself, or that have a place of their own.
_OWN_OPTIONS = ('chdir', 'output', 'open-mode', 'ntasks', 'requeue', 'no-requeue', 'signal', 'array', 'wait')
_FLAG_OF_OPTION = {'nodes': 'nodes', 'ntasks-per-node': 'tasks-per-node', 'gpus-per-node': 'gpus-per-node',
                   'cpus-per-task': 'cpus-per-task', 'time': 'time', 'partition': 'partition'}

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # dnnlib/submission

_JOB = r'''
# Back into the queue, unless the user has cancelled the job or wants the run to end.
requeue() {
  if [[ -e $run_dir/abort.txt ]]; then
    echo 'slurm: abort.txt ends the run.'
    return
  fi
  case $(job) in
    *' JobState=RUNNING '* | *' Reason=TimeLimit '* | *' PreemptTime='[0-9]*)
      echo "slurm: job $SLURM_JOB_ID goes back into the queue."
      scontrol requeue "$SLURM_JOB_ID" ;;
  esac
}

job() {
  scontrol show job --oneliner "$SLURM_JOB_ID"
}

# Asks the tasks of a running job to save and leave; not by way of srun, which would kill them. If Slurm is
# ending the job, it has asked them, and this shell may not outlive them.
on_signal() {
  signals=$((signals + 1))
  if [[ $(job) == *' JobState=RUNNING '* ]]; then
    scancel --signal=TERM "$SLURM_JOB_ID"
  else
    requeue
  fi
}
signals=0
trap on_signal USR1 TERM

command=("${start[@]}")
if [[ ${#resume[@]} -gt 0 && -n $(find "$run_dir" -maxdepth 1 -name "$state_files" -print -quit) ]]; then
  command=("${resume[@]}")
fi

# Since Slurm 22.05, srun does not take this number from the job.
if [[ -n ${SLURM_CPUS_PER_TASK:-} ]]; then
  export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK
fi

srun "${srun_options[@]}" "${task[@]}" "${command[@]}" &
seen=-1
while (( seen != signals )); do  # a signal cuts the wait short
  seen=$signals
  wait $!
  status=$?
done
if (( status != 0 && signals > 0 )) || [[ " ${requeue_statuses[*]} " == *" $status "* ]]; then
  requeue
fi
exit $status
'''


class RefusedError(UserError):
    """A job that Slurm does not take."""


@dataclasses.dataclass
class TargetOptions:
    """What a job asks of Slurm, and how it goes on after a stop. None leaves the choice to Slurm."""
    nodes: int = 1
    tasks_per_node: int = 1
    gpus_per_node: int | None = None
    cpus_per_task: int | None = None
    time: str | None = None            # As sbatch reads it, such as 90, 1:30:00 or 2-12.
    partition: str | None = None
    warning_seconds: int = 120         # From the request to save to the time limit.
    straggler_seconds: int = 0         # From the end of the first task to the death of all. 0: none.
    options: list = dataclasses.field(default_factory=list)  # More for sbatch, such as --account=abc.
    resume_script: str | None = None   # Goes on for --resume=RUN_DIR. None: every start is a first one.
    resume_flags: list = dataclasses.field(default_factory=list)  # More flags for it.
    state_files: str = '*'             # Pattern of the files in the run directory that it can go on from.

    @property
    def tasks(self) -> int:
        """Processes that train together."""
        return self.nodes * self.tasks_per_node

    def check(self) -> None:
        """Raise UserError for options that no job can have."""
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
                raise UserError(f'--slurm-option={text}: the script decides about --{name}; leave it out')


def limit_seconds(time: str) -> int:
    """Length of a time limit as sbatch reads it: minutes, minutes:seconds, hours:minutes:seconds, days-hours,
    days-hours:minutes or days-hours:minutes:seconds. 0 is no limit. ValueError for anything else."""
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
    """The text of the script that runs a completed configuration, with the interpreter and in the working
    directory of this process. Raises UserError for a path that cannot stand in it."""
    lines = ['#!/bin/bash', *_directives(submit_config), '', *_variables(submit_config)]
    return '\n'.join(lines) + '\n' + _JOB


def _directives(submit_config):
    """The lines that sbatch reads."""
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
    lines += [_option(text) for text in options.options]
    return [f'#SBATCH {line}' for line in lines]


def _quoted(text):
    """As one word of an #SBATCH line."""
    if '\n' in text or '\\' in text:
        raise UserError(f'{text!r}: sbatch takes no path or option with a line break or a backslash')
    return '"' + text.replace('"', '\\"') + '"'


def _option(text):
    name, equals, value = text.partition('=')
    return name + equals + (value if re.fullmatch(r'[\w.,:@%+/-]*', value) else _quoted(value))


def _variables(submit_config):
    """The lines that tell the rest of the script what to run."""
    options, run_dir = submit_config.slurm, submit_config.run_dir
    package, launcher = _PACKAGE, os.path.join(_PACKAGE, 'internal', 'run.py')
    if not submit_config.local.do_not_copy_source_files:
        package = os.path.join(run_dir, 'src', 'dnnlib', 'submission')
        launcher = os.path.join(run_dir, 'run.py')
    resume = []
    if options.resume_script is not None:
        resume = [sys.executable, options.resume_script, f'--resume={run_dir}', *options.resume_flags]
    start = [sys.executable, launcher, run_dir, submit_config.task_name]
    return [
        f'run_dir={shlex.quote(run_dir)}',
        f'state_files={shlex.quote(options.state_files)}',
        f'requeue_statuses=({" ".join(map(str, _requeue_statuses(options)))})',
        f'start=({shlex.join(start)} "$SLURMD_NODENAME")',
        f'resume=({shlex.join(resume)})',
        f"task=({shlex.join([sys.executable, os.path.join(package, 'slurm', 'task.py')])})",
        f'srun_options=({shlex.join(_srun_options(options))})',
    ]


def _requeue_statuses(options):
    # For srun, a killed task counts more than the others, which have lost it.
    killed = [128 + signal.SIGKILL] if options.tasks > 1 else []
    return [REQUEUE_STATUS, 128 + signal.SIGTERM, *killed]


def _srun_options(options):
    # A task that leaves before the others must not have them killed while they save.
    result = ['--kill-on-bad-exit=0', f'--wait={options.straggler_seconds}', '--distribution=block']
    if options.tasks > 1:
        result.append('--label')
    if options.gpus_per_node and options.tasks_per_node > 1:
        result.append(f'--gpus-per-task={options.gpus_per_node // options.tasks_per_node}')
    return result


def check(submit_config) -> None:
    """Raise UserError if a job of this configuration cannot be submitted from here."""
    submit_config.slurm.check()
    if shutil.which('sbatch') is None:
        raise UserError('--submit=slurm: there is no sbatch here; submit from a machine of the cluster')


def finalize_submit_config(submit_config, run_dir: str) -> None:
    """Set the run's directory, as every machine sees it."""
    submit_config.run_dir = os.path.abspath(run_dir)


def submit(submit_config, shown_run_dir: str, run) -> None:
    """Hand the script to sbatch, and say which job it became and where it writes. `run` is what jobs call.

    Raises RefusedError with what sbatch said if Slurm does not take the job.
    """
    path = os.path.join(submit_config.run_dir, SCRIPT)
    with atomic_write(path, 'w') as file:
        file.write(batch_script(submit_config))
    result = subprocess.run(['sbatch', '--parsable', path], capture_output=True, text=True)
    job = re.search(r'^\d+', result.stdout, re.MULTILINE)
    if job is None:  # whatever the status: only a job that does not exist may lose its directory
        raise RefusedError(f'sbatch refused the job: {_reasons(result)}')
    print(f'Slurm submit - run_dir: {shown_run_dir}')
    print(f'Job {job[0]} is in the queue; abort.txt in its run_dir ends it.')


def _reasons(result):
    """What sbatch said, in one line."""
    lines = [re.sub(r'^sbatch: (error: |fatal: )?', '', line).strip() for line in result.stderr.splitlines()]
    return '; '.join(line for line in lines if line) or f'status {result.returncode}'


def go_on(submit_config, state_path: str | None = None, dry_run: bool = False) -> None:
    """Submit a job that goes on with the run in its directory, or print its script only.

    state_path: the state that was asked for; jobs go on from the newest. Raises UserError if it is another
    one or abort.txt has ended the run, and as `check` and `submit` do.
    """
    shown_run_dir = submit_config.run_dir
    run_dir = submit_config.run_dir = os.path.abspath(shown_run_dir)
    states = glob.glob(os.path.join(glob.escape(run_dir), submit_config.slurm.state_files))
    if state_path is not None and os.path.abspath(state_path) != max(states):
        raise UserError(f'--resume={state_path}: a job goes on from the newest state; remove those that come '
                        'after this one')
    if dry_run:
        print(batch_script(submit_config), end='')
        return
    check(submit_config)
    abort = os.path.join(shown_run_dir, 'abort.txt')
    if os.path.exists(abort):
        raise UserError(f'{abort}: this file ended the run; remove it to go on')
    submit(submit_config, shown_run_dir, None)


def tf_config(environ, hosts: list[str]) -> dict | None:
    """TF_CONFIG of a task of srun, from its environment and the names of the job's machines.

    Tasks are workers, in the order of their ranks. The ports follow from the job's number, so that neighbours
    on a machine do not meet. None if the task is the only one.
    """
    if int(environ['SLURM_NTASKS']) == 1:
        return None
    first = FIRST_PORT + int(environ['SLURM_JOB_ID']) % PORT_RANGES * PORTS_PER_JOB
    counts = _tasks_per_node(environ['SLURM_STEP_TASKS_PER_NODE'])
    workers = [f'{host}:{first + local}' for host, count in zip(hosts, counts, strict=True)
               for local in range(count)]
    return {'cluster': {'worker': workers},
            'task': {'type': 'worker', 'index': int(environ['SLURM_PROCID'])}}


def _tasks_per_node(text):
    """'2(x3),1' -> [2, 2, 2, 1]"""
    counts = []
    for count, times in re.findall(r'(\d+)(?:\(x(\d+)\))?', text):
        counts += [int(count)] * int(times or 1)
    return counts


def host_names(node_list: str) -> list[str]:
    """'n[1-2,7]' -> ['n1', 'n2', 'n7'], by scontrol."""
    command = ['scontrol', 'show', 'hostnames', node_list]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
