"""Builds the graph of a training without values: nothing is allocated, and no data set is read."""

import contextlib
import functools
import inspect
import io
import math
from dataclasses import dataclass

import tensorflow.compat.v1 as tf

import dnnlib
import dnnlib.tflib as tflib
from dnnlib.tflib import inference
from dnnlib.tflib.ops import conv2d
from dnnlib.util import get_obj_by_name
from training.data.base import Dataset
from training.loop import starting_networks
from training.loop.graph import GraphSettings, LossSettings, TrainGraph, build_train_graph
from training.loop.schedule import training_schedule, with_D_lrate
from training.memory_plan import conditions, op_kinds
from training.memory_plan.nodes import Bytes, of_steps
from training.memory_plan.sketch import SketchedOptimizer
from training.settings.configs import GROUP_SIZE
from training.settings.precision import MIXED

# Primes that divide no other size: what one of them divides grows with the minibatch. The first one for which
# TensorFlow can count the pixels of all images is taken.
_PRIMES = (1009, 499, 251, 127, 61, 31)
_MOST_PIXELS = 2 ** 31 - 1
STEPS = ('G_train', 'G_reg', 'D_train', 'D_reg')
GPU, CPU = 'GPU', 'CPU'  # forms of the graph


class _Shapes(Dataset):
    """A data set without images."""

    def get_minibatch_tf(self):
        images = tf.placeholder(self.dtype, [None, self.shape[0], None, None])
        return images, tf.placeholder(self.label_dtype, [None, self.label_size])

    def get_random_labels_tf(self, minibatch_size):
        return tf.zeros([minibatch_size, self.label_size], self.label_dtype)


class _Idle(tf.Session):
    """A session that runs nothing: all variables count as initialized."""

    def run(self, fetches, *_args, **_kwargs):
        listed = isinstance(fetches, (list, tuple))
        for fetch in fetches if listed else [fetches]:
            if hasattr(fetch, 'mark_used'):
                fetch.mark_used()
        return [True] * len(fetches) if listed else None


@dataclass
class Planned:
    """The graph of a training, for `images` images at a time on each device."""
    graph: TrainGraph
    networks: tuple       # G, D; Gs holds what G does on the first device, and is in no step.
    session: _Idle
    images: int
    prime: int            # Divides `images`, and sizes that grow with them.
    num_devices: int      # Devices in the graph.
    form: str             # GPU or CPU.
    resolution_log2: int  # Of the data set.

    @functools.cached_property
    def steps(self):
        """The steps that the training has, {name: nodes}."""
        steps = of_steps([getattr(self.graph, name) for name in STEPS], self.size_of)
        return {name: nodes for name, nodes in zip(STEPS, steps, strict=True) if len(nodes) > 1}

    @property
    def num_ops(self):
        """Number of ops in all steps."""
        updates = sum(opt.num_ops() for opt in self.graph.optimizers)
        return sum(map(len, self.steps.values())) + updates

    @property
    def is_growing(self):
        """Whether the networks depend on the level of detail."""
        return any('lod' in net.vars for net in self.networks)

    def size_of(self, tensor) -> Bytes:
        """Return the size of a tensor. What is only known when it runs, such as a number of classes, is
        small, and counts as nothing."""
        elements = tensor.shape.num_elements()
        size = (elements or 0) * op_kinds.element_bytes(tensor)
        if size and elements % self.prime == 0:
            return Bytes(0.0, size / self.images)
        return Bytes(float(size), 0.0)

    def predicates(self, lod):
        """Return {name of a tensor: bool} for the conditions that follow from a level of detail."""
        names = {node.predicate for nodes in self.steps.values() for node in nodes} - {None}
        graph = self.session.graph
        return conditions.values([graph.get_tensor_by_name(name) for name in sorted(names)], lod)


def with_defaults(settings):
    """Return the arguments of the training loop with its defaults."""
    from training.settings.submission import RUN_FUNC
    parameters = inspect.signature(get_obj_by_name(RUN_FUNC)).parameters.values()
    return {**{p.name: p.default for p in parameters}, **settings}


def phases(settings, resolution_log2):
    """Return {resolution: the schedule there} for all that a training goes through."""
    schedule = functools.partial(
        training_schedule, training_set=dnnlib.EasyDict(resolution_log2=resolution_log2),
        **with_D_lrate(settings['sched_args']))
    first = schedule(int(settings['resume_kimg'] * 1000)).resolution
    fixed = functools.partial(schedule, 0, lod_initial_resolution=None)
    return {2 ** level: fixed(training_set=dnnlib.EasyDict(resolution_log2=level))
            for level in range(first.bit_length() - 1, resolution_log2 + 1)}


def build(settings, shape, label_size, num_devices, form):
    """Build the graph of a training for GPUs or for CPUs. -> Planned.

    settings: those of `with_defaults`. shape: [C,H,W] of the images. Of several CPU devices two are built, as
    all but the first one hold the same; of several GPUs, which share no memory, only the first one.
    """
    built_devices = 1 if form == GPU else min(num_devices, 2)
    group = math.lcm(GROUP_SIZE, settings['D_args'].get('mbstd_group_size') or 1)
    prime = next((prime for prime in _PRIMES if prime * group * math.prod(shape[1:]) <= _MOST_PIXELS),
                 _PRIMES[-1])
    images = prime * group
    graph = tf.Graph()
    config = tflib.tfutil.session_config({'device_count.CPU': built_devices})
    session = _Idle(graph=graph, config=config)
    layout = conv2d.assumed_layout('NCHW') if form == GPU else contextlib.nullcontext()
    with graph.as_default(), session.as_default(), layout, contextlib.redirect_stdout(io.StringIO()):
        training_set = _Shapes(shape, label_size=label_size)
        with inference.outlines():
            G, D = starting_networks.make_pair(network_settings(settings, form), training_set)
        accumulates = any(phase.minibatch_size > phase.minibatch_gpu * num_devices
                          for phase in phases(settings, training_set.resolution_log2).values())
        phase = dnnlib.EasyDict(minibatch_gpu=images,
                                minibatch_size=images * built_devices * (2 if accumulates else 1))
        train_graph = build_train_graph(G, D, G, training_set,
                                        graph_settings(settings, SketchedOptimizer), [phase],
                                        tflib.Cluster(built_devices), seed=1)
    return Planned(train_graph, (G, D), session, images, prime, built_devices, form,
                   training_set.resolution_log2)


def network_settings(settings, form):
    """Return NetworkSettings that build new networks, in float16 where GPUs would."""
    return starting_networks.NetworkSettings(
        settings['G_args'], settings['D_args'], True, settings['use_noise'],
        settings['precision'] or (MIXED if form == GPU else None))


def graph_settings(settings, optimizer=tflib.Optimizer):
    """Return the GraphSettings of a training. optimizer: class of its optimizers."""
    G, D = (LossSettings(settings[f'{name}_loss_args'], settings[f'{name}_opt_args'],
                         settings[f'{name}_reg_interval'], optimizer) for name in 'GD')
    names = ('lazy_regularization', 'mirror_augment', 'drange_net', 'G_smoothing_kimg', 'G_smoothing_rampup',
             'loss_args', 'augment_args')
    return GraphSettings(G, D, **{name: settings[name] for name in names})
