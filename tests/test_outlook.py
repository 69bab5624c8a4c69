"""Test estimates for this machine: smaller image grids on CPUs, and warnings about very long training."""

from types import SimpleNamespace

import numpy as np
import PIL.Image
import pytest

import dnnlib.tflib as tflib
from dnnlib import progress
from tests import resumed_runs
from tests.resumed_runs import resume, start, write_data
from training.loop import outlook
from training.loop.reporting import SnapshotGrid
from training.loop.trainer import Trainer
from training.resuming import state_folder


@pytest.fixture(scope='module')
def G(module_session):
    return tflib.Network('G', **resumed_runs.TINY_G, num_channels=3, resolution=8)


@pytest.fixture
def slow(monkeypatch):
    """Pretend to be a machine with one core and no GPU, which takes a second for an image of `G`."""
    monkeypatch.setattr(outlook, 'on_cpu', lambda: True)
    monkeypatch.setattr(outlook.os, 'cpu_count', lambda: 1)
    monkeypatch.setattr(outlook, 'multiply_adds', lambda net: outlook.MULTIPLY_ADDS_PER_CORE)


def _grid(columns, rows):
    cells = np.arange(columns * rows)
    return SnapshotGrid((columns, rows), cells, cells + 1000, [-1, 1], cells + 2000)


def test_convolutions_count_at_each_pixel_and_everything_else_once(G):
    convolutions = {'4x4/Conv': 16, '4x4/ToRGB': 16, '8x8/Conv0_up': 64, '8x8/Conv1': 64, '8x8/ToRGB': 64}
    expected = 0
    for name, var in G.trainables.items():
        place = name.removeprefix('G_synthesis/').removesuffix('/weight')
        pixels = convolutions.get(place, 16 if name.endswith('const') else 1)
        expected += np.prod(var.shape.as_list()) * pixels
    assert outlook.multiply_adds(G) == expected


@pytest.mark.parametrize(('seconds', 'size'), [
    (1.5, (2, 2)), (5.0, (3, 2)), (9.0, (4, 2)), (18.5, (6, 3)), (71.9, (11, 5)), (72.0, (12, 6)),
    (500.0, (12, 6))])
def test_a_grid_shrinks_to_what_fits_in_its_shape(seconds, size, slow, capsys):
    grid = _grid(12, 6)
    grid.fit_to_cpu(None, seconds)
    assert grid.size == size
    cells = [row * 12 + column for row in range(size[1]) for column in range(size[0])]
    np.testing.assert_array_equal(grid.reals, cells)
    np.testing.assert_array_equal(grid.labels, np.add(cells, 1000))
    np.testing.assert_array_equal(grid.latents, np.add(cells, 2000))
    line = capsys.readouterr().out
    assert line.count('\n') == (size != (12, 6))
    if line:
        assert line.startswith('A picture of 12 x 6 images may take ')
        assert f'{size[0]} x {size[1]}' in line and '--grid-size' in line


def test_a_grid_of_one_image_stays(slow):
    grid = _grid(1, 1)
    grid.fit_to_cpu(None, 0.1)
    assert grid.size == (1, 1)


def test_on_gpus_grids_are_as_published(slow, monkeypatch):
    monkeypatch.setattr(outlook, 'on_cpu', lambda: False)
    grid = _grid(12, 6)
    grid.fit_to_cpu(None, 5.0)
    assert grid.size == (12, 6)


@pytest.mark.parametrize(('days', 'words'), [
    (31, 'about 31 days'), (100, 'about 3 months'), (500, 'about 16 months'), (2000, 'about 5 years')])
def test_a_training_of_more_than_a_month_is_announced(days, words):
    line = outlook.long_training(days * 24 * 3600 / 25e6, 25e6, lod=0)
    assert line.startswith(f'At this pace, the remaining 25000 kimg take {words} on this machine. ')
    growing = outlook.long_training(days * 24 * 3600 / 25e6, 25e6, lod=2.5)
    assert f'{words} on this machine, and longer as the resolution grows. ' in growing


def test_a_training_of_less_than_a_month_is_not_announced():
    assert outlook.long_training(29 * 24 * 3600 / 25e6, 25e6, lod=0) is None


