"""Times generation, training and FIR filters of config F in this process, with XLA or without."""

import functools
import itertools
import time

import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from benchmarks import generation, timing, training
from benchmarks.fir_forms import forms
from dnnlib.util import EasyDict
from training.dataset import SyntheticDataset
from training.loop.steps import Steps
from training.settings import precision as precisions
from training.settings.configs import config_settings

GPU = 'GPU:0'
CONFIG = 'config-f'


def generate(resolution, minibatches, seconds, fmap_base, fmap_max, **variant):
    """Time images of one resolution, as bytes on the host. Yields a dict for each minibatch.

    seconds: at least as long is measured. variant: `precision` and `xla`.
    """
    settings = prepare(**variant)
    args = {**settings['G_args'], 'fmap_base': fmap_base, 'fmap_max': fmap_max}
    G = generation.network('G', resolution, args)
    for minibatch in minibatches:
        images = generation.drawing(G, minibatch)
        first = _seconds(images)
        elapsed = timing.cost_of(images, seconds)[0]
        yield dict(kind='generation', resolution=resolution, minibatch=minibatch, **variant,
                   first_seconds=first, seconds_per_image=elapsed / minibatch, gpu_bytes=_peak_bytes())


def train(resolution, minibatch, seconds, fmap_base, fmap_max, **variant):
    """Time all steps of an iteration by themselves. Yields one dict; arguments as in `generate`."""
    settings = prepare(**variant)
    training_set = SyntheticDataset(resolution)
    *_, graph, feed = training.build(training_set, fmap_base, fmap_max, minibatch, settings=settings)
    run, sched = Steps(graph).run, EasyDict(minibatch_gpu=minibatch, lod=0.0)
    works = {name: (lambda ops=ops: run(ops, feed, sched), weight)
             for name, (ops, weight) in training.steps_of(graph).items()}
    first = sum(_seconds(work) for work, _ in works.values())
    costs = {name: timing.cost_of(work, seconds / len(works))[0] for name, (work, _) in works.items()}
    per_minibatch = sum(weight * costs[name] for name, (_, weight) in works.items())
    yield dict(kind='training', resolution=resolution, minibatch=minibatch, **variant, first_seconds=first,
               seconds_per_kimg=per_minibatch * 1000 / minibatch, steps=costs, gpu_bytes=_peak_bytes())


def filter_forms(shape, seconds):
    """Time the forms of the FIR filter in the largest place of config F at 256x256, forward with the
    gradient. Yields a dict for each type and form. shape: [N,C,H,W] of the input, None = as there.
    """
    tflib.init_tf({'rnd.np_random_seed': 1, 'math.allow_tf32': False})
    case = forms.CASES[0]
    shape = shape or case.shape
    with tflib.device(0):
        images = [tf.get_variable(f'images_{dtype}', shape, dtype, tf.initializers.random_normal(),
                                  trainable=False) for dtype in ('float32', 'float16')]
    tflib.init_uninitialized_vars(images)
    for xla, image, name in itertools.product(('off', 'on'), images, forms.FORMS):
        run = functools.partial(tflib.run, _both_directions(forms.FORMS[name], case, image, xla).op)
        first = _seconds(run)
        yield dict(kind='filter', shape=shape, precision=image.dtype.base_dtype.name, form=name, xla=xla,
                   first_seconds=first, seconds_per_filter=timing.cost_of(run, seconds)[0])


def _both_directions(form, case, image, xla):
    """Filter an image and apply the gradient of the filter to the result."""
    def filtered(x):
        y = forms.with_gradient(form, x, forms.TAPS * case.gain, case.up, case.down, case.pad)
        return tf.gradients(y, [x], grad_ys=[y])[0]

    if xla == 'on':
        filtered = tf.function(filtered, jit_compile=True, autograph=False)
    with tf.device(image.device):
        return filtered(image.value())


def prepare(precision, xla):
    """Set up TensorFlow before anything is built. -> settings of a training."""
    (tflib.xla.enable if xla == 'on' else tflib.xla.disable)()
    tflib.init_tf({'rnd.np_random_seed': 1, 'math.allow_tf32': precision == precisions.TF32})
    return precisions.in_settings(config_settings(CONFIG), precision, CONFIG)


def _seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _peak_bytes():
    """Return the most memory that has been in use on the first GPU; None without one."""
    if not tf.config.list_physical_devices('GPU'):
        return None
    return tf.config.experimental.get_memory_info(GPU)['peak']
