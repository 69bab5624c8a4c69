"""Test the target Slurm: the batch script, how it reacts to a stop, and the environment of its tasks.

The programs of Slurm are stand-ins here. tests/slurm tests with a real Slurm.
"""

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import dnnlib
import run_training
from dnnlib import cli, util
from dnnlib.submission import submit
from dnnlib.submission.internal import local
from dnnlib.submission.slurm import target, task
from training.data.export import TFRecordExporter

THIS = 'tests.test_submission_slurm'
HANGS = 600  # Seconds after which an expected event counts as missing.
RUNNING = 'JobId=7 JobState=RUNNING Reason=None PreemptTime=None Comment='

pytestmark = pytest.mark.skipif(shutil.which('bash') is None, reason='batch scripts are run by bash')


def announce(word):
    print(word, dnnlib.submit_config.run_dir)


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Return a function that adds a bash script to the PATH as a program. Calls are logged in the file
    `calls`."""
    folder = tmp_path / 'bin'
    folder.mkdir()
    (folder / 'calls').touch()
    monkeypatch.setenv('PATH', str(folder), prepend=os.pathsep)

    def add(name, text=''):
        path = folder / name
        path.write_text(f'#!/bin/bash\necho "{name} $*" >> {folder}/calls\n{text}\n')
        path.chmod(0o755)
    add.calls = lambda: (folder / 'calls').read_text().splitlines()
    return add


@pytest.fixture
def config(tmp_path):
    """Return a configuration for Slurm with the root `tmp_path/my runs`."""
    submit_config = dnnlib.SubmitConfig()
    submit_config.submit_target = dnnlib.SubmitTarget.SLURM
    submit_config.run_dir_root = str(tmp_path / 'my runs')
    submit_config.run_desc = 'desc'
    submit_config.user_name = 'user'
    submit_config.local.do_not_copy_source_files = True
    submit_config.slurm = target.TargetOptions()
    return submit_config


def _directives(script):
    lines = [line.removeprefix('#SBATCH ') for line in script.splitlines() if line.startswith('#SBATCH ')]
    return dict(line.partition('=')[::2] for line in lines)


def test_the_script_asks_for_what_the_options_say(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config.slurm = target.TargetOptions(
        nodes=2, tasks_per_node=4, gpus_per_node=8, cpus_per_task=6, time='2-12', partition='gpu,long',
        warning_seconds=300, options=['--account=abc', '--exclusive', '--comment=it\'s "mine"'])
    script = submit.slurm_script(config, f'{THIS}.announce')
    assert script.startswith('#!/bin/bash\n#SBATCH ')
    assert _directives(script) == {
        '--job-name': 'user-00000-desc', '--chdir': f'"{tmp_path}"',
        '--output': f'"{tmp_path}/my runs/00000-desc/slurm-%j.txt"', '--open-mode': 'append',
        '--nodes': '2', '--ntasks': '8', '--ntasks-per-node': '4', '--gpus-per-node': '8',
        '--cpus-per-task': '6', '--time': '2-12', '--partition': 'gpu,long', '--requeue': '',
        '--signal': 'B:USR1@300', '--account': 'abc', '--exclusive': '', '--comment': '"it\'s \\"mine\\""'}
    assert '--label --gpus-per-task=2' in script
    assert not os.path.exists(config.run_dir_root)


def test_what_is_left_to_slurm_is_not_asked_for(config):
    script = submit.slurm_script(config, f'{THIS}.announce')
    asked = {'--gpus-per-node', '--cpus-per-task', '--time', '--partition'}
    assert not asked & set(_directives(script))
    assert '--gpus-per-task' not in script and '--label' not in script


def test_a_percent_sign_in_the_path_of_the_log_stays_one(config, tmp_path):
    config.run_dir_root = str(tmp_path / '100%j')
    assert '/100%%j/00000-desc/slurm-%j.txt"' in submit.slurm_script(config, f'{THIS}.announce')


def test_a_path_that_sbatch_cannot_take_is_refused(config, tmp_path):
    config.run_dir_root = str(tmp_path / 'a\nb')
    with pytest.raises(util.UserError, match='line break or a backslash'):
        submit.slurm_script(config, f'{THIS}.announce')


def test_a_job_is_submitted_from_its_run_directory(config, programs, capsys):
    programs('sbatch', 'echo "41;cluster"')
    done = dnnlib.submit_run(config, f'{THIS}.announce', word='hello')
    run_dir = os.path.join(config.run_dir_root, '00000-desc')
    assert done.run_dir == run_dir
    assert set(os.listdir(run_dir)) == {'submit_config.pkl', 'submit_config.txt', 'slurm.sh'}
    assert programs.calls() == [f'sbatch --parsable {run_dir}/slurm.sh']
    assert capsys.readouterr().out == (f'Slurm submit - run_dir: {run_dir}\n'
                                       'Job 41 is in the queue; abort.txt in its run_dir ends it.\n')


def test_the_stored_configuration_is_that_of_a_local_run(config, programs):
    programs('sbatch', 'echo 41')
    done = dnnlib.submit_run(config, f'{THIS}.announce', word='hello')
    with open(os.path.join(done.run_dir, 'submit_config.pkl'), 'rb') as file:
        text = file.read()
    assert b'dnnlib.submission.slurm.target' not in text, 'the published code has no such module'
    stored = pickle.loads(text)
    assert stored.submit_target == dnnlib.SubmitTarget.LOCAL and stored.slurm is None
    assert done.submit_target == dnnlib.SubmitTarget.SLURM


def test_a_job_uses_the_copy_of_the_sources_if_there_is_one(config, programs, tmp_path, monkeypatch):
    programs('sbatch', 'echo 41')
    (tmp_path / 'project' / 'job_pack').mkdir(parents=True)
    (tmp_path / 'project' / 'job_pack' / 'mod.py').write_text('def function():\n    """Nothing to do."""\n')
    monkeypatch.syspath_prepend(tmp_path / 'project')
    config.local.do_not_copy_source_files = False
    config.run_dir_ignore += ['tflib']
    done = dnnlib.submit_run(config, 'job_pack.mod.function')
    with open(os.path.join(done.run_dir, 'slurm.sh'), encoding='utf-8') as file:
        script = file.read()
    for path in ('run.py', 'src/dnnlib/submission/slurm/task.py'):
        assert f"'{done.run_dir}/{path}'" in script and os.path.isfile(os.path.join(done.run_dir, path))
    assert os.path.dirname(task.__file__) not in script


def test_a_refusal_is_one_line_and_leaves_no_run_directory(config, programs, capsys):
    programs('sbatch', 'echo "sbatch: error: invalid partition" >&2; echo "sbatch: error: no" >&2; exit 1')
    message = 'sbatch refused the job: invalid partition; no'
    with pytest.raises(util.UserError, match=f'^{message}$'):
        dnnlib.submit_run(config, f'{THIS}.announce', word='hello')
    assert not os.path.exists(config.run_dir_root) and capsys.readouterr().out == ''


def test_the_directory_of_a_job_that_exists_stays_whatever_the_status_of_sbatch(config, programs):
    programs('sbatch', 'echo 41; echo "sbatch: error: a plugin failed" >&2; exit 1')
    assert os.path.exists(dnnlib.submit_run(config, f'{THIS}.announce', word='hello').run_dir)


def test_without_sbatch_nothing_is_written(config, tmp_path, monkeypatch):
    monkeypatch.setenv('PATH', str(tmp_path))
    with pytest.raises(util.UserError, match='sbatch was not found'):
        dnnlib.submit_run(config, f'{THIS}.announce', word='hello')
    assert not os.path.exists(config.run_dir_root)


@pytest.fixture
def job(config, programs, tmp_path):
    """Return a function that starts a job: (text of its command, output of scontrol) -> process.

    `programs.calls()` returns the calls of Slurm's programs. The file `commands` records 'start' or 'resume'.
    """
    programs('sbatch', 'echo 7')
    config.slurm.resume_script = '/re sume.py'
    config.slurm.state_files = 'state-*'

    def start(command, shown=RUNNING):
        done = dnnlib.submit_run(config, f'{THIS}.announce', word='hello')
        programs('scontrol', f'[[ $1 == requeue ]] || echo "{shown}"')
        programs('scancel', f'touch "{tmp_path}/stop"')
        programs('srun', 'case "$*" in *--resume=*) echo resume;; *) echo start;; esac >> '
                         f'"{tmp_path}/commands"\n{command}')
        environ = {**os.environ, 'SLURM_JOB_ID': '7'}
        return subprocess.Popen(['bash', os.path.join(done.run_dir, 'slurm.sh')], env=environ, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return start


def _requeued(programs):
    return 'scontrol requeue 7' in programs.calls()


@pytest.mark.parametrize(('status', 'requeued'), [
    (0, False), (1, False), (2, False), (137, False), (target.REQUEUE_STATUS, True), (128 + 15, True)])
def test_a_job_requeues_itself_if_its_tasks_were_stopped(status, requeued, job, programs):
    process = job(f'exit {status}')
    process.communicate(timeout=HANGS)
    assert process.returncode == status
    assert _requeued(programs) == requeued


def test_a_job_that_has_lost_one_of_several_tasks_requeues_itself(job, programs, config):
    config.slurm.tasks_per_node = 2
    config.slurm.straggler_seconds = 30
    job('exit 137').communicate(timeout=HANGS)
    assert _requeued(programs)
    assert any(call.startswith('srun --kill-on-bad-exit=0 --wait=30 ') for call in programs.calls())


@pytest.mark.parametrize(('shown', 'requeued'), [
    ('JobId=7 JobState=COMPLETING Reason=None PreemptTime=None X=', False),  # cancelled, or requeued by Slurm
    ('JobId=7 JobState=COMPLETING Reason=TimeLimit PreemptTime=None X=', True),
    ('JobId=7 JobState=COMPLETING Reason=None PreemptTime=2026-01-01T00:00:00 X=', True)])
def test_a_job_that_slurm_ends_comes_back_unless_it_was_cancelled(shown, requeued, job, programs):
    job(f'exit {target.REQUEUE_STATUS}', shown).communicate(timeout=HANGS)
    assert _requeued(programs) == requeued


def _interrupt(process, programs, signum):
    deadline = time.monotonic() + HANGS
    while not any(call.startswith('srun') for call in programs.calls()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signum)
    return process.communicate(timeout=HANGS)[0]


@pytest.mark.parametrize('signum', [signal.SIGUSR1, signal.SIGTERM])
@pytest.mark.parametrize(('status', 'requeued'), [(0, False), (130, True)])
def test_a_warning_reaches_the_tasks_and_the_job_waits_for_them(
        signum, status, requeued, job, programs, tmp_path):
    process = job(f'until [[ -e "{tmp_path}/stop" ]]; do sleep 0.05; done\nsleep 0.2\nexit {status}')
    _interrupt(process, programs, signum)
    assert process.returncode == status
    assert 'scancel --signal=TERM 7' in programs.calls()
    assert _requeued(programs) == requeued


def test_at_its_time_limit_a_job_does_not_wait_for_its_tasks(job, programs, tmp_path):
    process = job(f'until [[ -e "{tmp_path}/stop" ]]; do sleep 0.05; done\nexit 1',
                  'JobId=7 JobState=COMPLETING Reason=TimeLimit X=')
    deadline = time.monotonic() + HANGS
    while not any(call.startswith('srun') for call in programs.calls()) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    while not _requeued(programs) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert _requeued(programs) and process.poll() is None
    (tmp_path / 'stop').touch()
    process.communicate(timeout=HANGS)


def test_abort_txt_keeps_a_job_from_coming_back(job, programs, config):
    abort = os.path.join(config.run_dir_root, '00000-desc', 'abort.txt')
    process = job(f'touch "{abort}"; exit {target.REQUEUE_STATUS}')
    assert 'abort.txt ends the run' in process.communicate(timeout=HANGS)[0]
    assert not _requeued(programs)


def test_a_job_goes_on_from_a_state_if_there_is_one(job, programs, config, tmp_path):
    run_dir = os.path.join(config.run_dir_root, '00000-desc')
    process = job('exit 0')
    process.communicate(timeout=HANGS)
    open(os.path.join(run_dir, 'state-3'), 'w').close()
    environ = {**os.environ, 'SLURM_JOB_ID': '7', 'SLURM_RESTART_COUNT': '1'}
    subprocess.run(['bash', os.path.join(run_dir, 'slurm.sh')], env=environ, timeout=HANGS, check=True)
    assert (tmp_path / 'commands').read_text().split() == ['start', 'resume']
    first, second = (call for call in programs.calls() if call.startswith('srun'))
    assert f'/run.py {run_dir} user-00000-desc ' in first
    assert second.endswith(f'{sys.executable} /re sume.py --resume={run_dir}')


def test_srun_is_told_the_number_of_cores(job, tmp_path, monkeypatch):
    monkeypatch.setenv('SLURM_CPUS_PER_TASK', '5')
    job(f'echo "$SRUN_CPUS_PER_TASK" > "{tmp_path}/cores"').communicate(timeout=HANGS)
    assert (tmp_path / 'cores').read_text() == '5\n'


def test_only_the_first_task_writes(config, programs):
    programs('sbatch', 'echo 7')
    done = dnnlib.submit_run(config, f'{THIS}.announce', word='hello')
    before = set(os.listdir(done.run_dir))
    launcher = os.path.join(os.path.dirname(local.__file__), 'run.py')
    said = []
    for index in (1, 0):
        tf_config = json.dumps({'cluster': {'worker': ['a:1', 'b:1']}, 'task': {'index': index}})
        result = subprocess.run(
            [sys.executable, launcher, done.run_dir, 'task', 'host'], capture_output=True, text=True,
            env={**os.environ, 'TF_CONFIG': tf_config, 'PYTHONPATH': os.getcwd()}, check=True)
        said.append((result.stdout, set(os.listdir(done.run_dir)) - before))
    assert said[0] == ('', set())
    assert f'hello {done.run_dir}' in said[1][0]
    assert said[1][1] == {'log.txt', 'run.txt', '_finished.txt'}


@pytest.mark.parametrize(('text', 'seconds'), [
    ('90', 5400), ('90:30', 5430), ('1:30:00', 5400), ('2-12', 216000), ('1-0:30', 88200),
    ('1-0:0:5', 86405)])
def test_time_limits_are_those_of_sbatch(text, seconds):
    assert target.limit_seconds(text) == seconds


@pytest.fixture
def flags(tmp_path):
    """Return a function that runs run_training.py with these flags on a small data set."""
    with TFRecordExporter(str(tmp_path / 'my data' / 'set'), 1, print_progress=False) as exporter:
        exporter.add_image(np.zeros([3, 8, 8], np.uint8))

    def run(*own):
        cli.run_script(lambda: run_training.main([
            f'--data-dir={tmp_path}/my data', '--dataset=set', '--config=config-f', '--metrics=none',
            f'--result-dir={tmp_path}/runs', *own]))
    return run


def test_flags_reach_the_script_and_a_dry_run_prints_it(flags, tmp_path, capsys):
    (tmp_path / 'runs' / '00006-other').mkdir(parents=True)
    flags('--submit=slurm', '--slurm-nodes=2', '--slurm-tasks-per-node=4', '--slurm-gpus-per-node=8',
          '--slurm-cpus-per-task=3', '--slurm-time=1:00:00', '--slurm-partition=p',
          '--slurm-warning-seconds=60', '--slurm-option=--account=a', '--slurm-option=--mem=0', '--dry-run')
    script = capsys.readouterr().out
    directives = _directives(script)
    assert directives.items() >= {
        '--nodes': '2', '--ntasks-per-node': '4', '--gpus-per-node': '8', '--cpus-per-task': '3',
        '--time': '1:00:00', '--partition': 'p', '--signal': 'B:USR1@60', '--account': 'a', '--mem': '0',
    }.items()
    run_dir = f'{tmp_path}/runs/00007-stylegan2-set-1gpu-config-f'
    assert f'{os.path.abspath(run_training.__file__)} --resume={run_dir})' in script
    assert os.listdir(tmp_path / 'runs') == ['00006-other']


@pytest.fixture
def stopped_run(flags, programs):
    """Create the directory of a run with two empty training states."""
    programs('sbatch', 'echo 7')
    flags('--submit=slurm', '--slurm-time=60')
    run_dir = programs.calls()[0].removeprefix('sbatch --parsable ').removesuffix('/slurm.sh')
    for state in ('training-state-000012.000', 'training-state-000016.000'):
        os.mkdir(os.path.join(run_dir, state))
    return run_dir


def _resume(*own):
    cli.run_script(lambda: run_training.main(['--submit=slurm', *own]))


@pytest.mark.parametrize('named', ['the run', 'its newest state', 'latest'])
def test_a_dry_run_of_a_run_that_goes_on_prints_its_own_script(
        named, stopped_run, programs, capsys, monkeypatch):
    root, name = os.path.split(stopped_run)
    monkeypatch.chdir(root)
    resume = {'the run': name, 'its newest state': f'{name}/training-state-000016.000', 'latest': 'latest'}
    capsys.readouterr()
    _resume(f'--resume={resume[named]}', '--result-dir=.', '--slurm-time=90', '--dry-run')
    script = capsys.readouterr().out
    assert _directives(script).items() >= {
        '--job-name': f'{submit.get_user_name()}-{name}', '--time': '90',
        '--output': f'"{stopped_run}/slurm-%j.txt"'}.items()
    assert f'--resume={stopped_run})' in script
    assert os.listdir('.') == [name] and len(programs.calls()) == 1
    with open(f'{name}/slurm.sh', encoding='utf-8') as file:
        assert '--time=60\n' in file.read(), 'the script there is as it was'


def test_a_run_goes_on_as_a_job_with_what_may_change(stopped_run, programs):
    _resume(f'--resume={stopped_run}', '--config=config-f', '--total-kimg=7', '--metrics=none')
    assert programs.calls() == 2 * [f'sbatch --parsable {stopped_run}/slurm.sh']
    with open(os.path.join(stopped_run, 'slurm.sh'), encoding='utf-8') as file:
        assert f'--resume={stopped_run} --total-kimg=7 --metrics=none)' in file.read()


@pytest.mark.parametrize(('own', 'message'), [
    (['--resume={}/training-state-000012.000'], 'a job resumes from the newest state'),
    (['--resume={}', '--seed=5'], '--seed=5 contradicts the run'),
    (['--resume={}', '--workers=a:1,b:2', '--worker-index=0'], 'the tasks of the job are the workers'),
    (['--resume={}/../ended'], 'ended/abort.txt: this file ended the run; remove it to resume')])
def test_what_cannot_be_resumed_is_not_submitted(own, message, stopped_run, programs, capsys, monkeypatch):
    monkeypatch.setenv('TF_CONFIG', '')
    ended = os.path.join(os.path.dirname(stopped_run), 'ended')
    shutil.copytree(stopped_run, ended)
    open(os.path.join(ended, 'abort.txt'), 'w').close()
    with pytest.raises(SystemExit) as exit_info:
        _resume(*[flag.format(stopped_run) for flag in own])
    error = capsys.readouterr().err
    assert exit_info.value.code == 2 and message in error and error.count('\n') == 1
    assert len(programs.calls()) == 1


@pytest.mark.parametrize(('own', 'message'), [
    (['--submit=moon'], "argument --submit: invalid choice: 'moon'"),
    (['--slurm-nodes=2'], 'Error: --slurm-nodes requires --submit=slurm'),
    (['--slurm-option=--mem=0'], 'Error: --slurm-option requires --submit=slurm'),
    (['--submit=slurm', '--slurm-nodes=0'], 'argument --slurm-nodes: expected a whole number of at least 1'),
    (['--submit=slurm', '--slurm-tasks-per-node=33'], 'expected a whole number from 1 to 32'),
    (['--submit=slurm', '--slurm-time=long'], "argument --slurm-time: expected a time limit such as 90"),
    (['--submit=slurm', '--slurm-time=2'], 'Error: --slurm-time=2: expected more than'),
    (['--submit=slurm', '--slurm-partition=a b'], 'argument --slurm-partition: expected a name'),
    (['--submit=slurm', '--slurm-option=account=abc'], 'expected an option of sbatch such as --account=abc'),
    (['--submit=slurm', '--slurm-option=--time=5'], '--slurm-option=--time=5: use --slurm-time instead'),
    (['--submit=slurm', '--slurm-option=--no-requeue'], 'the script sets --no-requeue itself; leave'),
    (['--submit=slurm', '--slurm-gpus-per-node=3', '--slurm-tasks-per-node=2'], '=3 cannot be shared evenly'),
])
def test_a_bad_flag_gives_one_clear_line_and_status_2(own, message, flags, tmp_path, capsys):
    with pytest.raises(SystemExit) as exit_info:
        flags(*own)
    assert exit_info.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / 'runs').exists()
