"""Test dnnlib.submission: run directories, their files, and the state that a run leaves."""

import errno
import multiprocessing
import os
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest
import requests

import dnnlib
from dnnlib import util
from dnnlib.submission import submit
from dnnlib.submission.internal.local import TargetOptions

THIS = 'tests.test_submission'
calls = []


def record(**kwargs):
    calls.append(kwargs)
    print('inside')
    print(dnnlib.make_run_dir_path('a', 'b'))


def record_config(submit_config, value):
    calls.append((submit_config, value, dnnlib.submit_config))


def fail(error, result=None):
    dnnlib.RunContext.get()
    if result is not None:
        open(dnnlib.make_run_dir_path(result), 'w').close()
    raise error


def use_and_move_on():
    with dnnlib.RunContext.get() as context:
        calls.append(context.start_time.replace(tzinfo=None))


def quiet():
    """Do nothing."""


@pytest.fixture
def config(tmp_path):
    """Return a configuration with the root `tmp_path/runs` that does not copy source files."""
    calls.clear()
    submit_config = dnnlib.SubmitConfig()
    submit_config.run_dir_root = str(tmp_path / 'runs')
    submit_config.run_desc = 'desc'
    submit_config.user_name = 'user'
    submit_config.local.do_not_copy_source_files = True
    return submit_config


def make_dirs(root, *names):
    for name in names:
        os.makedirs(os.path.join(root, name))


def read(*path):
    with open(os.path.join(*path), encoding='utf-8') as file:
        return file.read()


def test_run_leaves_its_files(config, capsys):
    done = dnnlib.submit_run(config, f'{THIS}.record', value=3)
    run_dir = os.path.join(config.run_dir_root, '00000-desc')
    assert (done.run_id, done.run_name, done.run_dir) == (0, '00000-desc', run_dir)
    assert done.task_name == 'user-00000-desc' and done.run_func_kwargs == {'value': 3}
    assert config.run_id is None and config.run_dir is None
    assert calls == [{'value': 3}]
    assert set(os.listdir(run_dir)) == {
        'submit_config.pkl', 'submit_config.txt', 'log.txt', 'run.txt', '_finished.txt'}
    assert os.listdir(config.run_dir_root) == ['00000-desc']
    log = read(run_dir, 'log.txt')
    assert re.fullmatch(
        rf'dnnlib: Running {THIS}.record\(\) on localhost...\ninside\n{re.escape(run_dir)}/a/b\n'
        rf'dnnlib: Finished {THIS}.record\(\) in 0s.\n', log)
    assert capsys.readouterr().out == f'Local submit - run_dir: {run_dir}\n{log}'
    assert dnnlib.submit_config is None


def test_everything_can_be_given_by_keyword(config):
    kwargs = {'submit_config': config, 'run_func_name': f'{THIS}.record_config', 'value': 1}
    done = dnnlib.submit_run(**kwargs)
    assert calls == [(done, 1, done)]


def test_stored_configuration_has_plain_numbers(config):
    config.num_gpus = np.int64(2)
    inner = util.EasyDict(n=np.int32(7))
    done = dnnlib.submit_run(config, f'{THIS}.record', numbers=[np.float32(0.5)], inner=inner)
    with open(os.path.join(done.run_dir, 'submit_config.pkl'), 'rb') as file:
        stored = pickle.load(file)
    assert type(stored) is dnnlib.SubmitConfig and type(stored.num_gpus) is int
    assert stored.run_func_kwargs == {'numbers': [0.5], 'inner': {'n': 7}}
    assert type(stored.run_func_kwargs['inner']) is util.EasyDict
    assert stored.local.do_not_copy_source_files is True
    text = read(done.run_dir, 'submit_config.txt')
    assert "'inner': {'n': 7}" in text and 'np.' not in text
    assert type(calls[0]['inner'].n) is np.int32  # the function receives the original values


def test_pickles_show_the_published_class_paths():
    data = pickle.dumps(dnnlib.SubmitConfig(), protocol=2)
    for name in ('SubmitConfig', 'SubmitTarget', 'PlatformExtras'):
        assert f'cdnnlib.submission.submit\n{name}\n'.encode() in data
    assert b'cdnnlib.submission.internal.local\nTargetOptions\n' in data
    assert b'cdnnlib.util\nEasyDict\n' in pickle.dumps(dnnlib.EasyDict(), protocol=2)


def test_published_defaults():
    config = dnnlib.SubmitConfig()
    assert config.local == TargetOptions(do_not_copy_source_files=False)
    assert config.platform_extras == submit.PlatformExtras(1 << 30, 0)
    assert config.submit_target == dnnlib.SubmitTarget.LOCAL and config.num_gpus == 1
    assert config.run_dir_extra_files is not dnnlib.SubmitConfig().run_dir_extra_files


