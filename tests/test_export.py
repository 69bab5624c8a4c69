"""Test export.py, which converts network files for other code."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

import dnnlib.tflib as tflib
import export
from dnnlib import cli
from dnnlib.pickles import inspection, source_text
from dnnlib.util import UserError
from tests import small_networks
from tests.crafted_pickles import dumps, stored
from tests.golden_figures import QUICK, fresh_session, set_golden_values
from tests.test_house import ROOT
from training import misc

SIZES = dict(resolution=8, num_channels=1, fmap_max=4)
NETWORKS = {
    'networks_stylegan2': ('G_main', 'D_stylegan2'), 'networks_stylegan': ('G_style', 'D_basic'),
    'networks_progan': ('G_paper', 'D_paper'), 'networks_stylegan2_ada': ('G_main', 'D_main')}


def make(module, func, **kwargs):
    net = tflib.Network(func[0], func_name=f'training.{module}.{func}', **SIZES, **kwargs)
    set_golden_values(net)
    return net


def run(path, out):
    export.main(['--to=tf1', f'--network={path}', f'--out={out}'])


def texts(path):
    """Return the source texts in a file, in the order of its networks and sub-networks."""
    return [net.state['build_module_src'] for net in inspection.inspect(str(path)).all_networks()]


@pytest.mark.parametrize('module', NETWORKS)
def test_networks_get_self_contained_texts_and_stay_the_same(module, tmp_path, session, capsys):
    G, D = (make(module, func) for func in NETWORKS[module])
    kwargs = [net.__getstate__()['static_kwargs'] for net in (G, D, G)]
    misc.save_pkl((G, D, G.clone('Gs')), tmp_path / 'net.pkl')
    assert set(texts(tmp_path / 'net.pkl')) == {source_text.of_name(f'training.{module}')}
    run(tmp_path / 'net.pkl', tmp_path / 'out.pkl')
    found = texts(tmp_path / 'out.pkl')
    assert set(found) == {source_text.self_contained(f'training.{module}')}
    assert f'{len(found)} networks exported' in capsys.readouterr().out
    data = (tmp_path / 'out.pkl').read_bytes()
    assert data.count(b'For TensorFlow 1.14 and Python 3.6') == 1
    assert b'numpy._core' not in data
    with fresh_session(QUICK):
        loaded = misc.load_networks(tmp_path / 'out.pkl')
        values = [{name: net.get_var(name) for name in net.vars} for net in loaded]
        misc.save_pkl(loaded, tmp_path / 'again.pkl')
    assert [net.static_kwargs for net in loaded] == kwargs
    assert texts(tmp_path / 'again.pkl') == found, 'texts are kept'
    for net, arrays in zip((G, D, G), values, strict=True):
        assert list(arrays) == list(net.vars)
        for name, value in arrays.items():
            np.testing.assert_array_equal(value, net.get_var(name))


@pytest.mark.parametrize(
    'old', ['', source_text.self_contained('training.networks_stylegan2').replace('0.2', '0.3')])
def test_texts_that_are_missing_or_older_are_written_anew(old, tmp_path, session):
    net = make('networks_stylegan2', 'D_stylegan2')
    (tmp_path / 'net.pkl').write_bytes(dumps(stored(net, lambda state: {'build_module_src': old})))
    run(tmp_path / 'net.pkl', tmp_path / 'out.pkl')
    assert texts(tmp_path / 'out.pkl') == [source_text.self_contained('training.networks_stylegan2')]


def test_texts_of_others_and_all_fields_are_kept(tmp_path, session):
    ours = make('networks_stylegan2', 'D_stylegan2')
    other = tflib.Network('n', func_name=small_networks.double)
    change = dict(version=5, input_shapes=ours.input_shapes, output_shapes=ours.output_shapes,
                  input_names=['x'])
    items = [stored(ours, lambda state: change), stored(other)]
    (tmp_path / 'net.pkl').write_bytes(dumps(items))
    run(tmp_path / 'net.pkl', tmp_path / 'out.pkl')
    first, second = inspection.inspect(str(tmp_path / 'out.pkl')).networks
    assert {name: first.stored[name] for name in change} == change
    assert second.state['build_module_src'] == items[1].state['build_module_src']


def test_there_may_be_nothing_to_export(tmp_path, session):
    misc.save_pkl(tflib.Network('n', func_name=small_networks.double), tmp_path / 'net.pkl')
    with pytest.raises(UserError, match='net.pkl: none of its source texts is of this project'):
        run(tmp_path / 'net.pkl', tmp_path / 'out.pkl')
    (tmp_path / 'reals.pkl').write_bytes(pickle.dumps((np.zeros(3), np.zeros([3, 3]))))
    with pytest.raises(UserError, match='reals.pkl: expected a file of networks only; found a tuple of'):
        run(tmp_path / 'reals.pkl', tmp_path / 'out.pkl')
    assert not os.path.exists(tmp_path / 'out.pkl')


@pytest.mark.parametrize('flags, message', [
    (['--network={net}', '--out={net}'], '--out={net}: exists already'),
    (['--network={net}', '--out={dir}/new/out.pkl'], "--out: expected a file in a folder that exists, not "),
    (['--network={net}', '--out='], "--out: expected a file"),
    (['--network={dir}/gone.pkl', '--out={dir}/out.pkl'], '{dir}/gone.pkl: no such file'),
    (['--network={net}', '--out={dir}/out.pkl'], '{net}: not a readable network pickle')])
def test_errors_are_one_line_and_write_nothing(flags, message, tmp_path, monkeypatch, capsys):
    net = tmp_path / 'net.pkl'
    net.write_bytes(b'\x80\x04N')
    names = dict(net=net, dir=tmp_path)
    monkeypatch.setattr(sys, 'argv', ['export.py', '--to=tf1', *(flag.format(**names) for flag in flags)])
    with pytest.raises(SystemExit) as caught:
        cli.run_script(export.main)
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith(f'Error: {message.format(**names)}')
    assert os.listdir(tmp_path) == ['net.pkl']


def test_an_export_that_is_interrupted_leaves_no_file(tmp_path, session, monkeypatch):
    misc.save_pkl(make('networks_progan', 'D_paper'), tmp_path / 'net.pkl')

    def interrupted(found, file):
        file.write(b'begun')
        raise KeyboardInterrupt

    monkeypatch.setattr('dnnlib.pickles.writing.dump', interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / 'net.pkl', tmp_path / 'out.pkl')
    assert os.listdir(tmp_path) == ['net.pkl']


def test_tensorflow_is_not_loaded(tmp_path, session):
    misc.save_pkl(make('networks_progan', 'D_paper'), tmp_path / 'net.pkl')
    code = 'import sys, export; export.main(sys.argv[1:]); assert "tensorflow" not in sys.modules'
    subprocess.run([sys.executable, '-c', code, '--to=tf1', f'--network={tmp_path}/net.pkl',
                    f'--out={tmp_path}/out.pkl'], cwd=ROOT, check=True)
    assert len(texts(tmp_path / 'out.pkl')) == 1
