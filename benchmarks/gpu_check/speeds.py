"""Part: the speed of generation, training and FIR filters, in every precision, with XLA and without."""

import re
import time
from dataclasses import dataclass

from benchmarks.gpu_check import commands
from benchmarks.gpu_check.results import CUT, FAILED, LEFT_OUT, PASSED

SHARE_OF_REST = 0.5  # of the time that is left, at most, for one of several measurements
NO_TIME = 'no time left'


@dataclass(frozen=True)
class Size:
    """What is measured on a kind of machine."""
    generation: dict   # {resolution: minibatches}
    training: tuple    # (resolution, minibatch)
    filters: list      # Shape of what FIR filters filter, None = the largest of config F at 256x256.
    width: dict
    seconds: float     # At least as long is measured each time.


ON_GPU = Size({256: [1, 8, 32], 1024: [1, 8, 32]}, (1024, 4), None, dict(fmap_base=16384, fmap_max=512), 2.0)
ON_CPU = Size({16: [1, 8]}, (8, 8), [2, 8, 33, 33], dict(fmap_base=256, fmap_max=16), 0.5)
FILTER_SECONDS = 0.3   # for each of twelve
FILTERS = ('filters', None, None)  # in float32 and float16, with XLA and without

# (kind, precision, XLA), the most interesting first: what there is no time for is left out.
ORDER_ON_GPU = [
    ('training', 'float32', 'off'), ('generation', 'float32', 'off'), ('training', 'mixed', 'off'),
    FILTERS, ('training', 'tf32', 'off'), ('generation', 'mixed', 'off'), ('training', 'float32', 'on'),
    ('generation', 'float32', 'on'), ('training', 'mixed', 'on'), ('generation', 'mixed', 'on'),
    ('generation', 'tf32', 'off'), ('training', 'tf32', 'on'), ('generation', 'tf32', 'on'),
]
ORDER_ON_CPU = [  # which computes tf32 as float32, and compiles slowly
    ('training', 'float32', 'off'), ('generation', 'float32', 'off'), ('training', 'mixed', 'off'),
    FILTERS, ('generation', 'float32', 'on'), ('training', 'float32', 'on'),
]


def works(num_gpus):
    """Return [(title, function of `speed_work`, arguments)] in the order in which they are measured."""
    size = ON_GPU if num_gpus else ON_CPU
    return [work for each in (ORDER_ON_GPU if num_gpus else ORDER_ON_CPU) for work in _works_of(size, *each)]


def _works_of(size, kind, precision, xla):
    """Return the works of a kind, one for each resolution."""
    if kind == 'filters':
        return [('FIR filters', 'speed_work.filter_forms', dict(shape=size.filters, seconds=FILTER_SECONDS))]
    variant = dict(precision=precision, xla=xla, seconds=size.seconds, **size.width)
    if kind == 'training':
        resolution, minibatch = size.training
        sizes = [(resolution, 'train', dict(minibatch=minibatch))]
    else:
        sizes = [(resolution, 'generate', dict(minibatches=minibatches))
                 for resolution, minibatches in size.generation.items()]
    return [(f'{kind} {resolution}x{resolution}, {precision}, XLA {xla}', f'speed_work.{function}',
             dict(resolution=resolution, **more, **variant)) for resolution, function, more in sizes]


def run(part, context):
    """Measure until the time is up, and add a check for each measurement."""
    wanted = works(context.num_gpus)
    for number, (title, function, arguments) in enumerate(wanted):
        left = context.deadline - time.monotonic()
        share = 1.0 if number == len(wanted) - 1 else SHARE_OF_REST
        if left < 1:
            part.add(title, LEFT_OUT, NO_TIME)
            continue
        context.screen.say(f'speed of {title}')
        _measure(part, context, title, function, arguments, time.monotonic() + left * share)
    if not part.speeds:
        part.add('speeds', CUT, 'nothing was measured')


def _measure(part, context, title, function, arguments, deadline):
    begin, count = time.monotonic(), len(part.speeds)

    def on_result(result):
        part.speeds.append(result)
        context.screen.say(f'    {in_words(result)}')

    log = context.log('-'.join(re.findall(r'\w+', title)))
    _, ended = commands.results(function, arguments, deadline, log,
                                lambda: context.screen.remind(f'speed of {title}: measuring'), on_result)
    is_too_large = commands.OUT_OF_MEMORY in ended.reason  # for this card, which is no fault
    status = PASSED if ended.is_good else LEFT_OUT if ended.is_cut or is_too_large else FAILED
    note = '' if ended.is_good else ended.reason
    if ended.is_cut and len(part.speeds) > count:
        note = f'cut after {len(part.speeds) - count} of its measurements; {ended.log} has the output'
    part.add(title, status, note, time.monotonic() - begin)


def in_words(speed):
    """Say how fast it was."""
    if speed['kind'] == 'filter':
        return (f'{speed["form"]}, {speed["precision"]}, XLA {speed["xla"]}: '
                f'{1000 * speed["seconds_per_filter"]:.3g} ms')
    if speed['kind'] == 'training':
        return f'{speed["seconds_per_kimg"]:.4g} sec/kimg'
    return f'minibatch {speed["minibatch"]}: {1 / speed["seconds_per_image"]:.4g} images/s'