def test_run_id_follows_the_largest_number(config):
    make_dirs(config.run_dir_root, '00003-a', '7-b', 'other', '.00050')
    open(os.path.join(config.run_dir_root, '00099-file'), 'w').close()
    assert dnnlib.submit_run(config, f'{THIS}.quiet').run_name == '00008-desc'


def test_claimed_run_id_is_skipped(config):
    make_dirs(config.run_dir_root, '.00000')
    assert dnnlib.submit_run(config, f'{THIS}.quiet').run_id == 1


def test_file_in_the_way_of_a_run_dir_is_an_error(config):
    os.makedirs(config.run_dir_root)
    open(os.path.join(config.run_dir_root, '00000-desc'), 'w').close()
    with pytest.raises(RuntimeError, match='The run dir already exists!'):
        dnnlib.submit_run(config, f'{THIS}.quiet')
    assert os.listdir(config.run_dir_root) == ['00000-desc']


def test_file_in_the_way_of_the_root_is_the_users_error(config, tmp_path):
    for root in (tmp_path / 'file', tmp_path / 'file' / 'below'):
        (tmp_path / 'file').touch()
        config.run_dir_root = str(root)
        with pytest.raises(util.UserError, match='a file is in the way'):
            dnnlib.submit_run(config, f'{THIS}.quiet')
        with pytest.raises(util.UserError, match='a file is in the way'):
            submit.check_root(str(root))


@pytest.mark.skipif(not os.path.isdir('/proc/self'), reason='needs a folder in which nothing can be made')
def test_a_root_that_cannot_be_made_is_the_users_error(config):
    config.run_dir_root = '/proc/self/runs'
    with pytest.raises(util.UserError, match='^/proc/self/runs: cannot be the root of run directories: '):
        dnnlib.submit_run(config, f'{THIS}.quiet')


def test_a_root_is_checked_without_making_it(tmp_path, monkeypatch):
    submit.check_root(str(tmp_path / 'a' / 'b'))
    assert not (tmp_path / 'a').exists()
    monkeypatch.setattr(os, 'access', lambda path, mode: path != str(tmp_path))
    with pytest.raises(util.UserError, match=f'no permission to write in {tmp_path}'):
        submit.check_root(str(tmp_path / 'a' / 'b'))


def _submit_many(root, barrier, index, results):
    config = dnnlib.SubmitConfig()
    config.run_dir_root = root
    config.user_name = 'user'
    config.local.do_not_copy_source_files = True
    config.run_desc = 'same' if index % 2 else f'other{index}'
    barrier.wait()
    results.put([dnnlib.submit_run(config, f'{THIS}.quiet').run_id for _ in range(6)])


def test_processes_that_start_together_get_distinct_run_ids(tmp_path):
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload([THIS])  # imported once for all processes
    count = 6
    barrier, results = context.Barrier(count), context.Queue()
    processes = [context.Process(target=_submit_many, args=(str(tmp_path / 'runs'), barrier, i, results))
                 for i in range(count)]
    for process in processes:
        process.start()
    run_ids = [run_id for _ in processes for run_id in results.get(timeout=600)]
    for process in processes:
        process.join()
    assert len(run_ids) == len(set(run_ids)) == 6 * count
    names = os.listdir(tmp_path / 'runs')
    assert sorted(int(name[:5]) for name in names) == sorted(run_ids)


@pytest.mark.parametrize('change, message', [
    ({'num_gpus': 0}, 'num_gpus must be set to a non-zero value'),
    ({'num_gpus': None}, 'num_gpus must be set to a non-zero value'),
    ({'run_desc': 'two words'}, 'must match the regex'),
    ({'user_name': '-x'}, 'must match the regex'),
])
def test_bad_configuration_is_refused_before_anything_is_written(config, change, message):
    config.update(change)
    with pytest.raises(RuntimeError, match=message) as caught:
        dnnlib.submit_run(config, f'{THIS}.quiet')
    assert isinstance(caught.value, util.UserError)
    assert not os.path.exists(config.run_dir_root)


def test_unknown_target_fails_an_assertion(config):
    config.submit_target = None
    with pytest.raises(AssertionError):
        dnnlib.submit_run(config, f'{THIS}.quiet')


