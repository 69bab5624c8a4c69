"""Train for a long time, compute many features, and check that memory, files and times do not grow:
docs/soak.md.

Exits with status 1 if something grows.
"""

import argparse
import contextlib
import json
import os
import re
import shlex
import sys
import tempfile
import time

from benchmarks import machine, processes, results_file, soak_report, soak_training, soak_watch
from benchmarks.inputs import Inputs
from dnnlib import cli
from dnnlib.files import atomic_write
from dnnlib.progress import Progress
from dnnlib.util import UserError

PARTIAL = 'benchmarks/results'  # for partial results after an interruption
RECORDS = 'benchmarks/records'
MINIBATCH = 4
TICK = re.compile(r'tick \d+ .*kimg (\S+) +lod .*sec/kimg (\S+) .*maintenance (\S+)')
IMAGE = re.compile(r'image (\d+) of')
TICK_ITERATIONS = 100  # a multiple of 4, as the schedule is updated every 4 iterations
TICK_KIMG = TICK_ITERATIONS * MINIBATCH / 1000
FLAGS = [
    '--config=config-f', '--fmap-base=128', '--fmap-max=16', '--mapping-layers=2', '--gamma=0.01',
    f'--minibatch-size={MINIBATCH}', f'--minibatch-gpu={MINIBATCH}', f'--tick-kimg={TICK_KIMG}',
    '--snapshot-ticks=5', '--state-kimg=0.1', f'--metrics={soak_training.FEW.name}']


def make_parser():
    """Build the command-line parser."""
    parser = argparse.ArgumentParser(prog='python -m benchmarks.soak', description=__doc__)
    add = parser.add_argument
    add('--iterations', default=10000, type=cli.int_at_least(0), metavar='N',
        help='minibatches to train on, rounded up to a multiple of 250; 0 skips them (default: 10000)')
    add('--images', default=50000, type=cli.int_at_least(0), metavar='N',
        help='images to compute features of; 0 skips them (default: 50000)')
    add('--pixels', default=64, type=cli.int_at_least(32), metavar='N',
        help='side of the images inside the feature network, in place of its usual 224 (default: 64)')
    add('--out', metavar='DIR',
        help=f'folder for soak.json, .md and .png (default: docs, with the JSON in {RECORDS})')
    add('--report', metavar='JSON', help='measure nothing; write the report of this file')
    return parser


def train(folder, iterations):
    """Train a small network on Fashion-MNIST. Yields a sample at every tick."""
    data_set = Inputs(folder, num_images=0).mnist
    kimg = -(-iterations * MINIBATCH // 1000)
    command = processes.python(
        '-m', 'benchmarks.soak_training', f'--data-dir={os.path.dirname(data_set)}', '--dataset=dataset',
        f'--total-kimg={kimg}', *FLAGS)
    progress = Progress(kimg * 1000 // MINIBATCH, 'iterations')
    before = None
    for sample in soak_watch.watch(command, folder, _at_tick):
        progress.show(sample['iterations'])
        if before is not None:  # the first tick has only a few iterations
            seconds = sample['processor_seconds'] - before['processor_seconds']
            iterations = sample['iterations'] - before['iterations']
            yield {**sample, 'processor_seconds_per_tick': seconds / iterations * TICK_ITERATIONS}
        before = sample


def _at_tick(line):
    """Parse a line of output. -> iterations, seconds of the tick and of maintenance; None for other lines."""
    tick = TICK.match(line)
    return tick and {
        'iterations': round(float(tick[1]) * 1000 / MINIBATCH),
        'seconds_per_tick': float(tick[2]) * TICK_KIMG, 'maintenance_seconds': float(tick[3])}


def compute_features(folder, num_images, pixels):
    """Compute features of the images of a data set. Yields samples."""
    data_set = os.path.join(folder, 'noise')
    processes.call('soak_features.write_data_set', dict(folder=data_set, num_images=num_images))
    command = processes.python('-m', 'benchmarks.soak_features', data_set, str(num_images), str(pixels))
    progress = Progress(num_images, 'images')
    for sample in soak_watch.watch(command, folder, _at_image):
        progress.show(sample['images'])
        yield sample


def _at_image(line):
    image = IMAGE.match(line)
    return image and {'images': int(image[1])}


def measure(args):
    """Measure and return the results, which are also written after each part. Raises UserError without
    /proc."""
    if not os.path.isdir('/proc/self/fd'):
        raise UserError('the soak reads /proc; run it on Linux')
    results = {'command': shlex.join(['python', '-m', 'benchmarks.soak', *sys.argv[1:]]),
               'date': machine.today(), 'machine': machine.describe(), 'training_flags': FLAGS,
               'feature_pixels': args.pixels, 'training': [], 'features': []}
    begin = time.monotonic()
    parts = {'training': lambda folder: train(folder, args.iterations),
             'features': lambda folder: compute_features(folder, args.images, args.pixels)}
    wanted = [name for name, amount in zip(parts, (args.iterations, args.images), strict=True) if amount]
    for name in wanted:
        print(f'{name} ...', flush=True)
        try:
            with tempfile.TemporaryDirectory(prefix='soak-') as folder, \
                    contextlib.closing(parts[name](folder)) as samples:
                results[name] += samples
        finally:
            results['seconds'] = time.monotonic() - begin
            _write_json(results, PARTIAL)
    return results


def _write_json(results, out):
    """Write the results, one line per sample."""
    def lines(value):
        return '[\n' + ',\n'.join(f'  {json.dumps(each)}' for each in value) + '\n ]'

    os.makedirs(out, exist_ok=True)
    texts = {key: lines(value) if key in soak_report.PARTS and value else json.dumps(value)
             for key, value in results.items()}
    with atomic_write(os.path.join(out, 'soak.json'), 'w') as file:
        file.write('{\n' + ',\n'.join(f' "{key}": {text}' for key, text in texts.items()) + '\n}\n')


def main(argv=None):
    """Measure, write the report and exit with status 1 if something grows."""
    args = make_parser().parse_args(argv)
    if args.report:
        results = results_file.read(
            args.report, 'a soak.json of python -m benchmarks.soak', soak_report.PARTS)
    else:
        try:
            results = measure(args)
        except processes.Failed as error:
            raise UserError(f'the measured process failed:\n{error}') from error
        _write_json(results, args.out or RECORDS)
    out = args.out or 'docs'
    soak_report.write(results, out)
    verdicts = soak_report.verdicts(results)
    print('\n'.join(verdict.line() for verdict in verdicts))
    print(f'Report: {out}/soak.md')
    if not all(verdict.flat for verdict in verdicts):
        sys.exit(1)


if __name__ == '__main__':
    cli.run_script(main)
