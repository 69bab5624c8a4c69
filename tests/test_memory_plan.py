"""Test the memory plan: lifetimes on graphs with known peaks, plans of small trainings, and their text."""

import contextlib
import functools
import io
import multiprocessing
import os
import re
import subprocess
import time

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from benchmarks import memory, memory_grid, processes
from dnnlib.util import UserError
from tests import image_sets
from training.memory_plan import conditions, graphs, lifetimes, limits, nodes, op_kinds, plan, report, text

KB = 1000.0  # bytes of a tensor of 250 floats
TINY = dict(config='config-f', fmap_base=64, fmap_max=4)


def size_of(tensor):
    """Return the Bytes of a tensor. Those of [2,125] floats are counted for each image."""
    total = float((tensor.shape.num_elements() or 0) * op_kinds.element_bytes(tensor))
    return nodes.Bytes(0.0, total) if tensor.shape == [2, 125] else nodes.Bytes(total, 0.0)


@pytest.fixture(autouse=True)
def graph():
    """Build in a new graph."""
    with tf.Graph().as_default() as new:
        yield new


def all_moments(tensor, images=1, device=lifetimes.EVERYWHERE, **options):
    """Return the Moments of a tensor's evaluation."""
    return lifetimes.moments(nodes.of_steps([tensor.op], size_of)[0], images, **options)[device]


def peak(tensor, images=1, **options):
    """Return the largest number of bytes while a tensor is computed."""
    return all_moments(tensor, images, **options).peak(images).at(images)


def drawn(shape=(250,)):
    """Return a tensor of 1 KB that each step computes."""
    return tf.random_uniform(shape)


def turned(x):
    """Return a tensor of the same size that cannot overwrite x."""
    return tf.reverse(x, [0])


@pytest.mark.parametrize('threads', [0, 1, 2, 8])
def test_a_chain_holds_the_input_and_the_output_of_one_op(threads):
    x = drawn()
    for _ in range(5):
        x = turned(x)
    assert peak(x, threads=threads) == 2 * KB


def test_ops_on_elements_overwrite_what_nothing_else_needs():
    x = drawn()
    for _ in range(5):
        x = tf.exp(x) * 2.0
    assert peak(x) == KB
    kept = drawn()
    assert peak(tf.exp(tf.exp(kept)) + turned(kept)) == 3 * KB


def test_other_shapes_and_names_of_a_tensor_take_no_memory():
    x = tf.identity(tf.stop_gradient(tf.reshape(drawn(), [2, 5, 25])))
    assert peak(tf.expand_dims(tf.identity_n([x, x])[1], 0)) == KB


def test_a_tensor_is_kept_until_its_last_use():
    x = drawn()
    y = turned(turned(turned(x)))
    assert peak(tf.add(x, y)) == 3 * KB  # x, and input and output of each op in between


def test_gradients_keep_the_activations_of_all_layers():
    x = drawn()
    layers = [x]
    for _ in range(4):
        layers.append(tf.tanh(layers[-1]))
    gradient, = tf.gradients(layers[-1], x, tf.ones([250]) * drawn())
    assert peak(gradient) == 5 * KB  # the outputs of four layers and one gradient, or its source


def test_variables_and_constants_belong_to_no_step():
    var = tf.Variable(tf.zeros([250]))
    assert peak(tf.assign(var, turned(var.value()) + np.ones([250], np.float32))) == KB


def test_sizes_are_linear_in_the_number_of_images():
    x = tf.reshape(drawn([2, 125]), [250])
    found = all_moments(turned(x))  # 1 KB per image, and 1 KB
    assert found.peak(1) == (KB, KB) and found.peak(7).at(7) == 8 * KB
    assert lifetimes.Moments([(10.0, 0.0), (0.0, 4.0)]).peak(2) == (10, 0)
    assert lifetimes.Moments([(10.0, 0.0), (0.0, 4.0)]).peak(3) == (0, 4)
    assert lifetimes.Moments().peak(3) == (0, 0)


def test_branches_that_are_not_taken_allocate_nothing():
    condition = tf.placeholder(tf.bool, [], 'condition')
    x = drawn()
    y = tf.cond(condition, lambda: tf.reduce_sum(turned(turned(x))), lambda: tf.reduce_sum(x))
    names = {node.predicate for node in nodes.of_steps([y.op], size_of)[0]} - {None}
    taken, other = (peak(y, predicates=dict.fromkeys(names, value)) for value in (True, False))
    assert (taken, other) == (2 * KB, KB + 4) and peak(y) >= taken


