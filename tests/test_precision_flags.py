"""Test --precision on command lines: its words, its errors, and whole runs of StyleGAN2-ADA in each."""

import pathlib
import pickle
import subprocess
import sys

import numpy as np
import pytest

import dnnlib
import run_training
import train
from dnnlib import cli
from tests import image_sets
from tests.golden_figures import QUICK, fresh_session
from tests.test_house import ROOT
from tests.test_train_runs import differences, killed_after
from training import misc
from training.settings import ada_loop
from training.settings.precision import NAMES

CHOICES = "choose from 'float32', 'tf32', 'mixed', 'bfloat16'"
WITHOUT_TENSORFLOW = """
import sys, dnnlib
sys.modules['tensorflow'] = None
import {script}
from dnnlib import cli
for words in {lines}:
    try:
        cli.run_script(lambda: {script}.main(words))
    except SystemExit as end:
        print(end.code, file=sys.stderr)
"""
SHORT = ['--fmap-base=32', '--fmap-max=4', '--augpipe=color', '--metrics=none', '--snapshot-ticks=1']
FP16_LAYERS = {  # --precision: the arguments of networks about it; of ada-* without a GPU
    None: {(0, 256)}, 'float32': {(0, 256)}, 'tf32': {(0, 256)}, 'mixed': {(4, 256)},
    'bfloat16': {(4, 256, 'bfloat16')}}


def _errors(script, *lines):
    """Run a script with several command lines, without TensorFlow. -> [(message, status)]."""
    code = WITHOUT_TENSORFLOW.format(script=script, lines=[[*map(str, line)] for line in lines])
    done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, check=True)
    found = done.stderr.splitlines()
    assert len(found) == 2 * len(lines), done.stderr
    return [*zip(found[::2], found[1::2], strict=True)]


@pytest.mark.parametrize(('script', 'folder'), [('run_training', 'result-dir'), ('train', 'outdir')])
def test_an_unknown_precision_is_refused_with_the_choices_before_tensorflow_loads(script, folder, tmp_path):
    words = ['fp16', '', 'Mixed', 'float32,mixed']
    found = _errors(script, *([f'--{folder}={tmp_path}/out', f'--precision={word}'] for word in words))
    assert found == [(f"Error: argument --precision: invalid choice: '{word}' ({CHOICES})", '2')
                     for word in words]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('main', [run_training.main, train.main])
def test_the_help_shows_the_words_that_flags_take(main, capsys):
    with pytest.raises(SystemExit):
        main(['--help'])
    text = capsys.readouterr().out
    for part in ('--precision {float32,tf32,mixed,bfloat16}', '--xla {on,off,auto}',
                 '--fp16 {auto,true,false}'):
        assert part in text


def _stored_run(folder, **settings):
    """Write what --resume looks for first. -> run directory."""
    (folder / 'training-state-000001.000').mkdir(parents=True)
    sc = dnnlib.SubmitConfig()
    sc.run_func_kwargs = settings
    (folder / 'submit_config.pkl').write_bytes(pickle.dumps(sc))
    return folder


@pytest.mark.parametrize('script', ['run_training', 'train'])
def test_another_precision_than_that_of_a_resumed_run_is_refused_before_tensorflow_loads(script, tmp_path):
    runs = {name: _stored_run(tmp_path / str(name), **settings) for name, settings in {
        'mixed': {'precision': 'mixed'}, 'float32': {'precision': 'float32'},
        'bfloat16': {'precision': 'bfloat16'}, 'old': {'fp16_on_cpu': True}, None: {}}.items()}
    cases = [
        ('mixed', '--precision=float32', 'has mixed'), ('mixed', '--precision=bfloat16', 'has mixed'),
        ('float32', '--precision=mixed', 'has float32'), ('float32', '--precision=tf32', 'has float32'),
        ('bfloat16', '--precision=mixed', 'has bfloat16'), ('bfloat16', '--fp16=true', 'has auto'),
        ('mixed', '--fp16=false', 'has true'), ('old', '--precision=tf32', 'has mixed'),
        (None, '--precision=mixed', 'was started without it'), (None, '--fp16=true', 'has auto')]
    before = sorted(tmp_path.rglob('*'))
    found = _errors(script, *([f'--resume={runs[name]}', flag] for name, flag, _ in cases))
    assert found == [
        (f'Error: {flag} contradicts the run in {runs[name]}, which {there}; leave it out, or start a new '
         'run from one of its network pickles', '2') for name, flag, there in cases]
    assert sorted(tmp_path.rglob('*')) == before


