"""Define the work to compare, and run it in rounds in which the sides take turns."""

import contextlib
import tempfile
import time
from dataclasses import dataclass

from benchmarks.inputs import MNIST_FILES
from benchmarks.peer.sides import OURS, Worker
from benchmarks.spread import spread
from dnnlib.progress import shown

PARTS = ('generation', 'training', 'startup')
REST_SECONDS = 0.3  # between turns: threads keep spinning for a moment after their last work


@dataclass(frozen=True)
class Piece:
    """Work that both sides do."""
    name: str
    part: str
    unit: str
    units: float     # units per call
    work: str        # name of a function in our_work.py and peer_work.py
    arguments: dict  # its arguments except `folder`


def pieces(quick):
    """Return all pieces to compare. `quick`: fewer of them."""
    return [*_generation(quick), *_training(quick), *_startup(quick)]


def _generation(quick):
    for resolution, minibatch in [(256, 1)] if quick else [(256, 1), (256, 4), (1024, 1), (1024, 4)]:
        yield Piece(f'generate {resolution}x{resolution}, minibatch {minibatch}', 'generation', 's/image',
                    minibatch, 'generate', dict(resolution=resolution, minibatch=minibatch))


def _training(quick):
    for fmap_base, fmap_max in [(1024, 32)] if quick else [(4096, 128), (1024, 32)]:
        yield Piece(f'train 32x32, fmap_base={fmap_base}, fmap_max={fmap_max}', 'training', 's/kimg',
                    16 * 16 / 1000, 'train',  # 16 minibatches of 16
                    dict(mnist_dir=MNIST_FILES, fmap_base=fmap_base, fmap_max=fmap_max))


def _startup(quick):
    for resolution in [256] if quick else [256, 1024]:
        yield Piece(f'first image from a file, {resolution}x{resolution}', 'startup', 's', 1, 'first_image',
                    dict(resolution=resolution))


def compare(piece, sides, rounds, seconds):
    """Let each side work for at least `seconds` in every round, one side after the other. -> dict for JSON.

    Raises processes.Failed.
    """
    turns = {side.name: [] for side in sides}
    order = [name for idx in range(rounds) for name in _rotated(list(turns), idx)]
    with contextlib.ExitStack() as stack:
        workers = {side.name: _prepared(stack, side, piece) for side in shown(sides, 'prepared', 'sides')}
        for name in shown(order, 'measured', 'turns'):
            time.sleep(REST_SECONDS)
            turns[name].append(workers[name].measure(seconds))
    return summary(piece, turns)


def _prepared(stack, side, piece):
    """Start a worker with its own folder and wait until it is ready; `stack` closes both."""
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix='benchmarks-'))
    worker = stack.enter_context(Worker(side, piece.work, {'folder': folder, **piece.arguments}))
    worker.ready()
    return worker


def _rotated(names, count):
    """Rotate the names, so that each side comes first in some round."""
    count %= len(names)
    return names[count:] + names[:count]


def summary(piece, turns):
    """Summarize `turns` {side: [costs of a round]} as a dict for JSON.

    It holds the time of each side per unit, the faster of the peer's settings and our speed relative to it.
    """
    times = {name: [costs['seconds'] / piece.units for costs in of_side] for name, of_side in turns.items()}
    result = {name: spread(of_side) for name, of_side in times.items()}
    best = min((name for name in times if name != OURS), key=lambda name: result[name]['median'])
    ratios = [peer / ours for peer, ours in zip(times[best], times[OURS], strict=True)]
    return {'unit': piece.unit, 'times': result, 'best': best, 'ratio': spread(ratios), 'turns': turns}
