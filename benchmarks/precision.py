"""Compare iterations of training in each precision that computes differently on a CPU."""

import dnnlib.tflib as tflib
from benchmarks import training
from benchmarks.spread import spread
from training.settings import precision
from training.settings.configs import config_settings

NAMES = precision.FLOAT32, precision.BFLOAT16, precision.MIXED
CONFIG = 'config-f'


def compare(resolution, fmap_base, fmap_max, minibatch, seconds, min_rounds):
    """Time average iterations in all precisions in turn, each in a graph of its own. -> dict for JSON:
    {precision: seconds and processor time per minibatch, and processor time relative to that of float32 in
    the same round}."""
    tflib.init_tf({'rnd.np_random_seed': 1})
    trainings = [training.InGraph(
        resolution, 3, fmap_base, fmap_max, minibatch,
        settings=precision.in_settings(config_settings(CONFIG), name, CONFIG)) for name in NAMES]
    costs = training.in_turn(trainings, seconds, min_rounds)  # [rounds, NAMES, COSTS]
    seconds, processor = costs[..., 0], costs[..., 1]
    return {'precisions': {
        name: {'seconds': spread(seconds[:, index].tolist()),
               'processor_seconds': spread(processor[:, index].tolist()),
               'relative_processor_time': spread((processor[:, index] / processor[:, 0]).tolist())}
        for index, name in enumerate(NAMES)}}