def test_devices_are_counted_apart():
    with tf.device('/cpu:0'):
        x = turned(drawn())
    with tf.device('/cpu:1'):
        y = turned(turned(drawn()))
    both = tf.stack([tf.reduce_sum(x), tf.reduce_sum(y)])
    assert peak(both, device='/device:CPU:0') in (2 * KB, 2 * KB + 4)
    assert peak(both) > 2 * KB


def test_several_threads_run_branches_at_the_same_time():
    branches = [tf.reduce_sum(turned(turned(drawn()))) for _ in range(4)]
    assert peak(tf.add_n(branches), threads=1) < peak(tf.add_n(branches), threads=4)


@pytest.mark.parametrize(('lod', 'expected'), [(0.0, [True, False]), (1.5, [False, True])])
def test_conditions_follow_from_the_level_of_detail(lod, expected):
    lod_in = tf.placeholder(tf.float32, [], 'lod_in')
    var = tf.Variable(0.0, name='lod')
    tests = [tf.assign(var, lod_in) < 1, var - tf.floor(var) > 0.25]
    unknown = tf.random_uniform([]) < lod_in
    assert list(conditions.values([*tests, unknown], lod).values()) == expected


@pytest.mark.parametrize(('limit', 'group', 'expected'), [
    (0, 4, 0), (1, 4, 1), (3.5, 4, 3), (4, 4, 4), (7, 4, 4), (8, 4, 8), (1000, 4, 1000), (999, 32, 992),
    (31, 32, 31)])
def test_the_largest_minibatch_is_less_than_a_group_or_a_multiple(limit, group, expected):
    assert plan.most_images(lambda images: images <= limit, group) == expected


@pytest.fixture(scope='module')
def tiny():
    """Build a tiny training, without values. -> its settings, Planned for CPUs and for GPUs."""
    settings = memory.settings_of(minibatch_gpu=4, rounds=2, **TINY)
    return settings, *(graphs.build(settings, [3, 16, 16], 0, 1, form) for form in (graphs.CPU, graphs.GPU))


def test_a_plan_tells_what_is_held(tiny):
    settings, planned, _ = tiny
    first, together = plan.make(planned, settings, 2)
    G, D = planned.networks
    sizes = {net.name: 4 * sum(var.shape.num_elements() for var in net.vars.values()) for net in (G, D)}
    trained = 4 * sum(var.shape.num_elements() for net in (G, D) for var in net.trainables.values())
    held = {name: size.at(8) for name, size in first.held.items()}
    assert held['G'] == held['Gs'] == sizes['G'] and held['D'] == sizes['D']
    assert held['moments of the optimizers'] == pytest.approx(2 * trained, rel=0.01)
    assert held['accumulated gradients'] == pytest.approx(2 * trained, rel=0.01)  # of loss and regularizer
    assert held['held images'] == 8 * 3 * 16 * 16 * (4 + 1) and held['others'] < 10_000
    assert list(first.final.steps) == ['G_train', 'G_reg', 'D_train', 'D_reg']
    assert first.total(first.final) == pytest.approx(together.total(together.final))  # but for their order
    assert first.total(first.final) > first.held_bytes() and planned.num_ops > 1000


def test_the_number_of_images_in_the_planned_graph_does_not_matter(tiny, monkeypatch):
    settings, planned, _ = tiny
    monkeypatch.setattr(graphs, '_PRIMES', (499,))
    other = graphs.build(settings, [3, 16, 16], 0, 1, graphs.CPU)
    peaks = [plan.make(each, settings, 0)[0].final.peaks(images) for each in (planned, other)
             for images in (4, 40)]
    assert peaks[:2] == peaks[2:]


def test_the_form_for_gpus_is_channels_first_and_grouped(tiny):
    _, on_cpu, on_gpu = tiny
    formats = [{node.type for node in each.steps['G_train']} for each in (on_cpu, on_gpu)]
    assert 'Conv2D' in formats[1]
    for planned, expected in ((on_cpu, b'NHWC'), (on_gpu, b'NCHW')):
        ops = planned.session.graph.get_operations()
        assert {op.get_attr('data_format') for op in ops if op.type == 'Conv2D'} == {expected}


def test_planning_changes_no_graph_and_no_session(tiny):
    before = tf.get_default_graph(), tf.get_default_session()
    graphs.build(tiny[0], [1, 8, 8], 3, 1, graphs.CPU)
    assert (tf.get_default_graph(), tf.get_default_session()) == before
    assert tf.get_default_graph().get_operations() == []


def test_half_precision_is_planned_for_gpus_only():
    settings = memory.settings_of('auto', 4, 64, 4, resolution=16)
    assert graphs.network_settings(settings, graphs.CPU).precision is None
    planned = graphs.build(settings, [3, 16, 16], 0, 1, graphs.GPU)
    dtypes = {op.outputs[0].dtype for op in planned.session.graph.get_operations() if op.type == 'Conv2D'}
    assert tf.float16 in dtypes


