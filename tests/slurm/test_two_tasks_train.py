"""Test two processes that train one network on a real Slurm. When one is killed, the job is requeued and
resumes."""

import glob
import os
import signal

import pytest

from tests.slurm.cluster import job_field, pid_of_task, wait_for_end, wait_until
from tests.slurm.trainings import submit, ticks

pytest.importorskip('dnnlib.parallel.workers', reason='training by several processes is not in this version')


def test_two_tasks_train_and_go_on_after_one_was_killed(data_dir, tmp_path):
    run_dir, job_id = submit(data_dir, tmp_path / 'runs', '--total-kimg=1', '--slurm-tasks-per-node=2')
    wait_until(lambda: glob.glob(f'{run_dir}/training-state-*'), 1200, 'a state')
    os.kill(pid_of_task(job_id, 1), signal.SIGKILL)
    wait_for_end(job_id, seconds=1200)
    assert job_field(job_id, 'Restarts') == '1'
    assert os.listdir(tmp_path / 'runs') == [os.path.basename(run_dir)]
    with open(f'{run_dir}/slurm-{job_id}.txt', encoding='utf-8') as file:
        assert '0: Error: worker 1 (' in file.read()
    numbers, kimg = zip(*ticks(run_dir), strict=True)
    assert [*numbers] == [*range(len(numbers))], 'no tick is left out or done twice'
    assert kimg[-1] == 1.0
    assert os.path.exists(os.path.join(run_dir, 'network-final.pkl'))
