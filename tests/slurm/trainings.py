"""Train tiny networks on Slurm with run_training.py."""

import glob
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TINY = ('--config=config-f', '--metrics=none', '--mirror-augment=true', '--fmap-base=64', '--fmap-max=8',
        '--mapping-layers=1', '--minibatch-size=16', '--minibatch-gpu=8', '--grid-size=1080p',
        '--tick-kimg=0.1', '--snapshot-ticks=2')


def run_training(data_dir, *flags):
    """Run run_training.py and return the finished process."""
    command = [sys.executable, 'run_training.py', f'--data-dir={data_dir}', '--dataset=tiny', *TINY, *flags]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def submit(data_dir, root, *flags):
    """Submit a training. -> run directory, job id."""
    result = run_training(data_dir, f'--result-dir={root}', '--submit=slurm', *flags)
    assert result.returncode == 0, result.stderr
    [run_dir] = glob.glob(f'{root}/*')
    return run_dir, re.search(r'Job (\d+) is in the queue', result.stdout)[1]


def ticks(run_dir):
    """Return (number, kimg) of every tick line in log.txt."""
    path = os.path.join(run_dir, 'log.txt')
    if not os.path.exists(path):
        return []
    with open(path, encoding='utf-8') as file:
        found = re.findall(r'^tick (\d+) +kimg ([\d.]+)', file.read(), re.MULTILINE)
    return [(int(number), float(kimg)) for number, kimg in found]
