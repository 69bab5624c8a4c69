"""Test that sums over devices equal NumPy's, that processes agree on keys, and that duplicate devices are
found."""

import itertools

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from dnnlib.parallel.workers import Workers
from dnnlib.tflib import Cluster, Optimizer
from dnnlib.tflib.parallel import collectives
from tests.golden_figures import QUICK, fresh_session
from tests.golden_recipe import golden_input

SHAPES = [[], [3, 2], [0], [1, 1, 5]]
FOUR_DEVICES = {**QUICK, 'device_count.CPU': 4}


@pytest.fixture(scope='module')
def module_session():
    """Share one graph and session with four CPU devices between all tests."""
    with fresh_session(FOUR_DEVICES) as opened:
        yield opened


def names_of(count):
    return [f'/device:CPU:{index}' for index in range(count)]


def inputs_of(count):
    """Return inputs as [[array per shape] per device]."""
    return [[golden_input(f'{index}{shape}', shape) for shape in SHAPES] for index in range(count)]


def constants(arrays, device_names):
    """Create tensors with these values on these devices."""
    result = []
    for values, name in zip(arrays, device_names, strict=True):
        with tf.device(name):
            result.append([tf.constant(value) for value in values])
    return result


def build_sums(count):
    return collectives.all_reduce_sum(constants(inputs_of(count), names_of(count)), names_of(count))


def expected_sums(count):
    return [np.sum(arrays, axis=0) for arrays in zip(*inputs_of(count), strict=True)]


def reduce_ops(graph):
    return [op for op in graph.get_operations() if op.type == 'CollectiveReduce']


@pytest.mark.parametrize('count', [1, 2, 4])
def test_every_device_gets_the_sum_over_all(count, module_session):
    sums = module_session.run(build_sums(count))
    for values in sums:
        for value, first, right in zip(values, sums[0], expected_sums(count), strict=True):
            assert value.shape == right.shape
            np.testing.assert_allclose(value, right, atol=1e-6)
            np.testing.assert_array_equal(value, first, err_msg='devices differ')


def test_sums_are_where_they_are_used(module_session):
    sums = build_sums(2)
    assert [{tensor.device for tensor in tensors} for tensors in sums] == [{name} for name in names_of(2)]


def test_all_tensors_of_a_device_go_through_one_collective():
    with tf.Graph().as_default() as graph:
        build_sums(4)
        assert sorted(op.device for op in reduce_ops(graph)) == names_of(4)


def test_several_sums_in_one_call_do_not_mix(module_session):
    pair, other_pair, all_four = build_sums(2), build_sums(2), build_sums(4)
    results = module_session.run([other_pair, all_four, pair])
    for result, count in zip(results, (2, 4, 2), strict=True):
        np.testing.assert_allclose(result[0][1], expected_sums(count)[1], atol=1e-6)


@pytest.mark.parametrize('count', [2, 4])
def test_a_later_graph_has_sums_of_its_own(count, module_session):
    before = module_session.run(build_sums(2))
    with fresh_session({**QUICK, 'device_count.CPU': count}) as later:
        assert later.run(build_sums(count))[0][1].shape == (3, 2)
    np.testing.assert_array_equal(module_session.run(build_sums(2))[1][1], before[1][1])


def build_afresh():
    """Build a graph with two sums, as a newly started process does."""
    with pytest.MonkeyPatch.context() as patch, tf.Graph().as_default() as graph:
        patch.setattr(collectives, '_instance_keys', itertools.count(1))
        build_sums(2)
        build_sums(4)
        return graph.as_graph_def()


def test_processes_that_build_the_same_graph_agree_on_all_keys():
    assert build_afresh() == build_afresh()


