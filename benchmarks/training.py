"""Time each step of an iteration: StyleGAN2's config F, narrowed, on grey images of 32x32."""

import time

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from benchmarks import counting, machine, timing
from benchmarks.spread import spread
from training import dataset
from training.loop.graph import GraphSettings, LossSettings, build_train_graph
from training.loop.schedule import training_schedule
from training.settings.configs import config_settings

MINIBATCH = 16
G_REG_INTERVAL = 4    # minibatches, as in training_loop
D_REG_INTERVAL = 16
STEP_SECONDS = 0.25   # minimum time for which a step is repeated in each round


def networks(resolution, num_channels, width, settings):
    """Build G and D of these settings. `width`: their fmap_base and fmap_max."""
    shape = dict(num_channels=num_channels, resolution=resolution, label_size=0)
    with tflib.device(0):
        return [tflib.Network(name, **{**shape, **settings[f'{name}_args'], **width})
                for name in ('G', 'D')]


def build(training_set, fmap_base, fmap_max, minibatch=MINIBATCH, num_devices=1,
          settings=None, seed=None, **options):
    """Build networks and ops, and configure the data set.

    `minibatch`: of all devices. `settings`: of training, None = config F. `seed`: of all random numbers,
    None = new ones. `options`: further ones of GraphSettings. -> G, D, graph, feed_dict.
    """
    settings = settings or config_settings('config-f')
    G, D = networks(training_set.shape[1], training_set.shape[0],
                    dict(fmap_base=fmap_base, fmap_max=fmap_max), settings)
    with tflib.device(0):
        Gs = G.clone('Gs')
    graph_settings = GraphSettings(
        LossSettings(settings['G_loss_args'], settings['G_opt_args'], G_REG_INTERVAL),
        LossSettings(settings['D_loss_args'], settings['D_opt_args'], D_REG_INTERVAL),
        lazy_regularization=True, mirror_augment=False, drange_net=[-1, 1], G_smoothing_kimg=10, **options)
    sched = training_schedule(0, training_set, minibatch_size_base=minibatch,
                              minibatch_gpu_base=minibatch // num_devices)
    graph = build_train_graph(
        G, D, Gs, training_set, graph_settings, [sched], tflib.Cluster(num_devices), seed)
    training_set.configure(sched.minibatch_gpu, sched.lod)
    return G, D, graph, graph.inputs.feed(sched)


def steps_of(graph):
    """Return {name: (operations, runs per minibatch)} in the order of training."""
    return {
        'G, next images': ((graph.G_train, graph.data_put), 1),
        'G regularization': ((graph.G_reg,), 1 / G_REG_INTERVAL),
        'average, images': ((graph.Gs_update, graph.data_fetch), 1),
        'D': ((graph.D_train,), 1),
        'D regularization': ((graph.D_reg,), 1 / D_REG_INTERVAL),
    }


class InGraph:
    """A training on images of zeros, in its own graph and session."""

    def __init__(self, resolution, num_channels, *args, **options):
        self._graph = tf.Graph()
        with self._graph.as_default():
            self._session = tflib.create_session()
        with self._graph.as_default(), self._session.as_default():
            training_set = dataset.SyntheticDataset(resolution, num_channels)
            _, _, graph, feed = build(training_set, *args, **options)
            self._steps = steps_of(graph)
            self._feed = {**feed, graph.inputs.step: 0}
        self.cost()

    def cost(self):
        """Return the costs of an average iteration, in the order of timing.COSTS."""
        def cost_of(ops):
            return timing.cost_of(lambda: tflib.run(ops, self._feed), STEP_SECONDS)

        with self._graph.as_default(), self._session.as_default():
            return sum(weight * cost_of(ops) for ops, weight in self._steps.values())


def in_turn(trainings, seconds, min_rounds):
    """Measure an average iteration of each `InGraph` in turn, for at least `seconds` and `min_rounds`.
    -> array [rounds, trainings, COSTS]."""
    rounds, start = [], time.perf_counter()
    while len(rounds) < min_rounds or (
            len(rounds) < timing.MAX_ROUNDS and time.perf_counter() - start < seconds):
        rounds.append([each.cost() for each in trainings])
    return np.array(rounds)


def multiply_adds_by_definition(G, D):
    """Return the multiply-adds per image of an average iteration. `G`, `D`: multiply-adds of one evaluation.

    A gradient with respect to inputs costs as much as the evaluation, and so does one with respect to
    weights, also at second order. G's regularizer uses half the minibatch.
    """
    G_step = 3 * G + 2 * D      # both forward, and back to G's images and G's weights
    G_reg = 6 * G / 2           # forward, gradient of the dlatents, and two gradients of each of these
    D_step = G + 2 * 3 * D      # fakes, then reals and fakes forward, back, and to the weights
    D_reg = 6 * D
    return G_step + G_reg / G_REG_INTERVAL + D_step + D_reg / D_REG_INTERVAL


def train(data_dir, fmap_base, fmap_max, seconds, min_rounds, with_profile=False):
    """Time the steps of an iteration. -> dict for JSON: total times per 1000 images, times of steps per
    run."""
    tflib.init_tf({'rnd.np_random_seed': 1})
    start = time.perf_counter()
    training_set = dataset.load_dataset(tfrecord_dir=data_dir)
    G, D, graph, feed = build(training_set, fmap_base, fmap_max)
    steps = steps_of(graph)
    built = time.perf_counter()
    for ops, _ in steps.values():
        tflib.run(ops, feed)
    first = time.perf_counter()

    def one_round():
        return {name: timing.cost_of(lambda ops=ops: tflib.run(ops, feed), STEP_SECONDS)
                for name, (ops, _) in steps.items()}

    one_round()  # lets the buffers of the data set fill
    rates, rounds = timing.alternate(one_round, seconds, min_rounds)
    peak = machine.peak_memory_bytes()
    profiles = _profile(steps, feed) if with_profile else {}
    counts = {name: counting.of_graph(ops, feed) / MINIBATCH for name, (ops, _) in steps.items()}
    weights = {name: weight for name, (_, weight) in steps.items()}
    per_kimg = 1000 / MINIBATCH
    costs = [per_kimg * sum(weights[name] * cost for name, cost in costs.items()) for costs in rounds]
    multiply_adds = multiply_adds_by_definition(counting.of_network(G), counting.of_network(D))
    return {
        'fmap_base': fmap_base,
        'fmap_max': fmap_max,
        'minibatch': MINIBATCH,
        'build_seconds': built - start,
        'first_run_seconds': first - built,
        'peak_memory_bytes': peak,
        'multiply_adds_per_image': multiply_adds,
        'multiply_adds_in_graph': sum(weights[name] * count for name, count in counts.items()),
        **timing.against_limit(1000 * multiply_adds, rates, costs),
        'steps': {name: {'runs_per_minibatch': weights[name],
                         'multiply_adds_in_graph': counts[name],
                         'seconds': spread([costs[name][0] for costs in rounds])} for name in steps},
        **profiles,
    }


def _profile(steps, feed):
    """Return seconds and numbers of operations by type, for an average minibatch."""
    totals = {}
    for ops, weight in steps.values():
        for kind, (seconds, count) in timing.profile(lambda ops=ops: tflib.run(ops, feed)).items():
            total = totals.setdefault(kind, [0.0, 0.0])
            total[0] += weight * seconds
            total[1] += weight * count
    return {'profile': timing.top(totals)}
