"""script_start: how scripts end while modules load, and in an address space that is too small."""

import ast
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest

import script_start

ROOT = pathlib.Path(__file__).parent.parent
SCRIPTS = [path for path in sorted(ROOT.glob('*.py')) if "__name__ == '__main__'" in path.read_text()]
GB = 1 << 30
READY = 'print("ready", flush=True)\n'
WAIT = READY + 'time.sleep(60)\n'


@pytest.fixture
def start(tmp_path):
    """Function of a script's text and its limit in bytes -> process that has begun with it."""
    shutil.copy(script_start.__file__, tmp_path)

    def limited(num_bytes):
        signal.signal(signal.SIGINT, signal.default_int_handler)  # as from a terminal
        if num_bytes is not None:
            resource.setrlimit(resource.RLIMIT_AS, (num_bytes, num_bytes))

    def start(text, num_bytes=None):
        (tmp_path / 'script.py').write_text(f'import script_start\nimport os, signal, sys, time\n{text}')
        return subprocess.Popen(
            [sys.executable, tmp_path / 'script.py'], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env={'PYTHONPATH': str(ROOT)},
            preexec_fn=lambda: limited(num_bytes))
    return start


def finish(process):
    """-> status, output, error lines."""
    output, errors = process.communicate(timeout=120)
    return process.returncode, output, errors.splitlines()


@pytest.mark.parametrize('num_bytes', [None, 3 * GB])
def test_an_interrupt_while_modules_load_is_one_line(start, num_bytes):
    process = start(WAIT, num_bytes)
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert finish(process) == (130, '', ['Interrupted.'])


def test_an_interrupt_that_is_ignored_stays_so(tmp_path):
    shutil.copy(script_start.__file__, tmp_path)
    (tmp_path / 'script.py').write_text('import script_start, signal\nprint(signal.getsignal(2).name)\n')
    process = subprocess.run(['sh', '-c', f'trap "" INT; exec "{sys.executable}" script.py'], cwd=tmp_path,
                             capture_output=True, text=True)
    assert (process.stdout, process.stderr) == ('SIG_IGN\n', '')


def test_once_all_is_loaded_an_interrupt_lets_the_script_clean_up(start):
    process = start('from dnnlib import cli\ndef main():\n    try:\n        ' + READY +
                    '        time.sleep(60)\n    finally:\n        print("cleaned up")\ncli.run_script(main)')
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert finish(process) == (130, 'cleaned up\n', ['Interrupted.'])


def test_a_limit_in_which_nothing_can_run_is_named_at_once(start):
    status, output, [line] = finish(start(READY, GB))
    assert (status, output) == (2, '')
    assert line.startswith('Error: the address space is limited to 1.0 GB (ulimit -v); TensorFlow needs 2 GB')


@pytest.mark.parametrize('end', [
    'os.abort()', 'os.kill(os.getpid(), signal.SIGSEGV)', 'os.kill(os.getpid(), signal.SIGBUS)',
    'os._exit(127)'])
def test_an_end_by_the_runtime_of_c_in_a_limited_address_space_is_explained(start, end):
    status, output, [line] = finish(start(READY + end, 3 * GB))
    assert (status, output) == (2, 'ready\n')
    assert line.startswith('Error: out of memory: the address space is limited to 3.0 GB (ulimit -v); ')


@pytest.mark.parametrize('end, status', [
    ('sys.exit(0)', 0), ('sys.exit(75)', 75), ('os.kill(os.getpid(), signal.SIGKILL)', 137)])
def test_other_ends_are_those_of_the_script(start, end, status):
    assert finish(start(end, 3 * GB)) == (status, '', [])


@pytest.mark.parametrize('signum', [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_reach_a_script_in_a_limited_address_space_once(start, signum):
    process = start(f'signal.signal({int(signum)}, lambda *_: os.write(1, b"got it\\n"))\n' + READY
                    + 'time.sleep(1)\nsys.exit(143)', 3 * GB)
    process.stdout.readline()
    process.send_signal(signum)
    assert finish(process) == (143, 'got it\n', [])


def test_a_script_does_not_outlive_the_process_that_was_started(start):
    process = start('print(os.getpid(), flush=True)\ntime.sleep(60)', 3 * GB)
    child = pathlib.Path('/proc', process.stdout.readline().strip())
    assert child.exists() and int(child.name) != process.pid
    process.kill()
    process.communicate(timeout=60)  # the child holds the pipe as long as it lives
    deadline = time.monotonic() + 10
    while child.exists() and ') Z ' not in (child / 'stat').read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize('path', SCRIPTS, ids=lambda path: path.name)
def test_every_script_begins_with_it(path):
    first = next(node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Import))
    assert [alias.name for alias in first.names] == ['script_start']


def test_a_program_elsewhere_that_imports_it_stays_as_it_is():
    assert signal.getsignal(signal.SIGINT) is not script_start._leave
