"""Test that the examples of docs/extending.md run as printed."""

import os
import re
import subprocess
import sys

import pytest

from tests.test_house import ROOT
from training import misc

BLOCK = re.compile(r'^```python\n# (\w+\.py)\n(.*?)^```$', re.MULTILINE | re.DOTALL)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Return a folder with all files of the page."""
    folder = tmp_path_factory.mktemp('extending')
    page = (ROOT / 'docs' / 'extending.md').read_text(encoding='utf-8')
    blocks = dict(BLOCK.findall(page))
    assert len(blocks) == page.count('```python')
    for name, text in blocks.items():
        (folder / name).write_text(text, encoding='utf-8')
    return folder


def _run(name, folder, *flags):
    env = {**os.environ, 'PYTHONPATH': str(ROOT), 'DNNLIB_CACHE_DIR': str(folder / 'cache')}
    done = subprocess.run(
        [sys.executable, name, *flags], cwd=folder, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_data_set_network_loss_augmentation_and_metric_work_together(folder):
    _run('train_discs.py', folder)
    run_dir = folder / 'results' / '00000-discs'
    lines = (run_dir / 'metric-brightness.txt').read_text().splitlines()
    pattern = r'network-snapshot-\d+ +time .* brightness_fakes [\d.]+ +brightness_reals [\d.]+'
    assert len(lines) >= 2 and all(re.fullmatch(pattern, line) for line in lines)
    assert ' augment 0.200' in (run_dir / 'log.txt').read_text()
    assert ' brightness_fakes ' in _run('measure.py', folder)


def test_a_command_of_ones_own_draws(folder, generator):
    misc.save_pkl(generator, str(folder / 'network.pkl'))
    printed = _run('draw.py', folder, 'brightest', '--network=network.pkl', '--seeds=0-9',
                   '--result-dir=drawn')
    assert re.search('The brightest image is that of seed [0-9][.]', printed)
    assert (folder / 'drawn' / '00000-brightest' / 'brightest.png').is_file()