def test_a_growing_training_is_planned_at_every_resolution():
    settings = memory.settings_of('stylegan', 4, 64, 4)
    settings['sched_args'].update(lod_initial_resolution=8, minibatch_gpu_dict={8: 32, 16: 8},
                                  minibatch_size_dict={8: 32, 16: 8})
    made, _ = plan.make(graphs.build(settings, [3, 32, 32], 0, 1, graphs.CPU), settings, 2)
    assert [(phase.resolution, phase.images) for phase in made.phases] == [(8, 32), (16, 8), (32, 4)]
    per_image = [phase.largest()[1].per_image for phase in made.phases]
    assert per_image == sorted(per_image) and made.held_images == 32
    lines = text.gpu_lines(made, [], 4, '--minibatch-gpu')
    assert [line for line in lines if line.startswith('at ')]


def tiny_plan(form=graphs.GPU, bytes_per_image=2 ** 30):
    """Return a Plan of numbers that are easy to check."""
    held = {**dict.fromkeys(plan.KINDS, nodes.Bytes()), 'G': nodes.Bytes(2.0 ** 29, 0.0)}
    steps = {name: lifetimes.Moments([(0.0, size)]) for name, size in
             (('G_train', bytes_per_image), ('D_train', 1.0))}
    return plan.Plan(form, held, 4, [plan.Phase(64, 4, steps)])


def test_the_text_names_the_most_expensive_step_and_the_minibatch_for_each_card():
    lines = text.gpu_lines(tiny_plan(), [], 4, '--minibatch-gpu')
    assert 'not measured on one' in lines[1]
    assert any(line.split()[0] == 'G_train' and 'most expensive' in line for line in lines if line)
    assert lines[-1] == ('Largest --minibatch-gpu that fits into a card of 8 GB: 4, 12 GB: 8, 16 GB: 12, '
                         '24 GB: 20, 40 GB: 36, 80 GB: 76.')


def test_a_training_that_does_not_fit_is_warned_of_with_what_fits():
    *_, line = text.gpu_lines(tiny_plan(), [5 << 30, 8 << 30], 4, '--minibatch-gpu')
    assert line == ('Warning: the training needs about 6.00 GB, but the GPU has 5.00 GB; the largest '
                    '--minibatch-gpu that fits is 3.')
    on_cpu = plan.CpuPlan(tiny_plan(), tiny_plan(), 1, 2 ** 28, 2 ** 28)
    *_, line = text.cpu_lines(on_cpu, 4 << 30, 4, '--minibatch-gpu')
    assert line.endswith('but this machine has 4.00 GB; the largest --minibatch-gpu that fits is 1.')
    *_, line = text.cpu_lines(on_cpu, 1 << 29, 4, '--minibatch-gpu')
    assert 'not even one image' in line
    assert not text.cpu_lines(on_cpu, 10 << 30, 4, '--minibatch-gpu')[-1].startswith('Warning')


def test_more_devices_than_in_the_graph_need_as_much_as_the_second():
    one, two = tiny_plan(), tiny_plan(bytes_per_image=2 ** 31)
    totals = [plan.CpuPlan(one, two, number, 0, 0).tensors(0) for number in (2, 3, 4)]
    assert np.diff(totals).tolist() == [2 ** 32, 2 ** 32]


def test_images_that_are_read_ahead_are_in_the_plan():
    settings = {'dataset_args': {}}
    assert report.bytes_ahead(settings, [3, 256, 256]) == 4096 * 3 * 256 * 256
    assert report.bytes_ahead(settings, [3, 1024, 1024]) == 683 * 3 * 1024 * 1024  # 2 GB, rounded up
    assert report.bytes_ahead({'dataset_args': {'prefetch_mb': 0}}, [3, 256, 256]) == 0


def test_the_rest_of_a_training_grows_with_its_pictures_and_tensors():
    sizes = [report.picture_bytes({'grid_args': args}, [3, 512, 512])
             for args in ({'size': '4k'}, {}, {'size': 'one'})]
    assert [size / (3 * 512 * 512 * report.PICTURE_COPIES) for size in sizes] == [28, 6, 1]
    made = plan.CpuPlan(tiny_plan(), tiny_plan(), 1, 2 ** 28, 2 ** 28)
    assert made.rest(0) == 2 ** 28 + plan.LATER_SHARE * 2 ** 32
    assert made.whole(0) == made.total(0) + made.rest(0)


def end():
    os._exit(1)