@pytest.mark.parametrize('error', [ValueError('why'), util.UserError('why'), KeyboardInterrupt('why')])
def test_process_can_go_on_after_a_failed_run(config, error):
    streams = sys.stdout, sys.stderr
    with pytest.raises(type(error), match='why'):
        dnnlib.submit_run(config, f'{THIS}.fail', error=error, result='picture.png')
    assert (sys.stdout, sys.stderr) == streams and dnnlib.submit_config is None
    run_dir = os.path.join(config.run_dir_root, '00000-desc')
    assert os.path.exists(os.path.join(run_dir, 'picture.png'))
    assert os.path.exists(os.path.join(run_dir, '_finished.txt'))
    assert 'stop_time' in read(run_dir, 'run.txt')
    assert re.search(r'Traceback.*\n[\w.]+: why\n$', read(run_dir, 'log.txt'), re.DOTALL)
    assert dnnlib.submit_run(config, f'{THIS}.record').run_id == 1


@pytest.mark.parametrize('error', [
    util.UserError('why'), KeyboardInterrupt(), MemoryError(), OSError(errno.ENOSPC, 'full'),
    requests.ConnectionError('no route')])
@pytest.mark.parametrize('without_sources', [True, False])
def test_a_run_that_fails_for_a_known_reason_before_any_result_leaves_nothing(
        config, error, without_sources, capsys):
    config.local.do_not_copy_source_files = without_sources
    with pytest.raises(type(error)):
        dnnlib.submit_run(config, f'{THIS}.fail', error=error)
    assert not os.path.exists(config.run_dir_root)
    [*_, line] = capsys.readouterr().out.splitlines()
    assert line == f'dnnlib: Removed {config.run_dir_root}/00000-desc, which contained no result.'
    assert dnnlib.submit_run(config, f'{THIS}.quiet').run_id == 0, 'the number is free again'


@pytest.mark.parametrize('error', [ValueError('bug'), SystemExit(143), OSError(errno.EBADF, 'bug')])
def test_a_run_that_fails_for_an_unknown_reason_keeps_its_log(config, error):
    with pytest.raises(type(error)):
        dnnlib.submit_run(config, f'{THIS}.fail', error=error)
    assert 'Traceback' in read(config.run_dir_root, '00000-desc', 'log.txt')


def test_a_run_that_goes_on_keeps_its_directory(config):
    done = dnnlib.submit_run(config, f'{THIS}.quiet')
    done.run_func_name, done.run_func_kwargs = f'{THIS}.fail', {'error': util.UserError('why')}
    with pytest.raises(util.UserError):
        submit.continue_run(done)
    assert 'why' in read(done.run_dir, 'log.txt')


def test_run_txt_tells_start_and_stop(config):
    done = dnnlib.submit_run(config, f'{THIS}.quiet')
    description = eval(read(done.run_dir, 'run.txt'))
    assert set(description) == {'task_name', 'host_name', 'start_time', 'stop_time'}
    assert description['task_name'] == 'user-00000-desc' and description['host_name'] == 'localhost'
    assert re.fullmatch(r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?', description['start_time'])


def test_context_that_the_function_closed_is_not_written_again(config):
    done = dnnlib.submit_run(config, f'{THIS}.use_and_move_on')
    assert f"'start_time': '{calls[0]}'" in read(done.run_dir, 'run.txt')


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='needs a file that is always full')
def test_a_full_disk_names_the_log(config, monkeypatch):
    logger = util.Logger
    monkeypatch.setattr(util, 'Logger', lambda path, mode: logger('/dev/full', mode))
    with pytest.raises(OSError, match='No space left.*00000-desc/log.txt'):
        submit.submit_run(config, f'{THIS}.record')
    assert dnnlib.submit_config is None


@pytest.fixture
def context(config, tmp_path):
    """Open a RunContext in `tmp_path`."""
    config.run_dir = str(tmp_path)
    with dnnlib.RunContext(config) as opened:
        yield opened


def test_context_is_a_singleton(context, config, capsys):
    assert dnnlib.RunContext.get() is context
    with pytest.raises(AssertionError):
        dnnlib.RunContext(config)
    context.close()
    context.close()
    with dnnlib.RunContext(config, config_module=os) as second:
        assert dnnlib.RunContext.get() is second
    assert 'config_module parameter support has been removed.' in capsys.readouterr().out
    with pytest.raises(RuntimeError, match='no run is active'):
        dnnlib.RunContext.get()


def test_context_stops_when_abort_txt_appears(context, tmp_path):
    context.update()
    assert not context.should_stop()
    (tmp_path / 'abort.txt').touch()
    assert not context.should_stop()
    context.update(loss=1, cur_epoch=2, max_epoch=3)
    (tmp_path / 'abort.txt').unlink()
    context.update()
    assert context.should_stop()
    context.close()
    with pytest.raises(AssertionError):
        context.update()


