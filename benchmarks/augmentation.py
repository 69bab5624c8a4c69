"""Compare iterations of training with and without augmentation."""

import time

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from benchmarks import timing, training
from benchmarks.spread import spread
from training.augmentation.named_pipelines import multipliers
from training.dataset import SyntheticDataset

MAX_ROUNDS = 15
AUGMENT_ARGS = dict(
    class_name='training.augment.AdaptiveAugment', apply_func='training.augment.augment_pipeline',
    apply_args=multipliers('bgc'), initial_strength=0.5)


def compare(resolution, num_channels, fmap_base, fmap_max, minibatch, seconds, min_rounds):
    """Time average iterations of both in turn, each in a graph of its own. -> dict for JSON: seconds per 1000
    images, and the share that augmentation adds."""
    tflib.init_tf({'rnd.np_random_seed': 1})
    both = [_Training(resolution, num_channels, fmap_base, fmap_max, minibatch, augment_args)
            for augment_args in ({}, AUGMENT_ARGS)]
    rounds, start = [], time.perf_counter()
    while len(rounds) < min_rounds or (
            len(rounds) < MAX_ROUNDS and time.perf_counter() - start < seconds):
        rounds.append([each.cost() for each in both])
    costs = np.array(rounds) * 1000 / minibatch  # [rounds, without and with, COSTS]
    shares = costs[:, 1] / costs[:, 0] - 1
    return {'without': spread(costs[:, 0, 0].tolist()), 'with': spread(costs[:, 1, 0].tolist()),
            'added_share': spread(shares[:, 0].tolist()),
            'added_share_of_processor_time': spread(shares[:, 1].tolist())}


class _Training:
    """A training in its own graph and session."""

    def __init__(self, resolution, num_channels, fmap_base, fmap_max, minibatch, augment_args):
        self._graph = tf.Graph()
        with self._graph.as_default():
            self._session = tflib.create_session()
        with self._graph.as_default(), self._session.as_default():
            training_set = SyntheticDataset(resolution, num_channels)
            _, _, graph, feed = training.build(training_set, fmap_base, fmap_max, minibatch,
                                               augment_args=augment_args)
            self._steps = training.steps_of(graph)
            self._feed = {**feed, graph.inputs.step: 0}
        self.cost()

    def cost(self):
        """Return the costs of an average iteration, in the order of timing.COSTS."""
        def cost_of(ops):
            return timing.cost_of(lambda: tflib.run(ops, self._feed), training.STEP_SECONDS)

        with self._graph.as_default(), self._session.as_default():
            return sum(weight * cost_of(ops) for ops, weight in self._steps.values())
