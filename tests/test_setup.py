"""Test what `make setup` and the Dockerfile install, by a pip that only says what it is asked for."""

import configparser
import os
import re
import shutil
import subprocess

import pytest

from tests.test_house import ROOT

PYTHON = """\
#!/bin/sh
if [ "$2" = venv ]; then mkdir -p "$3/bin"; cp "$(dirname "$0")/pip" "$3/bin/pip"; fi
"""
PIP = '#!/bin/sh\nfor last; do :; done\necho "installed $last"\n'


@pytest.fixture
def tools(tmp_path):
    """Make a folder with a `python` and a `pip`."""
    folder = tmp_path / 'tools'
    folder.mkdir()
    for name, text in (('python', PYTHON), ('pip', PIP)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def make(tools, tmp_path):
    """Return a function that runs make in a folder of its own. -> (exit status, extras of each install)."""
    for name in ('Makefile', 'setup.cfg', 'pyproject.toml'):
        shutil.copy(ROOT / name, tmp_path)

    def run(*words, **environ):
        done = subprocess.run(['make', f'PYTHON={tools}/python', *words], cwd=tmp_path, text=True,
                              env={'PATH': os.environ['PATH'], **environ}, capture_output=True, check=False)
        return done.returncode, re.findall(r'^installed \.\[(.*)\]$', done.stdout, re.MULTILINE)
    return run


def _later(path):
    """Give a file a time after everything that exists."""
    seconds = path.stat().st_mtime + 100
    os.utime(path, (seconds, seconds))


def test_gpu_1_adds_the_cuda_libraries_and_nothing_takes_them_away(make, tmp_path):
    (status, plain), again = make('setup'), make('setup')
    assert status == 0 and len(plain) == 1 and 'gpu' not in plain[0] and again == (0, [])
    assert make('setup', 'GPU=1') == (0, ['gpu'])
    assert make('setup', 'GPU=1') == make('setup') == make('setup', 'GPU=0') == (0, [])
    _later(tmp_path / 'setup.cfg')
    assert make('setup') == (0, [*plain, 'gpu'])


def test_gpu_1_sets_up_everything_at_once(make):
    status, installed = make('setup', 'GPU=1')
    assert status == 0 and len(installed) == 2 and installed[1] == 'gpu'


def test_gpu_in_the_environment_may_mean_something_else(make):
    assert len(make('setup', GPU='3')[1]) == 1


def test_gpu_2_is_refused(make):
    assert make('setup', 'GPU=2') == (2, [])


@pytest.mark.parametrize('gpu, status, has_gpu', [('0', 0, False), ('1', 0, True), ('yes', 1, None)])
def test_the_dockerfile_installs_the_same(gpu, status, has_gpu, tools):
    text = (ROOT / 'Dockerfile').read_text().replace('\\\n', '')
    default, = re.findall(r'^ARG GPU=(.*)$', text, re.MULTILINE)
    command, = re.findall(r'^RUN (.*)$', text, re.MULTILINE)
    env = {'PATH': f'{tools}:{os.environ["PATH"]}', 'GPU': gpu}
    done = subprocess.run(['sh', '-c', command], env=env, capture_output=True, text=True, check=False)
    assert default == '0' and done.returncode == status
    if status == 0:
        extras = re.fullmatch(r'installed \.\[(.*)\]\n', done.stdout)[1].split(',')
        known = configparser.ConfigParser()
        known.read(ROOT / 'setup.cfg')
        assert ('gpu' in extras) == has_gpu and set(extras) <= set(known['options.extras_require'])


def test_the_version_of_tensorflow_has_one_place():
    config = configparser.ConfigParser()
    config.read(ROOT / 'setup.cfg')
    assert config['options.extras_require']['gpu'] == 'tensorflow[and-cuda]'
    assert re.search(r'^tensorflow>=\S+,<\S+$', config['options']['install_requires'], re.MULTILINE)
    for name in ('Makefile', 'Dockerfile', 'README.md', 'docs/getting-started.md', 'docs/gpu.md'):
        assert not re.search(r'tensorflow(\[and-cuda\])?[<>=]', (ROOT / name).read_text()), name
