"""Test the information about other tasks that each task of a Slurm job receives."""

import json
import os
import subprocess
import sys

from dnnlib.submission.slurm import task

TWO_BY_TWO = {'SLURM_JOB_ID': '643', 'SLURM_NTASKS': '3', 'SLURM_STEP_TASKS_PER_NODE': '2,1',
              'SLURM_STEP_NODELIST': 'n[1-2]', 'SLURM_PROCID': '2'}


def test_every_task_is_a_worker_at_its_rank():
    assert task.tf_config(TWO_BY_TWO, ['n1', 'n2']) == {
        'cluster': {'worker': ['n1:12096', 'n1:12097', 'n2:12096']},
        'task': {'type': 'worker', 'index': 2}}
    four = {**TWO_BY_TWO, 'SLURM_NTASKS': '4', 'SLURM_STEP_TASKS_PER_NODE': '1(x3),1'}
    assert task.tf_config(four, list('abcd'))['cluster']['worker'] == [f'{host}:12096' for host in 'abcd']


def test_a_task_alone_has_no_tf_config():
    assert task.tf_config({**TWO_BY_TWO, 'SLURM_NTASKS': '1'}, ['n1']) is None


def test_jobs_that_follow_each_other_do_not_share_ports():
    full = {'SLURM_NTASKS': '32', 'SLURM_STEP_TASKS_PER_NODE': '32', 'SLURM_PROCID': '0'}
    ports = []
    for job_id in range(1000, 1000 + task.PORT_RANGES):
        config = task.tf_config({**full, 'SLURM_JOB_ID': str(job_id)}, ['n'])
        ports += [int(address.split(':')[1]) for address in config['cluster']['worker']]
    assert len(set(ports)) == len(ports)
    assert min(ports) > 1024 and max(ports) < 32768


def _task(*command, **environ):
    return subprocess.run([sys.executable, task.__file__, *command], capture_output=True, text=True,
                          env={**os.environ, 'TF_CONFIG': 'of the submit', **environ})


def test_a_task_becomes_its_command_with_a_tf_config(tmp_path, monkeypatch):
    scontrol = tmp_path / 'scontrol'
    scontrol.write_text('#!/bin/sh\n[ "$*" = "show hostnames n[1-2]" ] && echo n1 && echo n2\n')
    scontrol.chmod(0o755)
    monkeypatch.setenv('PATH', str(tmp_path), prepend=os.pathsep)
    show = [sys.executable, '-c', 'import os; print(os.environ.get("TF_CONFIG")); raise SystemExit(75)']
    result = _task(*show, **TWO_BY_TWO)
    assert result.returncode == 75, result.stderr
    assert json.loads(result.stdout) == task.tf_config(TWO_BY_TWO, ['n1', 'n2'])
    assert _task(*show, **{**TWO_BY_TWO, 'SLURM_NTASKS': '1'}).stdout == 'None\n'


def test_a_task_outside_of_srun_explains_itself():
    result = _task('true')
    assert (result.returncode, result.stderr.count('\n')) == (2, 1)
    assert 'needs a command, and srun to start it' in result.stderr
