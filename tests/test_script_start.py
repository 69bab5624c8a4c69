"""Test script_start: how scripts end while modules load, and when the address space is too small."""

import ast
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys

import pytest

import script_start

ROOT = pathlib.Path(__file__).parent.parent
SCRIPTS = [path for path in sorted(ROOT.glob('*.py')) if "__name__ == '__main__'" in path.read_text()]
GB = 1 << 30
READY = 'print("ready", flush=True)\n'
WAIT = READY + 'time.sleep(3600)\n'


@pytest.fixture
def start(tmp_path):
    """Return a function that starts a script with this text, in an address space limited to `num_bytes`."""
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
    """Wait for the end of a process. -> status, output, error lines."""
    output, errors = process.communicate(timeout=600)
    return process.returncode, output, errors.splitlines()


def test_an_interrupt_while_modules_load_is_one_line(start):
    process = start(WAIT)
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert finish(process) == (130, '', ['Interrupted.'])


def test_an_interrupt_that_is_ignored_stays_so(tmp_path):
    shutil.copy(script_start.__file__, tmp_path)
    (tmp_path / 'script.py').write_text('import script_start, signal\nprint(signal.getsignal(2).name)\n')
    process = subprocess.run(['sh', '-c', f'trap "" INT; exec "{sys.executable}" script.py'], cwd=tmp_path,
                             capture_output=True, text=True)
    assert (process.stdout, process.stderr) == ('SIG_IGN\n', '')


STAND_IN = """
import os, types
os.write(2, b'I0000 port.cc:153] oneDNN custom operations are on.\\n')
os.write(2, b'E0000 cuda_platform.cc:52] failed call to cuInit\\n')
os.write(2, b'something else\\n')
config = types.SimpleNamespace(list_physical_devices=lambda kind: GPUS)
print('loaded', flush=True)
"""
NO_GPU = 'There is no GPU that TensorFlow can use: the CPU does everything.'


@pytest.mark.parametrize('gpus, end', [([], [NO_GPU]), (['GPU:0'], [])])
def test_loading_tensorflow_is_announced_once_without_its_lines_about_itself(gpus, end, start, tmp_path):
    (tmp_path / 'tensorflow.py').write_text(STAND_IN.replace('GPUS', str(gpus)))
    text = 'import json\nfor _ in range(2):\n    import tensorflow\n'
    driver = any(map(os.path.exists, script_start._GPU_DEVICES))
    kept = ['E0000 cuda_platform.cc:52] failed call to cuInit'] if driver else []
    assert finish(start(text)) == (0, 'loaded\n', ['Loading TensorFlow...', *kept, 'something else', *end])
    assert finish(start('import json')) == (0, '', [])


def test_who_asks_for_tensorflows_messages_gets_all_of_them(start, tmp_path):
    (tmp_path / 'tensorflow.py').write_text(STAND_IN.replace('GPUS', '[]'))
    _, _, lines = finish(start('os.environ["TF_CPP_MIN_LOG_LEVEL"] = "0"\nimport tensorflow'))
    assert len(lines) == 5


def test_an_error_while_tensorflow_loads_is_shown(start, tmp_path):
    (tmp_path / 'tensorflow.py').write_text('raise ImportError("no such library")')
    status, _, lines = finish(start('import tensorflow'))
    assert (status, lines[-1]) == (1, 'ImportError: no such library')


def test_once_all_is_loaded_an_interrupt_lets_the_script_clean_up(start):
    process = start('from dnnlib import cli\ndef main():\n    try:\n        ' + READY
                    + '        time.sleep(3600)\n    finally:\n        print("cleaned up")\n'
                    + 'cli.run_script(main)')
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert finish(process) == (130, 'cleaned up\n', ['Interrupted.'])


def test_a_limit_in_which_nothing_can_run_is_named_at_once(start):
    status, output, [line] = finish(start(READY, GB))
    assert (status, output) == (2, '')
    assert line.startswith('Error: the address space is limited to 1.0 GB (ulimit -v); TensorFlow needs 2 GB')


@pytest.mark.parametrize('path', SCRIPTS, ids=lambda path: path.name)
def test_every_script_begins_with_it(path):
    first = next(node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Import))
    assert [alias.name for alias in first.names] == ['script_start']


def test_a_program_elsewhere_that_imports_it_stays_as_it_is():
    assert signal.getsignal(signal.SIGINT) is not script_start._interrupt