def test_the_end_of_the_first_tick_does_not_count_for_the_time_left(monkeypatch, capsys):
    """It takes a minute here, and each iteration of 100 images a second."""
    clock = [0.0]
    monkeypatch.setattr(progress.time, 'monotonic', lambda: clock[0])
    trainer = SimpleNamespace(
        settings=SimpleNamespace(total_kimg=10), minibatch_seconds=1.0, cur_nimg=0, total_nimg=10_000,
        cur_tick=-1, sched=SimpleNamespace(minibatch_size=100, lod=0))
    shown = outlook.TrainingProgress(trainer)
    for iteration in range(3):
        clock[0] += 1
        trainer.cur_nimg = trainer.nimg_done = 100 * (iteration + 1)
        trainer.after_step()
        shown.after_iteration()
        if iteration == 0:
            clock[0] += 60
            trainer.cur_tick = 0
    clock[0] += 31
    trainer.nimg_done += 3100
    trainer.after_step()
    lines = capsys.readouterr().out.splitlines()
    assert lines == ['TensorFlow prepares the first steps...', '0.200 / 10 kimg',
                     '3.400 / 10 kimg, about 1m 06s left']


def _pictures(run_dir):
    return {path.name: PIL.Image.open(path).size for path in run_dir.glob('*.png')}


@pytest.mark.long
def test_a_run_with_a_small_grid_resumes_with_it_and_says_how_long_it_takes(slow, tmp_path, monkeypatch):
    """The second part runs on a faster machine but keeps the grid."""
    monkeypatch.setattr(outlook, 'LONG_DAYS', 0)
    grid_args = dict(size='1080p', layout='random')
    one = start(write_data(tmp_path), tmp_path, grid_args=grid_args, total_kimg=0.016)
    assert set(_pictures(one).values()) == {(2 * 8, 2 * 8)}
    lines = (one / 'log.txt').read_text().splitlines()
    assert sum(line.startswith('A picture of 32 x 32 images') for line in lines) == 1
    assert sum(line.startswith('At this pace, the remaining') for line in lines) == 1
    assert 'TensorFlow prepares the first steps...' in lines
    monkeypatch.undo()
    resume(one, total_kimg=0.032)
    assert set(_pictures(one).values()) == {(2 * 8, 2 * 8)}
    assert len(_pictures(one)) >= 3
    assert state_folder.newest(str(one)).arrays['grid_latents'].shape == (4, 4)


@pytest.mark.long
def test_a_smaller_grid_changes_nothing_else(slow, tmp_path):
    """Its latents are the upper left corner of the full grid, and all other random numbers stay the same."""
    write_data(tmp_path)
    runs = [start(tmp_path, tmp_path / str(seconds), grid_args=dict(size='1080p', layout='random'),
                  total_kimg=0.008, cpu_grid_seconds=seconds, tf_config={'rnd.np_random_seed': 1})
            for seconds in (5.0, None)]
    small, full = (resumed_runs.values(run) for run in runs)
    corner = full.pop('grid_latents').reshape(32, 32, 4)[:2, :2].reshape(4, 4)
    np.testing.assert_array_equal(small.pop('grid_latents'), corner)
    different = [name for name in full if not np.array_equal(small[name], full[name])]
    assert sorted(different) == ['grid_labels', 'grid_size']


@pytest.mark.long
def test_progress_inside_a_minibatch_comes_to_the_whole_of_it(tmp_path, monkeypatch):
    seen = []
    run = Trainer._run

    def look(trainer, *ops):
        before = trainer.cur_nimg - 8
        run(trainer, *ops)
        seen.append((trainer.nimg_done - before) / 8)

    monkeypatch.setattr(Trainer, '_run', look)
    start(write_data(tmp_path), tmp_path, total_kimg=0.008, image_snapshot_ticks=None, sched_args=dict(
        minibatch_size_base=8, minibatch_gpu_base=4, tick_kimg_base=0.008, tick_kimg_dict={}))
    assert seen == sorted(seen) and 0 < seen[0] <= 0.2 and seen[-1] == 1.0


def test_the_estimate_is_the_same_for_the_same_machine(G):
    assert outlook.images_within(5.0, G) == outlook.images_within(5.0, G) > 10000
