"""Test that TF_CONFIG and flags define the workers, and that invalid values cause a one-line error."""

import json
import os

import pytest

import dnnlib
from dnnlib.parallel import workers
from dnnlib.util import UserError

HOSTS = ['a:1', 'b:2', '[::1]:3']


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Restore TF_CONFIG and the variables that depend on it."""
    monkeypatch.setenv('TF_CONFIG', '')
    monkeypatch.setenv('TF_CPP_MIN_LOG_LEVEL', '2')
    return monkeypatch


def read(config):
    os.environ['TF_CONFIG'] = config if isinstance(config, str) else json.dumps(config)
    return workers.from_environment()


@pytest.mark.parametrize('config, addresses, index', [
    ('', [], 0),
    ({}, [], 0),
    ({'cluster': {'worker': ['a:1']}, 'task': {'type': 'worker', 'index': 0}}, [], 0),
    ({'cluster': {'worker': HOSTS}, 'task': {'type': 'worker', 'index': 2}}, HOSTS, 2),
    ({'cluster': {'chief': ['a:1'], 'worker': ['b:2']}, 'task': {'type': 'chief'}}, HOSTS[:2], 0),
    ({'cluster': {'chief': ['a:1'], 'worker': ['b:2']}, 'task': {'type': 'worker'}}, HOSTS[:2], 1)])
def test_tf_config_names_the_workers(config, addresses, index):
    found = read(config)
    assert (list(found.addresses), found.index) == (addresses, index)
    assert found.count == max(len(addresses), 1)
    assert found.is_first == (index == 0)


@pytest.mark.parametrize('config', [
    'worker 0', '[]', {'cluster': ['a:1']}, {'cluster': {'worker': ['a:1', 'b:2']}, 'task': {'index': 'x'}},
    {'cluster': {'worker': ['a:1'], 'ps': ['b:2']}}, {'cluster': {'worker': HOSTS}, 'task': {'index': 3}},
    {'cluster': {'worker': ['a:1', 'a:1']}}, {'cluster': {'worker': ['a', 'b:2']}},
    {'cluster': {'worker': ['a:1', 'b:70000']}}, {'cluster': {'worker': [1, 2]}},
    {'cluster': {'evaluator': ['a:1']}}, {'cluster': {'worker': HOSTS}, 'task': {'index': -1}}])
def test_a_tf_config_that_makes_no_sense_is_refused(config):
    with pytest.raises(UserError, match='TF_CONFIG'):
        read(config)


def test_flags_win_over_tf_config_and_are_found_there():
    read({'cluster': {'worker': ['x:1', 'y:2']}})
    expected = workers.Workers(tuple(HOSTS), 1)
    assert workers.from_flags(HOSTS, 1) == expected == workers.from_environment()


def test_tensorflow_says_less_with_several_workers_unless_a_level_is_set(environment):
    workers.from_flags(['a:1'], 0)
    assert os.environ['TF_CPP_MIN_LOG_LEVEL'] == '2'
    workers.from_flags(HOSTS, 0)
    assert os.environ['TF_CPP_MIN_LOG_LEVEL'] == '3'
    environment.setenv('TF_CPP_MIN_LOG_LEVEL', '0')
    workers.from_flags(HOSTS, 0)
    assert os.environ['TF_CPP_MIN_LOG_LEVEL'] == '0'


@pytest.mark.parametrize('addresses, index', [(HOSTS, None), (None, 0), (HOSTS, 3), ([''], 0)])
def test_flags_that_do_not_go_together_are_refused(addresses, index):
    with pytest.raises(UserError, match='--worker'):
        workers.from_flags(addresses, index)


def speak(text):
    """Print the text, as a run function."""
    print(text)
    assert dnnlib.submit_config.num_gpus == 3 and dnnlib.submit_config.run_dir is None


def test_a_follower_has_no_run_directory_and_prints_nothing(capsys, tmp_path):
    sc = dnnlib.SubmitConfig()
    sc.num_gpus = 3
    sc.run_dir_root = str(tmp_path)
    workers.follow(sc, f'{__name__}.speak', text='hello')
    assert capsys.readouterr().out == '' and not list(tmp_path.iterdir())
    assert dnnlib.submit_config is None