def test_keys_tell_collectives_and_sets_of_devices_apart():
    with tf.Graph().as_default() as graph:
        for names in (names_of(2), names_of(2)[::-1], names_of(3)):
            collectives.all_reduce_sum(constants(inputs_of(len(names)), names), names)
        group_keys, instance_keys = (
            [op.get_attr(name) for op in reduce_ops(graph)] for name in ('group_key', 'instance_key'))
    assert len(set(instance_keys)) == 3
    assert len(set(group_keys[:4])) == 1 and len(set(group_keys[4:])) == 1
    assert group_keys[0] != group_keys[4]
    assert all(0 < key < 2 ** 31 for key in group_keys)


def test_devices_of_a_group_may_be_spread_over_processes(module_session, monkeypatch):
    sums = []
    for index, name in enumerate(names_of(2)):  # each process builds the part for its own device
        monkeypatch.setattr(collectives, '_instance_keys', itertools.count(1000))
        tensors = constants(inputs_of(2)[index:index + 1], [name])
        sums += collectives.all_reduce_sum(tensors, [name], group=names_of(2))
    for values in module_session.run(sums):
        np.testing.assert_allclose(values[1], expected_sums(2)[1], atol=1e-6)


def gradients_of_worker(index):
    """Return the collectives of an update in one of three workers with one device each."""
    cluster = Cluster(1, Workers(('a:1', 'b:1', 'c:1'), index), link='not None: others are there')
    with fresh_session(QUICK) as session, pytest.MonkeyPatch.context() as patch:
        patch.setattr(collectives, '_instance_keys', itertools.count(1))
        optimizer = Optimizer(cluster=cluster)
        with tf.device('/cpu:0'):
            var = tf.Variable(np.zeros(3, np.float32))
            optimizer.register_gradients(tf.reduce_sum(var), [var])
        optimizer.apply_updates()
        return reduce_ops(session.graph)


@pytest.mark.parametrize('count', [2, 4])
def test_gpus_of_one_process_sum_by_nccl(count):
    with tf.Graph().as_default() as graph:
        build_sums(count)
        assert {op.get_attr('communication_hint') for op in reduce_ops(graph)} == {b'nccl'}


def test_workers_join_in_one_sum_and_ask_for_nccl():
    ops = [gradients_of_worker(index) for index in range(3)]
    assert [len(of_worker) for of_worker in ops] == [1, 1, 1]
    ops = [op for [op] in ops]
    assert [op.device for op in ops] == [
        f'/job:worker/replica:0/task:{index}/device:CPU:0' for index in range(3)]
    for name in ('group_key', 'instance_key'):
        assert len({op.get_attr(name) for op in ops}) == 1
    for op in ops:
        assert op.get_attr('group_size') == 3
        assert op.get_attr('communication_hint') == b'nccl'


def test_an_error_on_one_device_ends_the_call():
    with fresh_session(FOUR_DEVICES) as session:
        tensors = constants([[np.ones(2, np.float32)]], names_of(1))
        with tf.device('/cpu:1'):
            tensors.append([tf.check_numerics(tf.log(tf.constant([-1.0, 1.0])), 'this is not finite')])
        sums = collectives.all_reduce_sum(tensors, names_of(2))
        with pytest.raises(tf.errors.InvalidArgumentError, match='this is not finite'):
            session.run(sums)


def test_one_thread_is_enough():
    with fresh_session({**FOUR_DEVICES, 'inter_op_parallelism_threads': 1}) as session:
        assert len(session.run(build_sums(4))) == 4


@pytest.mark.parametrize('names, expected', [
    (names_of(4), True),
    (['/device:CPU:3', '/job:localhost/replica:0/task:0/device:CPU:0'], True),
    (['/device:CPU:0', '/device:CPU:0'], False),
    (['/device:CPU:0', '/job:localhost/replica:0/task:0/device:CPU:0'], False),
    (['/device:CPU:0', '/device:CPU:4'], False),
    (['/device:GPU:90', '/device:GPU:91'], False),
    (['/device:CPU:0', ''], False)])
def test_only_different_devices_of_the_session_sum_collectively(names, expected, module_session):
    assert collectives.is_collective(names) is expected
