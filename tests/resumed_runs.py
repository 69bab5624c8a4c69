"""Start, stop and resume small training runs, and compare their output."""

import contextlib
import json
import pathlib
import re
import signal

import numpy as np
import tensorflow.compat.v1 as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import dnnlib
import dnnlib.tflib as tflib
from tests.golden_figures import QUICK, fresh_session, one_hot
from training.data.export import TFRecordExporter
from training.loop.trainer import Trainer
from training.resuming import command, found_runs, state_folder

TINY_G = dict(func_name='training.networks_stylegan2.G_main', fmap_base=32, fmap_max=4, latent_size=4,
              dlatent_size=4, mapping_fmaps=4, mapping_layers=1)
TINY_D = dict(func_name='training.networks_stylegan2.D_stylegan2', fmap_base=32, fmap_max=4,
              architecture='skip')  # the only architecture that supports resolution 4
AUGMENT = dict(
    class_name='training.augment.AdaptiveAugment', tune_heuristic='rt', tune_kimg=0.1, tune_target=0.0,
    initial_strength=0.5, apply_func='tests.resumed_runs.noisy', apply_args=dict(scale=2))
ADAM = dict(beta1=0.0, beta2=0.99, epsilon=1e-8)


def noisy(images, labels, strength, scale):
    """Augment images by noise."""
    return images + tflib.random.normal(tf.shape(images)) * (strength * scale), labels


def write_data(folder, size=(8, 8)):
    """Write a data set `tiny` of 20 images in three classes. size: height and width. -> folder."""
    rnd = np.random.RandomState(3)
    with TFRecordExporter(str(folder / 'tiny'), 20, print_progress=False) as exporter:
        for _ in range(20):
            exporter.add_image(rnd.randint(0, 256, [3, *size]).astype(np.uint8))
        exporter.add_labels(one_hot(20, 3))
    return folder


def start(data_dir, result_dir, session_config=QUICK, num_gpus=1, **kwargs):
    """Run the training loop in a new run directory. -> run directory."""
    sc = dnnlib.SubmitConfig()
    sc.run_dir_root = str(result_dir)
    sc.run_desc = 'test'
    sc.num_gpus = num_gpus
    sc.local.do_not_copy_source_files = True
    args = dict(
        data_dir=str(data_dir), dataset_args=dict(tfrecord_dir='tiny', resolution=8, shuffle_mb=1),
        G_args=TINY_G, D_args=TINY_D, G_opt_args=ADAM, D_opt_args=ADAM,
        G_loss_args=dict(func_name='training.loss.G_logistic_ns_pathreg'),
        D_loss_args=dict(func_name='training.loss.D_logistic_r1'), total_kimg=0.048, minibatch_repeats=1,
        sched_args=dict(minibatch_size_base=4, minibatch_gpu_base=4, tick_kimg_base=0.008, tick_kimg_dict={}),
        grid_args=dict(size='one', layout='random'), image_snapshot_ticks=2, network_snapshot_ticks=2)
    with fresh_session(session_config), contextlib.suppress(SystemExit):
        np.random.seed(5)
        dnnlib.submit_run(sc, 'training.training_loop.training_loop', **{**args, **kwargs})
    return sorted(pathlib.Path(result_dir).glob('0*-test'))[-1]


@contextlib.contextmanager
def stopped_after(iterations):
    """Raise a signal after every `iterations` iterations."""
    original = Trainer.check_skipped_steps
    count = [0]

    def check(trainer):
        original(trainer)
        count[0] += 1
        if count[0] % iterations == 0:
            signal.raise_signal(signal.SIGTERM)

    Trainer.check_skipped_steps = check
    try:
        yield
    finally:
        Trainer.check_skipped_steps = original


def resume(run_dir, session_config=QUICK, **changes):
    """Resume a run in a fresh session, as another process would."""
    run = found_runs.find_run(str(run_dir), None)
    sc = command.settings_with(run, {}, [], None)
    sc.run_func_kwargs.update(changes)
    with fresh_session(session_config), contextlib.suppress(SystemExit):
        tf.set_random_seed(99)
        np.random.seed(99)
        command.resume(run, sc)


def values(run_dir):
    """Return everything in the last training state. -> {name: array or number}."""
    state = state_folder.read(state_folder.paths(str(run_dir))[-1])
    reader = tf.train.load_checkpoint(state.path + '/variables')
    variables = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    content = {key: state.content[key] for key in ('seed', 'trainer', 'data', 'numpy')}
    return {**variables, **state.arrays, **{key: json.dumps(value) for key, value in content.items()}}


def tick_lines(run_dir):
    """Return the tick lines of log.txt without times."""
    lines = [line for line in (run_dir / 'log.txt').read_text().splitlines() if line.startswith('tick ')]
    times = r'(time|sec/tick|sec/kimg|maintenance) +\S+( +\d\ds)* +'
    return [re.sub(times, '', line) for line in lines]


def summaries(run_dir, times=False):
    """Return {name: [(step, value)]} from TensorBoard, with times if `times` is true."""
    events = EventAccumulator(str(run_dir))
    events.Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)]
            for tag in events.Tags()['scalars'] if times or not tag.startswith('Timing/')}


def differences(run_dir, other):
    """Return a list of differences between two runs that should be equal."""
    expected, actual = values(run_dir), values(other)
    found = sorted(set(expected) ^ set(actual))
    found += [name for name in sorted(set(expected) & set(actual))
              if not np.array_equal(expected[name], actual[name])]
    if tick_lines(other) != tick_lines(run_dir):
        found.append('lines of ticks')
    if str(summaries(other)) != str(summaries(run_dir)):  # as text, where NaN equals NaN
        found.append('TensorBoard')
    names = [{path.name for path in run.glob('*.p[kn][lg]')} for run in (run_dir, other)]
    found += [f'{name} is missing' for name in names[0] - names[1]]
    found += [picture.name for picture in sorted(run_dir.glob('*.png'))
              if picture.read_bytes() != (other / picture.name).read_bytes()]
    return found
