"""Test training.resuming.state_folder: states are complete or absent, and damage is detected."""

import os
import pathlib

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.tflib.autosummary import accumulators, autosummary
from dnnlib.util import UserError
from training.resuming import state_folder, state_keeper


@pytest.fixture
def variables(session):
    """Create a variable `a`, its copy `b`, and an independent one, `c`."""
    a, b, c = [tf.Variable(np.float32([1, 2, number]), name=name) for number, name in enumerate('abc')]
    tflib.run([var.initializer for var in (a, b, c)])
    return state_folder.Variables([a], {b: a})


def write(run_dir, nimg, variables, **content):
    return state_folder.write(str(run_dir), nimg, variables, {'x': np.arange(3)}, content)


def spoil(path, name):
    file = pathlib.Path(path) / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


FILES = ['state.json', 'arrays.npz', 'variables.index', 'variables.data-00000-of-00001']


def test_a_state_comes_back_as_it_was(variables, tmp_path):
    a, b, c = tf.global_variables()
    path = write(tmp_path, 12345, variables, number=0.1)
    assert os.path.basename(path) == 'training-state-000012.345'
    assert sorted(os.listdir(path)) == sorted(FILES)
    assert os.listdir(tmp_path) == ['training-state-000012.345'], 'nothing else is left'
    tflib.set_vars({var: [9, 9, 9] for var in (a, b, c)})
    state = state_folder.read(path)
    assert state.content == {'number': 0.1}
    assert state.arrays['x'].tolist() == [0, 1, 2]
    variables.restore(state, empty_summaries=False)
    assert [tflib.run(var).tolist() for var in (a, b, c)] == [[1, 2, 0], [1, 2, 0], [9, 9, 9]]
    state_folder.amend(path, {'number': 0.2})
    assert state_folder.read(path).content == {'number': 0.2}


@pytest.mark.parametrize('name', FILES)
def test_the_state_before_a_damaged_one_is_used_with_a_warning(name, variables, tmp_path, capsys):
    paths = [write(tmp_path, nimg, variables) for nimg in (4, 8, 12)]
    spoil(paths[2], name)
    os.remove(os.path.join(paths[1], name))
    with pytest.raises(state_folder.DamagedState, match=f'{paths[2]}: .*{name}'):
        state_folder.read(paths[2])
    assert state_folder.newest(str(tmp_path)).path == paths[0]
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(': ')[1] for line in lines] == [paths[2], paths[1]]
    assert all(line.startswith('Warning: ') for line in lines)
    spoil(paths[0], name)
    assert state_folder.newest(str(tmp_path)) is None


def test_the_newest_states_are_kept(variables, tmp_path):
    paths = [write(tmp_path, nimg, variables) for nimg in (4, 8, 1000000)]
    state_folder.keep_newest(str(tmp_path), 2)
    assert state_folder.paths(str(tmp_path)) == paths[1:]
    assert len(os.listdir(tmp_path)) == 2


def test_a_full_disk_leaves_the_states_before(variables, tmp_path, monkeypatch):
    first = write(tmp_path, 4, variables)

    def fill_the_disk(saver, session, prefix, **_kwargs):
        pathlib.Path(prefix + '.index').write_bytes(b'half of')
        raise tf.errors.ResourceExhaustedError(None, None, f'{prefix}.data; No space left on device')

    monkeypatch.setattr(tf.train.Saver, 'save', fill_the_disk)
    with pytest.raises(OSError, match='No space left.*training-state-000000.008'):
        write(tmp_path, 8, variables)
    assert os.listdir(tmp_path) == [os.path.basename(first)]
    state_folder.read(first)


def test_a_state_of_another_graph_is_refused(variables, tmp_path):
    state = state_folder.read(write(tmp_path, 4, variables))
    tf.Variable(0.0, name='new')
    other = state_folder.Variables(tf.global_variables(), {})
    with pytest.raises(UserError, match='does not fit the networks and optimizers of this run'):
        other.restore(state, empty_summaries=False)


def test_a_mean_that_a_state_does_not_know_begins_empty(variables, tmp_path):
    """A run that an earlier version began resumes, although this one records more."""
    [a, *_] = tf.global_variables()
    state = state_folder.read(write(tmp_path, 4, variables))
    loss = autosummary('Loss/G/loss', tf.constant([1.0, 3.0]))
    more = state_folder.Variables([a, *accumulators()], {})
    tflib.set_vars({a: [9, 9, 9]})
    more.restore(state, empty_summaries=False)
    assert tflib.run(a).tolist() == [1, 2, 0]
    tflib.run(loss)
    assert [tflib.run(var).tolist() for var in accumulators()] == [[2, 4, 10]]
    assert state_folder.read(write(tmp_path, 8, more)), 'and its own states have it'


def test_logs_are_cut_off_where_they_were(tmp_path):
    (tmp_path / 'log.txt').write_text('one')
    (tmp_path / 'metric-fid50k.txt').write_text('1')
    sizes = state_keeper.log_sizes(str(tmp_path))
    assert sizes == {'log.txt': 3, 'metric-fid50k.txt': 1}
    (tmp_path / 'log.txt').write_text('one and two')
    (tmp_path / 'events.out.tfevents.1').write_text('new')
    (tmp_path / 'fakes000000.png').write_text('stays')
    assert state_keeper.cut_logs(str(tmp_path), sizes) == ['log.txt', 'events.out.tfevents.1']
    assert (tmp_path / 'log.txt').read_text() == 'one'
    assert sorted(os.listdir(tmp_path)) == ['fakes000000.png', 'log.txt', 'metric-fid50k.txt']
