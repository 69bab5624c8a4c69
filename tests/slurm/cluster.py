"""Run Slurm on one machine, in a separate folder, with daemons that the tests start."""

import contextlib
import getpass
import os
import pathlib
import shutil
import socket
import subprocess
import time

PROGRAMS = ('munged', 'slurmctld', 'slurmd', 'sbatch', 'srun', 'scontrol', 'scancel', 'squeue', 'sinfo')
MISSING = ('These tests start a Slurm of their own and miss {}. On Debian or Ubuntu, as root: '
           'apt-get install slurm-wlm munge, or: make test-slurm')

FINAL_STATES = ('COMPLETED', 'CANCELLED', 'FAILED', 'TIMEOUT', 'PREEMPTED', 'NODE_FAIL')

# Requeued jobs wait until credentials expire, and for the next scheduling pass (bf_interval). Jobs in the
# partition `high` preempt those in the others. In `grace`, preempted jobs get GraceTime seconds to save their
# state.
CONF = '''\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld_port}
SlurmdPort={slurmd_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerParameters=bf_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=10
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=localhost NodeHostname={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=usual Nodes=ALL Default=YES MaxTime=INFINITE PriorityTier=1 PreemptMode=REQUEUE
PartitionName=grace Nodes=ALL MaxTime=INFINITE PriorityTier=1 PreemptMode=REQUEUE GraceTime=20
PartitionName=high Nodes=ALL MaxTime=INFINITE PriorityTier=10 PreemptMode=OFF
'''


def missing_programs() -> list[str]:
    """Return the programs that are not installed."""
    return [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]


def wait_until(condition, seconds: float, what: str):
    """Wait until `condition()` is true and return its value. Raises AssertionError with `what` after
    `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f'not within {seconds} seconds: {what}'
        time.sleep(0.2)
    return value


@contextlib.contextmanager
def running(folder: pathlib.Path):
    """Run a cluster and point the environment of this process to it."""
    for name in ('state', 'spool'):
        (folder / name).mkdir()
    key = folder / 'munge.key'
    key.write_bytes(os.urandom(1024))
    key.chmod(0o600)
    conf = folder / 'slurm.conf'
    ctld_port, slurmd_port = _free_ports(2)
    conf.write_text(CONF.format(host=socket.gethostname().split('.')[0], user=getpass.getuser(),
                                folder=folder, ctld_port=ctld_port, slurmd_port=slurmd_port))
    kept = {name: os.environ.get(name) for name in ('SLURM_CONF', 'PATH')}
    os.environ.update(SLURM_CONF=str(conf), PATH=_path())
    try:
        with contextlib.ExitStack() as daemons:
            for command in _daemons(folder, conf):
                daemons.enter_context(_daemon(folder, command))
            wait_until(_is_idle, 60, f'an idle machine; see {folder}/*.log')
            yield
            slurm('scancel', f'--user={getpass.getuser()}')
            wait_until(lambda: not slurm('squeue', '--noheader'), 60, 'the end of all jobs')
    finally:
        for name, value in kept.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _is_idle():
    return slurm('sinfo', '--noheader', '--format=%T', check=False).split()[:1] == ['idle']


def _daemons(folder, conf):
    files = {'socket': 'socket', 'key-file': 'key', 'log-file': 'munged.log', 'pid-file': 'pid',
             'seed-file': 'seed'}
    munge = [f'--{option}={folder}/munge.{name}' for option, name in files.items()]
    return [['munged', '--foreground', '--force', *munge],
            ['slurmctld', '-D', '-f', str(conf)],
            ['slurmd', '-D', '-f', str(conf)]]


@contextlib.contextmanager
def _daemon(folder, command):
    with open(folder / f'{command[0]}.log', 'wb') as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield
        finally:
            process.terminate()
            process.wait(timeout=600)


def _path():
    """Return the PATH with the folders of daemons, which not every user has."""
    return os.pathsep.join([os.environ['PATH'], '/usr/local/sbin', '/usr/sbin'])


def _free_ports(count):
    with contextlib.ExitStack() as sockets:
        bound = [sockets.enter_context(socket.socket()) for _ in range(count)]
        for each in bound:
            each.bind(('127.0.0.1', 0))
        return [each.getsockname()[1] for each in bound]


def slurm(*command: str, check: bool = True) -> str:
    """Run one of Slurm's programs and return its output."""
    return subprocess.run(command, check=check, capture_output=True, text=True).stdout


def job_field(job_id: str, name: str) -> str:
    """Return a field, such as JobState, of `scontrol show job`."""
    words = slurm('scontrol', 'show', 'job', '--oneliner', job_id).split()
    return next(word.partition('=')[2] for word in words if word.startswith(f'{name}='))


def pid_of_task(job_id: str, index: int) -> int:
    """Return the process id of a task of a running job."""
    lines = slurm('scontrol', 'listpids', f'{job_id}.0').splitlines()[1:]
    return next(int(pid) for pid, _, _, local_id, *_ in map(str.split, lines) if local_id == str(index))


def wait_for_end(job_id: str, state: str = 'COMPLETED', seconds: float = 600) -> None:
    """Wait until a job has ended. Raises AssertionError if its final state is another one."""
    wait_until(lambda: job_field(job_id, 'JobState') in FINAL_STATES, seconds, f'the end of job {job_id}')
    assert job_field(job_id, 'JobState') == state
