"""Test --precision on command lines: its words and its errors."""

import pickle
import subprocess
import sys

import pytest

import dnnlib
import run_training
import train
from tests.test_house import ROOT

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
    run_dir = _stored_run(tmp_path / 'run')
    (run_dir / 'submit_config.pkl').write_bytes(b'\x80\x04no')
    [(message, status)] = _errors('run_training', [f'--resume={run_dir}', '--precision=mixed'])
    assert message.startswith(f'Error: {run_dir}/submit_config.pkl: ') and status == '2'
