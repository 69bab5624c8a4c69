"""Measure times relative to the speed of a matrix product, and profile by type of operation."""

import collections
import functools
import itertools
import statistics
import time
from unittest import mock

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from benchmarks.peer import worker
from benchmarks.spread import spread

MATRIX_SIZE = 2048
COSTS = worker.COSTS
PRODUCT_SECONDS = 0.4  # minimum duration of one measurement of the product
MAX_ROUNDS = 15


class Product:
    """A product of float32 matrices on the first device, as TensorFlow computes it."""

    def __init__(self):
        with tflib.device(0):
            init = tf.initializers.random_normal()
            matrix = tf.get_variable('benchmark_matrix', [MATRIX_SIZE] * 2, initializer=init, trainable=False)
            self._op = tf.matmul(matrix, matrix).op
        tflib.init_uninitialized_vars([matrix])
        tflib.run(self._op)

    def rate(self):
        """Return the current speed in floating-point operations per second."""
        seconds, *_ = cost_of(lambda: tflib.run(self._op), PRODUCT_SECONDS)
        return 2 * MATRIX_SIZE ** 3 / seconds


def cost_of(call, at_least=0.0):
    """Return the mean cost of a call, repeated for at least `at_least` seconds. -> array in the order of
    COSTS."""
    return np.array(worker.cost_of(call, at_least))


def alternate(measure, seconds, min_rounds):
    """Measure the speed of the product and `measure()` in turn, for at least `seconds` and `min_rounds`.

    The speed in a round is the mean of those measured before and after it, as other work on the machine
    affects neighbouring measurements alike. -> [speed], [result of `measure`].
    """
    product = Product()
    rates, results = [product.rate()], []
    start = time.perf_counter()
    while len(results) < min_rounds or (
            len(results) < MAX_ROUNDS and time.perf_counter() - start < seconds):
        results.append(measure())
        rates.append(product.rate())
    return [statistics.mean(pair) for pair in itertools.pairwise(rates)], results


def against_limit(multiply_adds, rates, costs):
    """Compare measured times with the time that the matrix product takes for the same number of
    multiply-adds.

    `rates` and `costs` (from `cost_of`) belong to the same rounds. -> dict of spreads.
    """
    seconds = [cost[0] for cost in costs]
    limits = [2 * multiply_adds / rate for rate in rates]
    return {
        'product_flops': spread(rates),
        **{name: spread(values) for name, values in zip(COSTS, np.transpose(costs).tolist(), strict=True)},
        'limit_seconds': spread(limits),
        'share_of_limit': spread([limit / time for limit, time in zip(limits, seconds, strict=True)]),
    }


def profile(call) -> dict:
    """Profile everything that `call` runs in the default session. -> {type of operation: [seconds, count]}.

    Operations overlap on several cores, so the sum of the seconds exceeds the elapsed time.
    """
    totals = collections.defaultdict(lambda: [0.0, 0])
    session, metadata = tflib.tfutil.default_session(), tf.RunMetadata()
    traced = functools.partial(session.run, run_metadata=metadata,
                               options=tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE))
    with mock.patch.object(session, 'run', traced):
        call()
    for device in metadata.step_stats.dev_stats:
        for node in device.node_stats:
            total = totals[_type_of(node)]
            total[0] += (node.op_end_rel_micros - node.op_start_rel_micros) * 1e-6
            total[1] += 1
    return dict(totals)


def _type_of(node):
    """Extract the type from a label such as 'name = Conv2D(input, filter)'; without one, return the node's
    name."""
    _, equals, call = node.timeline_label.partition(' = ')
    return call.partition('(')[0] if equals else node.node_name.partition(':')[0]


def top(totals, count=12) -> list:
    """Return the `count` types that take most time as [[type, seconds, count]], and all others in one row."""
    rows = sorted(([kind, *total] for kind, total in totals.items()), key=lambda row: -row[1])
    rest = rows[count:]
    if rest:
        rows = [*rows[:count], ['(others)', sum(row[1] for row in rest), sum(row[2] for row in rest)]]
    return rows
