"""Test runs of train.py: their files, and that killed ones resume as if nothing had happened."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import dnnlib.tflib as tflib
import train
from dnnlib import cli
from tests import image_sets
from tests.golden_figures import QUICK, fresh_session
from tests.resumed_runs import differences, summaries, tick_lines
from tests.test_house import ROOT
from training import misc
from training.loop import outlook, starting_networks
from training.loop.trainer import Trainer
from training.resuming import state_folder
from training.settings import ada_loop

TINY = ['--fmap-base=32', '--fmap-max=4', '--augpipe=color', '--aug-kimg=0.5', '--target=0', '--metrics=none',
        '--snap=2', '--kimg=1', '--mirror=1']


class Killed(BaseException):
    """Ends a run at once, as nothing in it expects."""


@contextlib.contextmanager
def killed_after(iterations):
    """End a run in the last of these iterations, as a signal that cannot be handled does."""
    original = Trainer.check_skipped_steps
    left = [iterations]

    def check(trainer):
        original(trainer)
        left[0] -= 1
        if left[0] == 0:
            raise Killed

    Trainer.check_skipped_steps = check
    try:
        with pytest.raises(Killed):
            yield
    finally:
        Trainer.check_skipped_steps = original


def run(*flags, seed=5):
    """Call train.py with these flags in a fresh session."""
    with fresh_session(QUICK):
        np.random.seed(seed)
        cli.run_script(lambda: train.main([*flags]))


@pytest.fixture(scope='module', autouse=True)
def short_ticks():
    """Let ticks end after two iterations."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ada_loop, 'TICK_KIMG', 0.25)
        yield


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Write a data set with labels. -> path."""
    folder, labels = tmp_path_factory.mktemp('data'), np.eye(2, dtype=np.float32)[np.arange(20) % 2]
    return image_sets.write_records(folder / 'tiny', image_sets.pixels(20), 'raw', labels)


@pytest.fixture(scope='module')
def finished(data, tmp_path_factory):
    """Run a small training to its end. -> run directory."""
    outdir = tmp_path_factory.mktemp('finished')
    run(f'--outdir={outdir}', f'--data={data}', *TINY)
    [run_dir] = outdir.iterdir()
    return run_dir


def test_a_run_has_the_published_files(finished, data):
    assert finished.name == '00000-tiny-mirror-auto1-kimg1-target0-color'
    names = {path.name for path in finished.iterdir()}
    assert {'training_options.json', 'log.txt', 'reals.png', 'fakes_init.png', 'fakes000000.png',
            'network-snapshot-000000.pkl', 'fakes000001.png', 'network-snapshot-000001.pkl'} <= names
    assert any(name.startswith('events.out.tfevents.') for name in names)
    stored = json.loads((finished / 'training_options.json').read_text())
    _, expected = train.setup_training_options(
        data=data, fmap_base=32, fmap_max=4, augpipe='color', aug_kimg=0.5, target=0.0, metrics=[], snap=2,
        kimg=1, mirror=True)
    assert stored == {**expected, 'run_dir': str(finished)} and list(stored)[-1] == 'run_dir'
    assert 'Without a GPU, all layers run in float32' in (finished / 'log.txt').read_text()
    assert [line.split()[:4] for line in tick_lines(finished)] == [
        ['tick', str(tick), 'kimg', kimg] for tick, kimg in enumerate(['0.1', '0.4', '0.6', '0.9', '1.0'])]


def test_its_networks_are_those_of_stylegan2_ada(finished):
    with fresh_session(QUICK):
        G, D, Gs = misc.load_pkl(str(finished / 'network-snapshot-000001.pkl'))
        assert (G.static_kwargs.mapping_layers, G.static_kwargs.num_fp16_res) == (2, 0)
        assert D.static_kwargs.mbstd_group_size == 4 and Gs.input_shapes[1] == [None, 2]
        images = Gs.run(np.zeros([1, 512]), np.eye(2)[:1])
        assert images.shape == (1, 3, 8, 8) and np.isfinite(images).all()


@pytest.mark.parametrize(('is_on_cpu', 'precision', 'number'), [
    (True, None, 0), (True, 'mixed', 4), (False, None, 4), (False, 'float32', 0), (False, 'tf32', 0)])
def test_layers_run_in_float16_on_gpus_and_where_that_is_requested(is_on_cpu, precision, number, monkeypatch):
    monkeypatch.setattr(outlook, 'on_cpu', lambda: is_on_cpu)
    args = {'num_fp16_res': 4, 'fmap_max': 8}
    settings = starting_networks.NetworkSettings(args, args, False, True, precision)
    assert [*starting_networks._for_this_machine(settings)] == [{**args, 'num_fp16_res': number}] * 2


@pytest.mark.parametrize(('precision', 'number'), [(None, 0), ('mixed', 2), ('float32', 0)])
def test_networks_that_continue_run_in_float16_only_where_that_is_requested(precision, number, session):
    size = dict(resolution=8, fmap_base=64, fmap_max=8, num_fp16_res=2)
    G = tflib.Network('G', func_name='training.networks.G_main', **size)
    settings = starting_networks.NetworkSettings({}, {}, False, True, precision)
    starting_networks._loaded_for_this_machine((G,), settings)
    kwargs = G.static_kwargs, G.components.synthesis.static_kwargs
    assert [each.num_fp16_res for each in kwargs] == [number] * 2


@pytest.mark.long
def test_a_killed_run_goes_on_bit_for_bit_with_its_augmentation(finished, data, tmp_path):
    with killed_after(7):  # with a state after 5
        run(f'--outdir={tmp_path}', f'--data={data}', *TINY)
    [run_dir] = tmp_path.iterdir()
    assert not (run_dir / 'network-final.pkl').exists()
    run(f'--outdir={tmp_path}', '--resume=latest', '--cfg=auto', '--aug=ada', '--mirror=1', seed=99)
    strengths = [value for _, value in summaries(run_dir)['Progress/augment']]
    assert 0 < strengths[2] != strengths[4], 'p moves before and after the state'
    assert differences(finished, run_dir) == []


def test_a_flag_that_contradicts_the_run_is_refused(finished, capsys):
    for flag, there in (
            ('--aug=noaug', 'ada'), ('--target=0.5', '0.0'), ('--cfg=cifar', 'tiny-mirror-auto1'),
            ('--augpipe=bgc', 'color'), ('--gamma=3', '0.0'), ('--cmethod=bcr', 'nocmethod'),
            ('--dcap=0.5', '1.0'), ('--freezed=2', '0'), ('--gpus=2', '1'), ('--aug-kimg=9', '0.5'),
            ('--batch=8', '32'), ('--subset=9', 'None'), ('--fmap-max=8', '4'), ('--p=1', '0'),
            ('--cond=no', 'full'), ('--res=4', '8'), ('--seed=4', '1000'), ('--fp16=false', 'auto'),
            ('--fp16=true', 'auto'), ('--precision=mixed', 'started without it')):
        with pytest.raises(SystemExit) as exit_info:
            run(f'--resume={finished}', flag)
        name = flag.partition('=')[0]
        assert exit_info.value.code == 2
        error = capsys.readouterr().err
        assert f'Error: {name}=' in error and f'contradicts the run in {finished}' in error and there in error


@pytest.mark.parametrize(('flags', 'message'), [
    (['--snap=0'], '--snap=0: expected a whole number of at least 1'),
    (['--kimg=0'], '--kimg=0: expected a whole number of at least 1'),
    (['--metricdata=elsewhere'], '--metricdata: add --metrics'),
    (['--metricdata=elsewhere', '--metrics=fd50k_lite0'], '--metricdata=elsewhere: there is no such folder')])
def test_changes_that_no_run_can_have_are_refused(flags, message, finished, capsys):
    with pytest.raises(SystemExit) as exit_info:
        run(f'--resume={finished}', *flags)
    assert exit_info.value.code == 2 and message in capsys.readouterr().err


def train_alone(outdir, *flags):
    """Start train.py as a process of its own."""
    environment = {**os.environ, 'PYTHONPATH': str(ROOT), 'TF_CPP_MIN_LOG_LEVEL': '2'}
    return subprocess.Popen([sys.executable, str(ROOT / 'train.py'), f'--outdir={outdir}', *flags],
                            env=environment, stdout=subprocess.DEVNULL)


@pytest.mark.long
def test_a_process_that_is_killed_leaves_a_run_that_goes_on_bit_for_bit(data, tmp_path):
    flags = [f'--data={data}', *TINY, '--snap=1', '--kimg=6', '--augpipe=bgc']
    assert train_alone(tmp_path / 'one', *flags).wait() == 0
    process = train_alone(tmp_path / 'two', *flags)
    while len(list(tmp_path.glob('two/*/training-state-*/state.json'))) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(1)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert train_alone(tmp_path / 'two', '--resume=latest').wait() == 0
    [one], [two] = (list((tmp_path / name).iterdir()) for name in ('one', 'two'))
    assert state_folder.paths(str(two)) and pathlib.Path(two, 'network-final.pkl').exists()
    assert differences(one, two) == []
    strengths = [value for _, value in summaries(two)['Progress/augment']]
    assert 0 < strengths[1] != strengths[2], 'p moves before and after the state'
