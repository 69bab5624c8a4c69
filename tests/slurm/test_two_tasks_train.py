"""Two processes train one network on a real Slurm, are sent back into the queue, and go on to the end."""

import glob
import os

import pytest

from tests.slurm.cluster import job_field, slurm, wait_for_end, wait_until
from tests.slurm.trainings import submit, ticks

pytest.importorskip('dnnlib.workers', reason='training by several processes is not in this version')


def test_two_tasks_train_and_go_on_after_a_requeue(data_dir, tmp_path):
    run_dir, job_id = submit(data_dir, tmp_path / 'runs', '--total-kimg=1', '--slurm-tasks-per-node=2')
    wait_until(lambda: glob.glob(f'{run_dir}/training-state-*'), 500, 'a state')
    slurm('scontrol', 'requeue', job_id)
    wait_for_end(job_id, seconds=500)
    assert job_field(job_id, 'Restarts') == '1'
    assert os.listdir(tmp_path / 'runs') == [os.path.basename(run_dir)]
    kimg = ticks(run_dir)
    assert kimg == sorted(set(kimg)) and kimg[-1] == 1.0
    assert os.path.exists(os.path.join(run_dir, 'network-final.pkl'))
