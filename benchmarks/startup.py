"""Measure the time from the start of a script to its first image or its first tick of training."""

import json
import os
import pathlib
import shlex
import subprocess
import tempfile
import time

from benchmarks import processes
from benchmarks.spread import spread


def first_image(pickle_path, rounds):
    """Time run_generator.py up to its first image, in turn with a process that only imports TensorFlow and
    reads the file. -> dict for JSON."""
    parts, times, memory = [], [], []
    for _ in range(rounds):
        parts.append(_floor(pickle_path))
        seconds, peak = _generate(pickle_path)
        times.append(seconds)
        memory.append(peak)
    floors = [part['import'] + part['unpickle'] for part in parts]
    return {
        'file_bytes': os.path.getsize(pickle_path),
        'import_seconds': spread([part['import'] for part in parts]),
        'read_bytes_seconds': spread([part['read'] for part in parts]),
        'read_arrays_seconds': spread([part['unpickle'] for part in parts]),
        'first_image_seconds': spread(times),
        'ratio': spread([time / floor for time, floor in zip(times, floors, strict=True)]),
        'peak_memory_bytes': max(memory),
    }


def _floor(pickle_path):
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder, 'floor.json')
        processes.run(processes.python('-m', 'benchmarks.floor', time.time(), pickle_path, out))
        return json.loads(out.read_text(encoding='utf-8'))


def _generate(pickle_path):
    """Generate one image. -> seconds until it is written, peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        done = processes.run(processes.python(
            'run_generator.py', 'generate-images', f'--network={pickle_path}', '--seeds=1',
            f'--result-dir={folder}'))
        image, = pathlib.Path(folder).glob('*/seed0001.png')
        return image.stat().st_mtime - done.start, done.peak_memory_bytes


def first_tick(data_dir, rounds):
    """Time run_training.py with the flags of `make demo` up to its first tick. -> dict for JSON."""
    runs = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            changed = {'--data-dir': os.path.dirname(data_dir), '--dataset': os.path.basename(data_dir),
                       '--result-dir': folder}
            runs.append(processes.run(processes.python(*demo_training(changed)), until='tick '))
    return {'first_tick_seconds': spread([run.seconds for run in runs]),
            'peak_memory_bytes': max(run.peak_memory_bytes for run in runs)}


def demo_training(changed):
    """Return the script and the flags of the training in `make demo`, with the values in `changed`."""
    env = {key: value for key, value in os.environ.items() if not key.startswith('MAKE')}
    recipe = subprocess.run(['make', '-n', 'demo'], cwd=processes.ROOT, env=env, check=True, text=True,
                            stdout=subprocess.PIPE).stdout
    line = next(line for line in recipe.replace('\\\n', ' ').splitlines() if 'run_training.py' in line)
    words = shlex.split(line)
    words = words[words.index('run_training.py'):]
    flags = [word for word in words if word.partition('=')[0] not in changed]
    return [*flags, *(f'{name}={value}' for name, value in changed.items())]
