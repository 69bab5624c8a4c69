"""Times generation and training of config F in this process, in one precision, with XLA or without."""

import time

import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from benchmarks import generation, timing, training
from training.dataset import SyntheticDataset

GPU = 'GPU:0'


def generate(resolution, minibatches, seconds, fmap_base, fmap_max, **variant):
    """Time images of one resolution, as bytes on the host. Yields a dict for each minibatch.

    seconds: at least as long is measured. variant: `precision` and `xla`.
    """
    prepare(**variant)
    args = {**generation.SETTINGS['G_args'], 'fmap_base': fmap_base, 'fmap_max': fmap_max}
    G = generation.network('G', resolution, args)
    for minibatch in minibatches:
        images = generation.drawing(G, minibatch)
        start = time.perf_counter()
        images()
        first = time.perf_counter() - start
        elapsed = timing.cost_of(images, seconds)[0]
        yield dict(kind='generation', resolution=resolution, minibatch=minibatch, **variant,
                   first_seconds=first, seconds_per_image=elapsed / minibatch, gpu_bytes=_peak_bytes())


def train(resolution, minibatch, seconds, fmap_base, fmap_max, **variant):
    """Time all steps of an iteration by themselves. Yields one dict; arguments as in `generate`."""
    prepare(**variant)
    tflib.init_tf({'rnd.np_random_seed': 1})
    start = time.perf_counter()
    training_set = SyntheticDataset(resolution)
    *_, graph, feed = training.build(training_set, fmap_base, fmap_max, minibatch)
    steps = training.steps_of(graph)
    for ops, _ in steps.values():
        tflib.run(ops, feed)
    first = time.perf_counter() - start
    costs = {name: timing.cost_of(lambda ops=ops: tflib.run(ops, feed), seconds / len(steps))[0]
             for name, (ops, _) in steps.items()}
    per_minibatch = sum(weight * costs[name] for name, (_, weight) in steps.items())
    yield dict(kind='training', resolution=resolution, minibatch=minibatch, **variant, first_seconds=first,
               seconds_per_kimg=per_minibatch * 1000 / minibatch, steps=costs, gpu_bytes=_peak_bytes())


def prepare(precision, xla):
    """Set up TensorFlow before anything is built."""
    tf.config.experimental.enable_tensor_float_32_execution(precision != 'float32')


def _peak_bytes():
    """Return the most memory that has been in use on the first GPU; None without one."""
    if not tf.config.list_physical_devices('GPU'):
        return None
    return tf.config.experimental.get_memory_info(GPU)['peak']