def test_damaged_settings_of_a_run_are_named(tmp_path):
    damaged = [b'\x80\x04no', *map(pickle.dumps, (
        [1], {'run_func_kwargs': None}, {'run_func_kwargs': {'precision': ['mixed']}}))]
    runs = [_stored_run(tmp_path / str(index)) for index in range(len(damaged))]
    for run_dir, content in zip(runs, damaged, strict=True):
        (run_dir / 'submit_config.pkl').write_bytes(content)
    found = _errors('run_training', *([f'--resume={run_dir}', '--precision=mixed'] for run_dir in runs))
    for run_dir, (message, status) in zip(runs, found, strict=True):
        assert message.startswith(f'Error: {run_dir}/submit_config.pkl: ') and status == '2'


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Write a data set of 20 images. -> path."""
    return pathlib.Path(image_sets.write_records(
        tmp_path_factory.mktemp('data') / 'tiny', image_sets.pixels(20), 'raw'))


def _train(data, out, *flags, seed=5):
    """Call run_training.py in a fresh session. -> run directory."""
    words = [f'--dataset={data}', f'--result-dir={out}', *flags]
    with fresh_session(QUICK), pytest.MonkeyPatch.context() as patch:
        patch.setattr(ada_loop, 'TICK_KIMG', 0.25)
        np.random.seed(seed)
        cli.run_script(lambda: run_training.main(words))
    return sorted(out.iterdir())[-1]


def _layers(run_dir):
    """Return what the networks of a finished run say about half precision; their values are finite."""
    names = ('num_fp16_res', 'conv_clamp', 'half_dtype')
    with fresh_session(QUICK):
        networks = misc.load_pkl(str(run_dir / 'network-final.pkl'))
        parts = [net.components.get('synthesis', net) for net in networks]
        for net in networks:
            assert all(np.isfinite(net.get_var(name)).all() for name in net.trainables)
        return {tuple(part.static_kwargs[name] for name in names if name in part.static_kwargs)
                for part in parts}


@pytest.mark.long
@pytest.mark.parametrize('name', [None, *NAMES])
def test_a_configuration_of_stylegan2_ada_trains_in_each_precision(name, data, tmp_path):
    flags = ['--config=ada-auto', '--total-kimg=1', *SHORT]
    run_dir = _train(data, tmp_path, *flags, *([f'--precision={name}'] if name else []))
    assert _layers(run_dir) == FP16_LAYERS[name]
    settings = misc.load_pkl(str(run_dir / 'submit_config.pkl')).run_func_kwargs
    assert settings.get('precision') == name
    assert not settings['G_opt_args'].get('use_loss_scaling')
    text = (run_dir / 'log.txt').read_text()
    assert ('Without a GPU, all layers run in float32' in text) == (name is None)
    assert ' skipped ' not in text


@pytest.mark.long
@pytest.mark.parametrize('name', ['mixed', 'bfloat16'])
@pytest.mark.parametrize('config', ['config-f', 'ada-auto'])
def test_a_killed_run_resumes_bit_for_bit_in_its_precision_without_the_flag(name, config, data, tmp_path):
    flags = [f'--config={config}', f'--precision={name}', '--total-kimg=1', '--tick-kimg=0.25', *SHORT]
    if config == 'config-f':
        flags = [flag for flag in flags if 'augpipe' not in flag]
    one = _train(data, tmp_path / 'one', *flags)
    with killed_after(6):  # of 8 calls: four iterations each
        _train(data, tmp_path / 'two', *flags)
    [two] = (tmp_path / 'two').iterdir()
    assert not (two / 'network-final.pkl').exists()
    with fresh_session(QUICK):
        np.random.seed(99)
        cli.run_script(lambda: run_training.main([f'--result-dir={tmp_path}/two', '--resume=latest']))
    assert _layers(two) == FP16_LAYERS[name]
    assert differences(one, two) == []


def _weights(run_dir):
    """Return the weights of the networks of a finished run."""
    with fresh_session(QUICK):
        networks = misc.load_pkl(str(run_dir / 'network-final.pkl'))
        return {(index, name): net.get_var(name)
                for index, net in enumerate(networks) for name in net.trainables}


@pytest.mark.long
@pytest.mark.parametrize('start', ['float32', 'mixed', 'bfloat16'])
def test_new_runs_take_weights_into_every_other_precision(start, data, tmp_path):
    flags = ['--config=config-f', '--total-kimg=0', *(flag for flag in SHORT if 'augpipe' not in flag)]
    first = _train(data, tmp_path, *flags, f'--precision={start}')
    # float32 follows the others only from networks that clamp, and leaves them clamped.
    for name in sorted({'float32', 'mixed', 'bfloat16'} - {start}):
        other = _train(data, tmp_path, *flags, f'--precision={name}', f'--resume={first}/network-final.pkl')
        assert _layers(other) == FP16_LAYERS[name]
        np.testing.assert_equal(_weights(other), _weights(first))
