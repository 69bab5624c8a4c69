"""Test jobs of two tasks on a real Slurm: how they start, stop, resume and end."""

import os
import re
import signal
import time

import pytest

import dnnlib
from dnnlib.submission.slurm import target
from tests.slurm import stand_in
from tests.slurm.cluster import job_field, pid_of_task, wait_for_end, wait_until
from tests.slurm.cluster import slurm as call

COUNT = 'tests.slurm.stand_in.count'


class Job:
    """A job of two tasks that count."""

    def __init__(self, root, capsys, total_steps, seconds_per_step=0.2, **options):
        config = dnnlib.SubmitConfig()
        config.submit_target = dnnlib.SubmitTarget.SLURM
        config.local.do_not_copy_source_files = True
        config.run_dir_root = str(root)
        config.run_desc = 'count'
        config.slurm = target.TargetOptions(tasks_per_node=2, resume_script=stand_in.__file__,
                                           state_files=stand_in.STATE, straggler_seconds=5, **options)
        self.run_dir = dnnlib.submit_run(
            config, COUNT, total_steps=total_steps, seconds_per_step=seconds_per_step).run_dir
        self.job_id = re.search(r'Job (\d+) is in the queue', capsys.readouterr().out)[1]

    def log(self):
        """Return the lines of log.txt."""
        path = os.path.join(self.run_dir, 'log.txt')
        if not os.path.exists(path):
            return []
        with open(path, encoding='utf-8') as file:
            return file.read().splitlines()

    def steps(self):
        """Return the numbers of the steps in log.txt."""
        return [int(line.split()[1]) for line in self.log() if line.startswith('step ')]

    def wait_for_step(self, step):
        wait_until(lambda: self.steps()[-1:] >= [step], 120, f'step {step} of {self.run_dir}')

    def output(self):
        with open(os.path.join(self.run_dir, f'slurm-{self.job_id}.txt'), encoding='utf-8') as file:
            return file.read()


@pytest.fixture
def root(tmp_path):
    return tmp_path / "the runs, it's them"


def test_two_tasks_find_each_other_and_one_writes(root, capsys):
    job = Job(root, capsys, total_steps=3)
    wait_for_end(job.job_id)
    log = job.log()
    assert log[0].startswith(f'dnnlib: Running {COUNT}() on ') and log[-1].startswith('dnnlib: Finished')
    assert log[1:-1] == [f'step {step} of 2 tasks' for step in (1, 2, 3)]
    output = [line for line in job.output().splitlines() if 'step' in line]
    assert output == [f'0: {line}' for line in log[1:-1]]
    assert set(os.listdir(job.run_dir)) == {
        'submit_config.pkl', 'submit_config.txt', 'slurm.sh', f'slurm-{job.job_id}.txt', 'log.txt', 'run.txt',
        '_finished.txt', stand_in.STATE}


def _end(job, total_steps):
    """Check that the job resumes in its run directory and does every step exactly once."""
    wait_for_end(job.job_id, seconds=400)
    assert job.steps() == [*range(1, total_steps + 1)]
    assert os.listdir(os.path.dirname(job.run_dir)) == [os.path.basename(job.run_dir)]
    assert job_field(job.job_id, 'Restarts') != '0'
    assert any(line.startswith('resumed after start') for line in job.log())


def test_a_job_goes_on_after_its_time_limit(root, capsys):
    job = Job(root, capsys, total_steps=45, seconds_per_step=1, time='1', warning_seconds=20)
    _end(job, total_steps=45)
    assert f'job {job.job_id} goes back into the queue' in job.output()


def test_a_requeued_job_goes_on(root, capsys):
    job = Job(root, capsys, total_steps=60)
    job.wait_for_step(5)
    call('scontrol', 'requeue', job.job_id)
    _end(job, total_steps=60)


@pytest.mark.parametrize('partition', ['usual', 'grace'])
def test_a_preempted_job_goes_on(partition, root, capsys):
    job = Job(root, capsys, total_steps=60, partition=partition)
    job.wait_for_step(5)
    call('sbatch', '--partition=high', '--ntasks=2', '--output=/dev/null', '--wrap=sleep 1')
    _end(job, total_steps=60)


def test_a_job_that_is_told_to_stop_goes_on(root, capsys):
    job = Job(root, capsys, total_steps=60)
    job.wait_for_step(5)
    call('scancel', '--batch', '--signal=TERM', job.job_id)
    _end(job, total_steps=60)


def test_a_job_goes_on_after_a_task_was_killed_or_hangs(root, capsys):
    job = Job(root, capsys, total_steps=60)
    for step, signum in ((5, signal.SIGKILL), (15, signal.SIGSTOP)):
        job.wait_for_step(step)
        os.kill(pid_of_task(job.job_id, 1), signum)
    _end(job, total_steps=60)
    assert job_field(job.job_id, 'Restarts') == '2'


def test_a_cancelled_job_does_not_come_back(root, capsys):
    job = Job(root, capsys, total_steps=1000)
    job.wait_for_step(5)
    call('scancel', job.job_id)
    wait_for_end(job.job_id, 'CANCELLED')
    time.sleep(5)  # longer than a requeued job would wait
    assert job_field(job.job_id, 'JobState') == 'CANCELLED'
    assert job.steps()[-1] < 1000


def test_abort_txt_ends_a_job_for_good(root, capsys):
    job = Job(root, capsys, total_steps=1000)
    job.wait_for_step(5)
    open(os.path.join(job.run_dir, 'abort.txt'), 'w').close()
    wait_for_end(job.job_id)
    assert job_field(job.job_id, 'Restarts') == '0'
    assert job.log()[-1].startswith('dnnlib: Finished')


def test_a_job_that_ended_can_be_submitted_again_from_its_directory(root, capsys):
    job = Job(root, capsys, total_steps=40)
    job.wait_for_step(5)
    call('scancel', job.job_id)
    wait_for_end(job.job_id, 'CANCELLED')
    again = call('sbatch', '--parsable', os.path.join(job.run_dir, 'slurm.sh')).strip()
    wait_for_end(again)
    assert job.steps() == [*range(1, 41)]


def test_slurm_says_in_one_line_why_it_takes_no_job(root, capsys):
    with pytest.raises(dnnlib.util.UserError, match='^sbatch refused the job: [^\n]*partition[^\n]*$'):
        Job(root, capsys, total_steps=1, partition='nowhere')
    assert not os.path.exists(root)
