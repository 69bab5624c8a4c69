"""Test the environment before TensorFlow loads: oneDNN is on for every way of importing the project."""

import os
import platform
import subprocess
import sys

import pytest

from dnnlib import tf_environment
from tests.test_house import ROOT

STAND_IN = 'import os; print(os.environ.get("TF_ENABLE_ONEDNN_OPTS")); os._exit(0)'
ONEDNN = 'TF_ENABLE_ONEDNN_OPTS'


@pytest.fixture
def stand_in(tmp_path):
    """Write a stand-in for TensorFlow that prints oneDNN's variable when it loads and ends the process."""
    (tmp_path / 'tensorflow').mkdir()
    (tmp_path / 'tensorflow' / '__init__.py').write_text(STAND_IN, encoding='utf-8')
    return tmp_path


def _at_load(code, stand_in, **changed):
    env = {key: value for key, value in os.environ.items() if key != ONEDNN}
    env |= {'PYTHONPATH': os.pathsep.join([str(stand_in), str(ROOT)]), **changed}
    return subprocess.run([sys.executable, '-c', code], env=env, cwd=ROOT, text=True, check=True,
                          stdout=subprocess.PIPE).stdout.strip()


@pytest.mark.skipif(platform.machine() not in tf_environment.X86, reason='for x86 CPUs')
@pytest.mark.parametrize('module', [
    'dnnlib.tflib', 'dnnlib.tflib.network', 'training.dataset', 'training.loss', 'training.training_loop',
    'training.networks_stylegan2', 'metrics.metric_base', 'metrics.features.efficientnet_lite0',
    'training.generation', 'dnnlib.submission.slurm.task, tensorflow', 'benchmarks.timing', 'tests.conftest'])
def test_onednn_is_on_when_tensorflow_loads(module, stand_in):
    assert _at_load(f'import {module}', stand_in) == '1'


def test_what_the_user_has_set_stays(stand_in):
    assert _at_load('import dnnlib.tflib', stand_in, **{ONEDNN: '0'}) == '0'


@pytest.fixture
def fresh(monkeypatch):
    """Simulate an x86 machine with no variable set, before TensorFlow is loaded."""
    monkeypatch.setattr(platform, 'machine', lambda: 'x86_64')
    monkeypatch.setenv(ONEDNN, '')  # restores the variable after the test
    monkeypatch.delenv(ONEDNN)
    monkeypatch.delitem(sys.modules, 'tensorflow', raising=False)
    return monkeypatch


def test_other_processors_are_left_alone(fresh):
    fresh.setattr(platform, 'machine', lambda: 'aarch64')
    tf_environment.prepare()
    assert ONEDNN not in os.environ


@pytest.mark.parametrize('is_on', [False, True])
def test_a_tensorflow_that_is_loaded_without_onednn_gets_a_line(is_on, fresh, capsys):
    fresh.setitem(sys.modules, 'tensorflow', object())
    fresh.setattr(tf_environment, 'onednn_is_on', lambda: is_on)
    tf_environment.prepare()
    assert capsys.readouterr().err == ('' if is_on else tf_environment.LATE + '\n')
    assert os.environ[ONEDNN] == '1'


def test_nobody_is_told_who_has_switched_onednn_off(fresh, capsys):
    fresh.setenv(ONEDNN, '0')
    fresh.setitem(sys.modules, 'tensorflow', object())
    tf_environment.prepare()
    assert capsys.readouterr().err == ''


@pytest.mark.parametrize('value', ['0', '1'])
def test_tensorflow_tells_whether_it_uses_onednn(value):
    code = 'from dnnlib import tf_environment; print(tf_environment.onednn_is_on())'
    env = {**os.environ, ONEDNN: value}
    out = subprocess.run([sys.executable, '-c', code], env=env, cwd=ROOT, text=True, check=True,
                         stdout=subprocess.PIPE).stdout
    assert out.strip() == str(value == '1')
