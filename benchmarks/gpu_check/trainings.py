"""Part: short trainings by the public commands, each stopped by Ctrl-C and resumed."""

import math
import pathlib
import shutil
import signal
import time
from dataclasses import dataclass

import numpy as np
import PIL.Image

from benchmarks import data, processes
from benchmarks.gpu_check import commands
from benchmarks.gpu_check.results import CUT, FAILED, LEFT_OUT, PASSED
from reports import events, tick_lines

NUM_IMAGES = 64
KIMG = 1  # length of a training
LEAST_SECONDS = 5.0  # A training does not begin with less time left.
STOPPED = 128 + signal.SIGINT
REGULARIZERS = ('penalty', '/pl_lengths', '/reg')  # ends of tags of what only some minibatches record


@dataclass(frozen=True)
class Size:
    """How large networks and images are."""
    resolution: int
    fmap_base: int
    fmap_max: int
    minibatch: int


ON_CPU = Size(resolution=16, fmap_base=128, fmap_max=16, minibatch=8)
ON_GPU = Size(resolution=128, fmap_base=8192, fmap_max=256, minibatch=16)


def trainings(size, num_gpus):
    """Return {name: command without folders}."""
    width = [f'--fmap-base={size.fmap_base}', f'--fmap-max={size.fmap_max}', '--metrics=none']
    shared = ['--dataset=images', f'--total-kimg={KIMG}', '--tick-kimg=0.25', '--snapshot-ticks=2',
              '--grid-size=1080p', f'--minibatch-gpu={size.minibatch}', *width]
    config_f = ['run_training.py', '--config=config-f', '--gamma=1', *shared]
    growing = ['--lod-initial-resolution=8', '--lod-training-kimg=0.1', '--lod-transition-kimg=0.1',
               f'--minibatch-size-by-res=8:{size.minibatch}']
    batch = f'--minibatch-size={size.minibatch}'
    found = {
        'config-f': [*config_f, batch],
        'ada-auto': ['train.py', '--cfg=auto', f'--kimg={KIMG}', '--snap=1', f'--batch={size.minibatch}',
                     *width],
        'stylegan': ['run_training.py', '--config=stylegan', *shared, *growing, batch],
    }
    if num_gpus > 1:
        found['config-f-2-gpus'] = [*config_f, '--num-gpus=2', f'--minibatch-size={2 * size.minibatch}']
    return found


def with_folders(command, data_dir, result_dir):
    """Add the folders of a training to its command."""
    if command[0] == 'train.py':
        return [*command, f'--data={data_dir}/images', f'--outdir={result_dir}']
    return [*command, f'--data-dir={data_dir}', f'--result-dir={result_dir}']


def variants(size, num_gpus):
    """Return {name: command without folders} of config F otherwise, for which the time that is left may do.

    On CPUs float16 is slow, and every other precision is float32.
    """
    config_f = trainings(size, num_gpus)['config-f']
    found = {'config-f-xla': [*config_f, '--xla=on']}
    if num_gpus:
        found['config-f-mixed'] = [*config_f, '--precision=mixed']
    return found


def run(part, context):
    """Train each configuration and add a check for it."""
    size = ON_GPU if context.num_gpus else ON_CPU
    part.facts['size'] = (f'{size.resolution}x{size.resolution} pixels, up to {size.fmap_max} feature maps, '
                          f'minibatches of {size.minibatch}, {KIMG} kimg')
    part.facts['pictures'] = []
    data.write_images(pathlib.Path(context.folder, 'data', 'images'), NUM_IMAGES, size.resolution)
    _train_all(part, context, trainings(size, context.num_gpus), CUT)
    _train_all(part, context, variants(size, context.num_gpus), LEFT_OUT)


def _train_all(part, context, wanted, status_of_cut):
    """Train one after the other; each may take its share of the time that is left to the part."""
    for number, (name, command) in enumerate(wanted.items()):
        begin = time.monotonic()
        deadline = begin + (context.deadline - begin) / (len(wanted) - number)
        if deadline - begin < LEAST_SECONDS:
            part.add(name, status_of_cut, 'no time left')
            continue
        context.screen.say(f'training {name}')
        status, note = _train(part, name, command, context, deadline)
        status = status_of_cut if status == CUT else status
        part.add(name, status, note, time.monotonic() - begin)
        context.screen.say(f'training {name}: {status}, {note}')


def _train(part, name, command, context, deadline):
    """Train, stop, resume and look at what was written. -> status, note."""
    folder = pathlib.Path(context.folder)
    result_dir = folder / name
    first = _run(with_folders(command, folder / 'data', result_dir), name, context, deadline, is_stopped=True)
    if first.is_cut:
        return CUT, f'before the first tick, {first.reason}'
    if first.status != STOPPED:
        return FAILED, f'ended before it was stopped, {first.reason}'
    run_dir = next(result_dir.glob('0*'))
    again = _run([command[0], f'--resume={run_dir}'], f'{name}-resumed', context, deadline, is_stopped=False)
    pictures = sorted(run_dir.glob('fakes0*.png'))
    if pictures:
        shutil.copy(pictures[-1], pathlib.Path(context.out, f'{name}.png'))
        part.facts['pictures'].append(f'{name}.png')
    if not again.is_good:
        return (CUT if again.is_cut else FAILED), f'stopped, but not finished after that, {again.reason}'
    problems = faults(run_dir)
    if problems:
        return FAILED, f'{"; ".join(problems)}; {again.log} has the output'
    return PASSED, _summary(run_dir)


def _run(command, title, context, deadline, is_stopped):
    state = {'tick': 'starting'}

    def show(line):
        if line.startswith('tick '):
            is_first = state['tick'] == 'starting'
            state['tick'] = ' '.join(line.split()[:4])
            return signal.SIGINT if is_stopped and is_first else None
        return None

    return commands.run(processes.python(*command), deadline, context.log(title), show,
                        idle=lambda: context.screen.remind(f'training {title}: {state["tick"]}'))


def faults(run_dir):
    """Return what is wrong with a training that has been stopped, resumed and finished."""
    found = []
    if not (run_dir / 'network-final.pkl').exists():
        found.append('network-final.pkl was not written')
    notes = []
    losses = {tag: list(values.values()) for tag, values in events.scalars(str(run_dir), notes).items()
              if tag.startswith('Loss/')}
    found += notes
    found += ['no losses were recorded'] if not losses else []
    found += [f'{tag} is not finite' for tag, values in losses.items() if not _is_finite(tag, values)]
    pictures = sorted(run_dir.glob('fakes*.png'))
    found += ['no images were written'] if len(pictures) < 2 else []
    return found + [f'{path.name} has one colour only' for path in pictures if np.ptp(_pixels(path)) == 0]


def _is_finite(tag, values):
    """Return whether a loss was finite in every tick, or in any if it is of a regularizer.

    NaN also stands for nothing recorded, and short ticks may be without a step of a regularizer.
    """
    return (any if tag.endswith(REGULARIZERS) else all)(map(math.isfinite, values))


def _pixels(path):
    with PIL.Image.open(path) as image:
        return np.asarray(image)


def _summary(run_dir):
    ticks, _ = tick_lines.read(str(run_dir))
    num_ticks = len(ticks.get('Timing/sec_per_kimg', {}))
    pictures = len(list(run_dir.glob('fakes*.png')))
    return f'stopped, resumed and finished; {num_ticks} ticks, losses finite, {pictures} pictures'
