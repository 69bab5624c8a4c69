"""Test on which device each part of the training graph is, and what crosses between devices.

The host is a device of its own here, as on machines with GPUs: the towers are on CPUs 1 and 2.
"""

import collections
import contextlib
import re
from unittest import mock

import pytest
import tensorflow.compat.v1 as tf

import dnnlib
import dnnlib.tflib as tflib
from tests import gpu_form, resumed_runs
from tests.golden_figures import QUICK, fresh_session
from training.dataset import TFRecordDataset
from training.loop.graph import GraphSettings, LossSettings, build_train_graph

HOST, *TOWERS = (f'/job:localhost/replica:0/task:0/device:CPU:{index}' for index in range(3))
MINIBATCH = 4  # per device
IMAGES = MINIBATCH * 3 * 8 * 8  # bytes
SMALL = 64     # bytes: keys of random numbers, learning rates, moments of summaries
# What towers have on the host: keys of random numbers, and labels drawn from those of the data set.
KEYS = {'Const', 'Pack', 'Switch', 'StatelessRandomGetKeyCounter'}
LABELS = {'StatelessRandomUniformIntV2', 'GatherV2'}
STEPS = ['G_train', 'G_reg', 'D_train', 'D_reg', 'data_put', 'data_fetch', 'Gs_update']


def build(folder):
    """Build the graph of a training on both towers. -> TrainGraph, feed_dict."""
    data = TFRecordDataset(f'{folder}/tiny', max_label_size='full', shuffle_mb=1, mirror_augment=True)
    shape = dict(resolution=8, num_channels=3, label_size=3)
    with tflib.device(0):
        G = tflib.Network('G', **resumed_runs.TINY_G, **shape)
        D = tflib.Network('D', **resumed_runs.TINY_D, **shape)
        Gs = G.clone('Gs')
    settings = GraphSettings(
        LossSettings(dict(func_name='training.loss.G_logistic_ns_pathreg'), resumed_runs.ADAM, 4),
        LossSettings(dict(func_name='training.loss.D_logistic_r1'), resumed_runs.ADAM, 16),
        lazy_regularization=True, mirror_augment=True, drange_net=[-1, 1], G_smoothing_kimg=10.0,
        augment_args=resumed_runs.AUGMENT)
    sched = dnnlib.EasyDict(lod=0.0, G_lrate=0.002, D_lrate=0.002, minibatch_size=2 * MINIBATCH,
                            minibatch_gpu=MINIBATCH)
    graph = build_train_graph(G, D, Gs, data, settings, [sched], tflib.Cluster(2), seed=3)
    data.configure(MINIBATCH)
    return graph, {**graph.inputs.feed(sched), graph.inputs.step: 1}


def towers_beside_the_host():
    """Put tower i on CPU i + 1 in this context."""
    return mock.patch.object(tflib, 'device', lambda index: tf.device(f'/cpu:{index + 1}'))


@pytest.fixture(scope='module')
def training(tmp_path_factory):
    folder = resumed_runs.write_data(tmp_path_factory.mktemp('data'))
    with fresh_session({**QUICK, 'device_count.CPU': 3}) as session, towers_beside_the_host():
        graph, feed = build(folder)
        session.run(graph.data_put, feed)
        session.run(graph.data_fetch, feed)
        yield session, graph, feed


def run_and_look(training, step):
    """Run a step. -> {(source, target): {name of what is sent: bytes}}."""
    session, graph, feed = training
    metadata = tf.RunMetadata()
    options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE, output_partition_graphs=True)
    session.run(getattr(graph, step), feed, options=options, run_metadata=metadata)
    sizes = {(device.device, node.node_name, output.slot):
             output.tensor_description.allocation_description.requested_bytes
             for device in metadata.step_stats.dev_stats for node in device.node_stats
             for output in node.output}
    crossing = {}
    for part in metadata.partition_graphs:
        for node in part.node:
            if node.op == '_Send' and not node.input[0].startswith('^'):
                name, _, slot = node.input[0].partition(':')
                way = node.device, node.attr['recv_device'].s.decode()
                crossing.setdefault(way, {})[name] = sizes.get((node.device, name, int(slot or 0)), 0)
    return crossing


@pytest.mark.parametrize('step', STEPS)
def test_only_small_things_cross_between_devices_and_gradients_by_collectives(step, training):
    for (source, target), sent in run_and_look(training, step).items():
        limit = IMAGES if (step, source) == ('data_put', HOST) else SMALL if HOST in (source, target) else 0
        assert max(sent.values()) <= limit, (source, target, sent)


def test_images_travel_as_bytes_while_nothing_else_crosses(training):
    crossing = run_and_look(training, 'data_put')
    for tower in TOWERS:
        assert sorted(crossing[HOST, tower].values()) == [MINIBATCH * 3 * 4, IMAGES]  # labels, images
        assert set(crossing[tower, HOST].values()) == {0}  # that it is done


def test_no_step_waits_for_the_data_set_and_only_the_fetch_takes_what_has_been_put(training):
    _, graph, _ = training
    for step in STEPS:
        types = collections.Counter(op.type for op in tflib.xla.needed([getattr(graph, step)]))
        names = {op.name for op in tflib.xla.needed([getattr(graph, step)]) if op.type == 'VarHandleOp'}
        assert ('IteratorGetNext' in types) == (step == 'data_put'), step
        assert any('next_images' in name for name in names) == (step in ('data_put', 'data_fetch')), step


@pytest.mark.parametrize('form', [contextlib.nullcontext, gpu_form.built_for_gpus])
def test_every_op_of_a_tower_is_on_its_device_or_a_small_one_on_the_host(form, tmp_path):
    folder = resumed_runs.write_data(tmp_path)
    with fresh_session({**QUICK, 'device_count.CPU': 3}) as session, towers_beside_the_host(), form():
        graph, _ = build(folder)
        ancestors_of_put = {*tflib.xla.needed([graph.data_put])}
        ops = session.graph.get_operations()
    tower_of = {op: re.match(r'GPU(\d)/', op.name) for op in ops}
    elsewhere = [op for op, tower in tower_of.items()
                 if tower and op.device != f'/device:CPU:{int(tower[1]) + 1}']
    assert {op.device for op in elsewhere} == {'/device:CPU:0'}
    assert {op.type for op in elsewhere if '/DataFetch/' not in op.name} == KEYS | LABELS
    for op in elsewhere:  # apart from these, only what the data set does itself
        fetches = '/DataFetch/' in op.name and op in ancestors_of_put
        assert fetches or op.type in KEYS | LABELS, op.name
