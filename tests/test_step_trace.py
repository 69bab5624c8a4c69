"""Test what benchmarks.step_trace says about devices that wait for images, and one real trace."""

import json

import pytest
import tensorflow.compat.v1 as tf

from benchmarks import step_trace, trace_calls
from benchmarks.trace_calls import AHEAD, BETWEEN, Call, Node

IMAGES = 'GPU1/DataFetch/AssignVariableOp'


def call(*nodes, step='G_train'):
    return Call(step, tuple(Node(*node) for node in nodes), stats=None)


def test_a_device_is_busy_while_it_computes_and_not_while_images_are_on_their_way():
    made = call(('CPU:1', 'GPU1/Conv2D', 1, 3), ('CPU:1', 'GPU1/Mul', 2, 4), ('CPU:1', 'GPU1/Add', 5, 6),
                ('CPU:1', 'GPU1/DataFetch/IteratorGetNext', 0, 9), ('CPU:0', 'GPU0/Conv2D', 0, 8))
    assert made.busy('CPU:1') == [(1, 4), (5, 6)]
    assert (made.devices, made.begin, made.end) == (['CPU:0', 'CPU:1'], 0, 9)


@pytest.mark.parametrize('arrival, waited', [(3, 0), (6, 0), (8, 2)])
def test_a_device_waits_for_images_that_arrive_after_its_last_computation(arrival, waited):
    made = call(('CPU:1', 'GPU1/Conv2D', 1, 6), ('CPU:1', IMAGES, 2, arrival))
    assert made.waited('CPU:1') == waited
    assert made.arrival('CPU:0') is None and made.waited('CPU:0') == 0


def test_a_call_that_only_brings_images_is_waited_for_as_a_whole():
    brings = call(('CPU:0', 'GPU1/DataFetch/IteratorGetNext', 10, 12), ('CPU:1', IMAGES, 12, 13),
                  ('CPU:1', 'GPU1/DataFetch/group_deps', 13, 14), step='data_put')
    trains = call(('CPU:1', 'GPU1/Conv2D', 14, 20), ('CPU:0', 'GPU0/Conv2D', 14, 20))
    assert trace_calls.waiting_shares([brings, trains]) == {'CPU:0': 0, 'CPU:1': 3 / 10}


def test_help_says_what_is_written(capsys):
    with pytest.raises(SystemExit):
        step_trace.make_parser().parse_args(['--help'])
    assert 'step_trace.png' in capsys.readouterr().out


@pytest.mark.long
def test_images_arrive_while_another_step_computes_and_no_step_reads_the_data_set():
    with tf.Graph().as_default():
        runs = trace_calls.both_ways(2)
        tf.get_default_session().kept_default.__exit__(None, None, None)
    steps = ['G_train', 'data_fetch', 'D_train', 'G_train', 'G_reg', 'data_fetch', 'D_train', 'D_reg']
    assert [made.step for made in runs[AHEAD]] == steps
    assert [made.step for made in runs[BETWEEN] if made.step != 'data_put'] == steps
    for way, step in ((AHEAD, 'G_train'), (BETWEEN, 'data_put')):
        for made in runs[way]:
            reads = any(node.name.endswith('IteratorGetNext') for node in made.nodes)
            arrivals = [made.arrival(device) for device in ('CPU:0', 'CPU:1')]
            assert reads == (made.step == step) == all(arrivals), (way, made.step)
    events = json.loads(trace_calls.chrome_trace(runs[AHEAD]))['traceEvents']
    assert {'AssignVariableOp', 'CollectiveReduce', 'IteratorGetNext'} <= {event['name'] for event in events}
