"""Measure images per second through EfficientNet-Lite0 and compare its convolutions with a matrix product.

Both are measured alternately, several times, so that other work on the machine affects both. Shares are also
given by processor time, which varies less on a busy machine.
"""

import argparse
import json
import time

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib import cli
from dnnlib.files import atomic_write
from metrics import sessions
from metrics.features.efficientnet_lite0 import EfficientNetLite0

MATRIX_SIZE = 2048
SECONDS = 1.0  # minimum duration of a measurement


def convolution_multiply_adds(graph):
    """Return the number of multiply-adds per image in the convolutions of a graph."""
    total = 0
    for op in graph.get_operations():
        if op.type == 'Conv2D':
            size = op.inputs[1].shape[:3].num_elements()  # [kH,kW,I,O]
        elif op.type == 'DepthwiseConv2dNative':
            size = op.inputs[1].shape[:2].num_elements()  # [kH,kW,C,1]
        else:
            continue
        total += size * op.outputs[0].shape[1:].num_elements()
    return total


def per_second(call):
    """Return how often `call` runs per second and per second of processor time."""
    count = 0
    start, processor_start = time.perf_counter(), time.process_time()
    while time.perf_counter() - start < SECONDS:
        call()
        count += 1
    return count / (time.perf_counter() - start), count / (time.process_time() - processor_start)


def make_calls(resolution, minibatch_sizes):
    """Return {name: (function, work per call)}. Work is in images for minibatches, in FLOP for the matrix
    product."""
    network = EfficientNetLite0()
    calls = {}
    for size in minibatch_sizes:
        images = np.random.RandomState(size).randint(256, size=[size, 3, resolution, resolution])
        calls[f'minibatch {size}'] = (lambda images=images.astype(np.uint8): network.run(images)), size
    with tflib.device(0):
        matrix = tf.get_variable('matrix', [MATRIX_SIZE] * 2, initializer=tf.initializers.random_normal())
        product = tf.matmul(matrix, matrix).op
    tflib.init_uninitialized_vars()
    calls['product'] = (lambda: tflib.run(product)), 2 * MATRIX_SIZE ** 3
    return calls


def measure(resolution, minibatch_sizes, rounds):
    """Measure all minibatch sizes and the product. -> dict for JSON, with medians over `rounds`."""
    calls = make_calls(resolution, minibatch_sizes)
    for call, _ in calls.values():
        call()
    multiply_adds = convolution_multiply_adds(tf.get_default_graph())
    rates = {name: [] for name in calls}
    for _ in range(rounds):
        for name, (call, amount) in calls.items():
            rates[name].append(amount * np.array(per_second(call)))
    limits = np.array(rates.pop('product'))  # [rounds,2]
    shares = {name: np.median(2 * multiply_adds * np.array(values) / limits, axis=0).tolist()
              for name, values in rates.items()}
    return {
        'resolution': resolution,
        'multiply_adds_per_image': multiply_adds,
        'product_gflops': float(np.median(limits[:, 0])) / 1e9,
        'images_per_second': {name: float(np.median(values, axis=0)[0]) for name, values in rates.items()},
        'share_of_product': {name: share for name, (share, _) in shares.items()},
        'share_by_processor_time': {name: share for name, (_, share) in shares.items()},
    }


def report(results):
    """Print the results of `measure`."""
    print(f'{results["multiply_adds_per_image"] / 1e6:.1f} million multiply-adds per image; product of '
          f'{MATRIX_SIZE}x{MATRIX_SIZE} matrices, float32: {results["product_gflops"]:.1f} GFLOP/s')
    for name, rate in results['images_per_second'].items():
        print(f'{name:14s}{rate:9.1f} images/s {results["share_of_product"][name]:8.1%} of the product, '
              f'{results["share_by_processor_time"][name]:.1%} by processor time')


def main(argv=None):
    """Measure and report as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add('--resolution', default=256, type=cli.int_at_least(1), metavar='PIXELS',
        help='side of the images before they are resized (default: 256)')
    add('--minibatch-sizes', default=[8, 32, 64], type=cli.int_at_least(1), nargs='+', metavar='N',
        help='images per minibatch (default: 8 32 64)')
    add('--rounds', default=5, type=cli.int_at_least(1), metavar='N',
        help='number of measurements (default: 5)')
    add('--out', metavar='FILE', help='also write the figures to this JSON file')
    args = parser.parse_args(argv)
    with sessions.fresh_session(None):
        results = measure(args.resolution, args.minibatch_sizes, args.rounds)
    report(results)
    if args.out:
        with atomic_write(args.out, 'w') as file:
            json.dump(results, file, indent=2)


if __name__ == '__main__':
    cli.run_script(main)
