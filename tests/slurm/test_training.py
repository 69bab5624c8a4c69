"""Test run_training.py --submit=slurm on a real Slurm, with tiny networks and one process."""

import os
import re
import subprocess

from tests.slurm.cluster import job_field, slurm, wait_for_end, wait_until
from tests.slurm.trainings import run_training, submit, ticks


def test_a_training_runs_to_its_end(data_dir, tmp_path):
    run_dir, job_id = submit(data_dir, tmp_path / 'runs', '--total-kimg=1', '--slurm-time=30')
    wait_for_end(job_id, seconds=900)
    assert ticks(run_dir)[-1][1] == 1.0
    assert set(os.listdir(run_dir)) >= {
        'slurm.sh', f'slurm-{job_id}.txt', 'log.txt', 'run.txt', '_finished.txt', 'network-final.pkl'}


def test_abort_txt_ends_a_training_for_good(data_dir, tmp_path):
    run_dir, job_id = submit(data_dir, tmp_path / 'runs', '--total-kimg=1000')
    wait_until(lambda: len(ticks(run_dir)) > 1, 900, 'two ticks')
    open(os.path.join(run_dir, 'abort.txt'), 'w').close()
    wait_for_end(job_id, seconds=600)
    assert job_field(job_id, 'Restarts') == '0'
    assert os.path.exists(os.path.join(run_dir, 'network-final.pkl'))


def test_what_slurm_refuses_is_one_line_and_status_2(data_dir, tmp_path):
    result = run_training(data_dir, f'--result-dir={tmp_path}/runs', '--submit=slurm', '--total-kimg=1',
                          '--slurm-partition=nowhere')
    assert result.returncode == 2
    assert re.fullmatch('Error: sbatch refused the job: .*partition.*', result.stderr.splitlines()[-1])
    assert not os.path.exists(tmp_path / 'runs')


def test_a_dry_run_submits_nothing(data_dir, tmp_path):
    result = run_training(data_dir, f'--result-dir={tmp_path}/runs', '--submit=slurm', '--dry-run')
    assert subprocess.run(['bash', '-n'], input=result.stdout, text=True).returncode == 0
    assert '#SBATCH --requeue\n' in result.stdout
    assert not os.path.exists(tmp_path / 'runs') and slurm('squeue', '--noheader') == ''