@pytest.mark.parametrize('fault', [None, end, functools.partial(time.sleep, 60)], ids=['no', 'end', 'hang'])
def test_a_function_runs_in_a_copy_of_the_process_or_after_a_fault_here(fault, monkeypatch):
    def where():
        if fault is not None and os.getpid() != here:
            fault()
        return os.getpid()

    here = os.getpid()
    monkeypatch.setattr(report, 'num_cores', lambda: 2)
    if fault is not None:
        monkeypatch.setattr(report, 'SECONDS_TO_WAIT', 0.5)
    start = time.monotonic()
    with report._beside(where) as result:
        assert (result() == here) == (fault is not None)
    assert multiprocessing.active_children() == [] and time.monotonic() - start < 30


def test_errors_of_a_function_are_raised_here(monkeypatch, capfd):
    monkeypatch.setattr(report, 'num_cores', lambda: 2)
    with pytest.raises(ZeroDivisionError), report._beside(divmod, 1, 0) as result:
        result()
    assert capfd.readouterr().err == ''


@pytest.mark.parametrize(('error', 'line'), [
    (UserError('x.zip: it is damaged'), 'No estimate of the memory: x.zip: it is damaged\n'),
    (ValueError('no such\nthing'), 'No estimate of the memory: ValueError: no such\n')])
def test_what_prevents_an_estimate_is_said_in_a_line(error, line, monkeypatch):
    def fail(*_args):
        raise error

    monkeypatch.setattr(report, '_lines', fail)
    file = io.StringIO()
    report.show({}, 1, file)
    assert file.getvalue() == line


def test_a_data_set_of_ones_own_class_is_not_constructed():
    with pytest.raises(UserError, match='my.Set'):
        report.shapes_of({'dataset_args': {'class_name': 'my.Set'}})


def test_the_memory_of_gpus_comes_from_nvidia_smi(monkeypatch, tmp_path):
    script = tmp_path / 'nvidia-smi'
    script.write_text('#!/bin/sh\necho 0, A, 16384, 0, 570.1, 9.0\necho 1, A, 8192, 0, 570.1, 9.0\n')
    script.chmod(0o755)
    monkeypatch.setenv('PATH', str(tmp_path), prepend=':')
    assert limits.of_gpus() == []  # none that TensorFlow can use
    monkeypatch.setattr(tf.config, 'list_physical_devices', lambda kind: ['GPU:0'])
    assert limits.of_gpus() == [16 << 30, 8 << 30]


def test_the_memory_of_the_machine_is_known():
    assert limits.of_machine() > limits.of_process() > 1 << 26


def check(result):
    """Check a comparison of plan and measurement."""
    for part in ('tensors', 'process'):
        assert 0.8 <= result[part]['plan'] / result[part]['measured'] <= 1.2, result


def test_the_plan_of_a_training_is_within_20_percent_of_what_it_takes():
    arguments = dict(config='config-f', resolution=64, minibatch_gpu=8, fmap_base=1024, fmap_max=64)
    check(processes.call('memory.compare', arguments))  # this process holds the graphs of other tests


@pytest.mark.long
@pytest.mark.parametrize('arguments', memory_grid.TRAININGS, ids=memory_grid.name_of)
def test_plans_of_many_trainings_are_within_20_percent(arguments):
    check(processes.call('memory.compare', arguments))


def largest_size(command):
    """Run a command. -> the most bytes of memory that its process had."""
    size = 0
    with subprocess.Popen(command, cwd=processes.ROOT, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            with contextlib.suppress(ProcessLookupError), open(f'/proc/{process.pid}/status') as file:
                found = re.search(r'^VmHWM:\s*(\d+) kB', file.read(), re.MULTILINE)
            size = int(found[1]) * 1024 if found else size
            time.sleep(0.1)
    assert process.returncode == 0
    return size


@pytest.mark.long
def test_a_whole_training_takes_what_its_dry_run_says(tmp_path):
    image_sets.write_folder(tmp_path / 'images', image_sets.pixels(64, height=32, width=32))
    command = processes.python(
        'train.py', f'--data={tmp_path}/images', f'--outdir={tmp_path}/out', '--cfg=auto', '--batch=8',
        '--kimg=1', '--snap=1', '--metrics=none', '--fmap-base=512', '--fmap-max=32')
    said = subprocess.run([*command, '--dry-run'], cwd=processes.ROOT, capture_output=True, text=True,
                          check=True).stderr
    planned = re.search(r'^  together +([\d.]+) GB  for the whole training', said, re.MULTILINE)
    assert 0.8 <= float(planned[1]) * 2 ** 30 / largest_size(command) <= 1.2