def test_context_measures_seconds(context, monkeypatch):
    import datetime
    start = context.start_time
    for seconds, action in [(5, context.update), (7, lambda: None)]:
        now = start + datetime.timedelta(seconds=seconds)
        monkeypatch.setattr('dnnlib.submission.run_context._now', lambda now=now: now)
        action()
    assert context.get_last_update_interval() == 5.0
    assert context.get_time_since_last_update() == 2.0
    assert context.get_time_since_start() == 7.0


def test_paths_are_written_as_the_platform_does(monkeypatch):
    monkeypatch.setattr(submit, '_user_name_override', None)
    submit.set_user_name_override('ann')
    path_type = dnnlib.PathType
    assert dnnlib.get_path_from_template('/a//<USERNAME>/./b/', path_type.LINUX) == '/a/ann/b'
    assert dnnlib.get_path_from_template('c:/a/<USERNAME>', path_type.WINDOWS) == 'c:\\a\\ann'
    assert dnnlib.convert_path('a\\b', path_type.LINUX) == 'a/b'
    for system, expected in [('Linux', 'a/b'), ('Darwin', 'a/b'), ('Windows', 'a\\b')]:
        monkeypatch.setattr('platform.system', lambda system=system: system)
        assert dnnlib.get_path_from_template('a//b') == expected
        assert dnnlib.get_path_from_template('~/x', path_type.LINUX) == '~/x'


def test_user_without_a_name_is_unknown(monkeypatch):
    import pwd
    monkeypatch.setattr(submit, '_user_name_override', None)
    assert submit.get_user_name() == pwd.getpwuid(os.geteuid()).pw_name
    monkeypatch.setattr(os, 'geteuid', lambda: 2 ** 30)
    assert submit.get_user_name() == 'unknown'


def test_run_dir_path_outside_a_run_is_the_current_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert dnnlib.make_run_dir_path('x') == str(tmp_path / 'x')
    monkeypatch.setattr(dnnlib, 'submit_config', dnnlib.SubmitConfig())
    assert dnnlib.make_run_dir_path() == str(tmp_path)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Write a small importable project with the function `pack.mod.function`."""
    package = tmp_path / 'project' / 'pack'
    package.mkdir(parents=True)
    (package / '__init__.py').touch()
    (package / 'mod.py').write_text('from dnnlib.submission.submit import get_user_name\n\n\n'
                                    'def function(word):\n    print(word, get_user_name(), __file__)\n')
    (package / 'notes.skip').touch()
    (tmp_path / 'extra.txt').write_text('extra')
    monkeypatch.syspath_prepend(tmp_path / 'project')
    yield tmp_path / 'project'
    for name in ('pack', 'pack.mod'):
        sys.modules.pop(name, None)


def test_sources_are_copied_and_can_be_launched_again(config, project, tmp_path):
    config.local.do_not_copy_source_files = False
    config.run_dir_ignore += ['*.skip', 'tflib']
    config.run_dir_extra_files = [(str(tmp_path / 'extra.txt'), 'deep/extra.txt')]
    done = dnnlib.submit_run(config, 'pack.mod.function', word='hello')
    assert read(done.run_dir, 'src', 'deep', 'extra.txt') == 'extra'
    assert os.path.exists(os.path.join(done.run_dir, 'src', 'dnnlib', 'util.py'))
    assert set(os.listdir(os.path.join(done.run_dir, 'src', 'pack'))) == {'__init__.py', 'mod.py'}

    os.rename(done.run_dir, tmp_path / 'moved')
    launch = [sys.executable, 'moved/run.py', 'moved', 'task', 'host']
    result = subprocess.run(launch, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert 'dnnlib: Running pack.mod.function() on host...\nhello user ' in result.stdout
    assert str(tmp_path / 'moved' / 'src') in result.stdout
    assert read(tmp_path / 'moved', 'log.txt') == result.stdout
    assert "'task_name': 'task'" in read(tmp_path / 'moved', 'run.txt')


def test_function_without_a_module_cannot_be_copied(config):
    config.local.do_not_copy_source_files = False
    with pytest.raises(AssertionError):
        dnnlib.submit_run(config, 'function')


@pytest.mark.parametrize('arguments, message', [
    ([], 'run.py needs three arguments'), (['nowhere', 'task', 'host'], 'submit_config.pkl: no such file')])
def test_launcher_explains_its_arguments(tmp_path, arguments, message):
    launcher = os.path.join(os.path.dirname(submit.__file__), 'internal', 'run.py')
    command = [sys.executable, launcher, *arguments]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 2
    assert re.fullmatch(f'Error: .*{message}.*\n', result.stderr)
