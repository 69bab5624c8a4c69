"""Compare iterations of training with and without augmentation."""

import dnnlib.tflib as tflib
from benchmarks import training
from benchmarks.spread import spread
from training.augmentation.named_pipelines import multipliers

AUGMENT_ARGS = dict(
    class_name='training.augment.AdaptiveAugment', apply_func='training.augment.augment_pipeline',
    apply_args=multipliers('bgc'), initial_strength=0.5)


def compare(resolution, num_channels, fmap_base, fmap_max, minibatch, seconds, min_rounds):
    """Time average iterations of both in turn, each in a graph of its own. -> dict for JSON: seconds per 1000
    images, and the share that augmentation adds."""
    tflib.init_tf({'rnd.np_random_seed': 1})
    both = [training.InGraph(resolution, num_channels, fmap_base, fmap_max, minibatch,
                             augment_args=augment_args) for augment_args in ({}, AUGMENT_ARGS)]
    costs = training.in_turn(both, seconds, min_rounds) * 1000 / minibatch  # [rounds, both, COSTS]
    shares = costs[:, 1] / costs[:, 0] - 1
    return {'without': spread(costs[:, 0, 0].tolist()), 'with': spread(costs[:, 1, 0].tolist()),
            'added_share': spread(shares[:, 0].tolist()),
            'added_share_of_processor_time': spread(shares[:, 1].tolist())}
