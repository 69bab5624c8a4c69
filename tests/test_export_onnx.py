"""Test `export.py --to=onnx`, with onnxruntime alone, and images drawn by it."""

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import export
import run_generator
from dnnlib.files import sha256
from dnnlib.pickles.source_text import VERSION
from dnnlib.util import UserError
from latents import onnx_images
from tests.exported_networks import NETWORKS, PSI, write
from tests.golden_figures import QUICK, assert_close, fresh_session
from tests.test_house import ROOT

onnx = pytest.importorskip('onnx', reason='needs the extra onnx')
onnxruntime = pytest.importorskip('onnxruntime', reason='needs the extra onnx')

TOLERANCE = 1e-4  # of the largest value


def run(path, out, *flags):
    with fresh_session(QUICK):
        export.main(['--to=onnx', f'--network={path}', f'--out={out}', *flags])


def evaluate(path, **arrays):
    """Run a model -> its only output. Arrays that it does not take are left out."""
    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    names = {value.name for value in (*session.get_inputs(), *session.get_overridable_initializers())}
    result, = session.run(None, {name: np.asarray(value, np.float32)
                                 for name, value in arrays.items() if name in names})
    return result


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """Write all networks. -> {name: (path, expected arrays)}."""
    root = tmp_path_factory.mktemp('networks')
    return {name: (root / f'{number}.pkl', write(root / f'{number}.pkl', **kwargs))
            for number, (name, kwargs) in enumerate(NETWORKS.items())}


@pytest.mark.parametrize('name', NETWORKS)
def test_onnxruntime_draws_equal_images_of_any_number(name, files, tmp_path, capsys):
    path, minibatches = files[name]
    run(path, tmp_path / 'out.onnx')
    for arrays in minibatches:
        inputs = {key: arrays[key] for key in ('latents', 'labels') if key in arrays}
        found = evaluate(tmp_path / 'out.onnx', truncation_psi=PSI, **inputs)
        assert_close(found, arrays['images'], name, TOLERANCE)
    out = capsys.readouterr().out
    assert 'out.onnx: opset 18, latents [N,4]' in out and 'Checked: onnxruntime differs' in out
    assert 'Left out: style mixing' in out
    onnx.checker.check_model(str(tmp_path / 'out.onnx'), full_check=True)


@pytest.mark.parametrize('name', ['skip', 'stylegan', 'ada, labels, grey, oblong, float16'])
def test_mapping_and_synthesis_are_exported_on_request(name, files, tmp_path):
    path, minibatches = files[name]
    run(path, tmp_path / 'mapping.onnx', '--what=mapping')
    run(path, tmp_path / 'synthesis.onnx', '--what=synthesis', '--opset=15')
    for arrays in minibatches:
        inputs = {key: arrays[key] for key in ('latents', 'labels') if key in arrays}
        dlatents = evaluate(tmp_path / 'mapping.onnx', truncation_psi=1, **inputs)
        assert_close(dlatents, arrays['dlatents'], name, TOLERANCE)
        images = evaluate(tmp_path / 'synthesis.onnx', dlatents=arrays['dlatents'])
        assert_close(images, arrays['synthesis'], name, TOLERANCE)
    assert onnx.load(tmp_path / 'synthesis.onnx').opset_import[0].version == 15


def test_noise_is_the_stored_one_unless_inputs_are_asked_for(files, tmp_path):
    path, minibatches = files['skip']
    run(path, tmp_path / 'stored.onnx')
    run(path, tmp_path / 'inputs.onnx', '--noise=inputs')
    stored, inputs = (onnx.load(tmp_path / f'{name}.onnx').graph for name in ('stored', 'inputs'))
    assert [value.name for value in stored.input] == ['latents', 'truncation_psi']
    assert [value.name for value in inputs.input][2:] == [f'noise{layer}' for layer in range(3)]
    arrays = dict(latents=minibatches[1]['latents'], truncation_psi=PSI)
    assert_close(evaluate(tmp_path / 'inputs.onnx', **arrays), minibatches[1]['images'], 'noise', TOLERANCE)
    other = evaluate(tmp_path / 'inputs.onnx', noise2=np.zeros([1, 1, 8, 8]), **arrays)
    assert np.abs(other - minibatches[1]['images']).max() > 0.01


def test_a_model_that_computes_something_else_is_not_left(files, tmp_path, monkeypatch):
    monkeypatch.setattr('bridges.onnx._expected', lambda Gs, feed, rank: np.ones([1] * rank))
    with pytest.raises(UserError, match='0.pkl: onnxruntime differs .* nothing was written'):
        run(files['skip'][0], tmp_path / 'out.onnx')
    assert os.listdir(tmp_path) == []


def test_what_tf2onnx_cannot_convert_is_one_line(files, tmp_path, monkeypatch):
    def failing(*_args, **_kwargs):
        raise RuntimeError('no such operator')

    monkeypatch.setattr('tf2onnx.convert.from_graph_def', failing)
    with pytest.raises(UserError, match='tf2onnx cannot convert .* --opset=18: no such operator'):
        run(files['skip'][0], tmp_path / 'out.onnx')
    assert os.listdir(tmp_path) == []


def test_networks_without_dlatents_have_one_part(files, tmp_path):
    with pytest.raises(UserError, match='--what=mapping: this generator has no dlatents; expected generator'):
        run(files['progan'][0], tmp_path / 'out.onnx', '--what=mapping')


def test_missing_packages_and_flags_of_other_forms_are_named(files, tmp_path, monkeypatch):
    path = files['skip'][0]
    with pytest.raises(UserError, match='--opset: is for --to=onnx, not for --to=tf1'):
        export.main(['--to=tf1', f'--network={path}', f'--out={tmp_path}/out', '--opset=18'])
    monkeypatch.setattr('importlib.util.find_spec', lambda _name: None)
    message = r"--to=onnx needs other packages: pip install 'tf2onnx>=1.17' 'onnx>="
    with pytest.raises(UserError, match=message):
        run(path, tmp_path / 'out.onnx')
    with pytest.raises(UserError, match='--engine=onnx needs other packages: pip install'):
        run_generator.main(['generate-images', f'--network={path}', '--seeds=1', '--engine=onnx'])


def pictures(root):
    folder, = root.iterdir()
    return {path.name: np.asarray(Image.open(path)).astype(int) for path in folder.glob('*.png')}


@pytest.mark.parametrize('name, flags', [('skip', []), ('resnet, labels', ['--class=1'])])
def test_both_engines_draw_the_same_images_of_seeds(name, flags, files, tmp_path, monkeypatch):
    path = files[name][0]
    monkeypatch.setenv('DNNLIB_CACHE_DIR', str(tmp_path / 'cache'))
    for engine in ('tensorflow', 'onnx'):
        with fresh_session(QUICK):
            run_generator.main(['generate-images', f'--network={path}', '--seeds=3-5', *flags,
                                f'--engine={engine}', f'--result-dir={tmp_path / engine}'])
    expected, found = pictures(tmp_path / 'tensorflow'), pictures(tmp_path / 'onnx')
    assert set(found) == {'seed0003.png', 'seed0004.png', 'seed0005.png'} == set(expected)
    assert all(np.abs(found[key] - expected[key]).max() <= 1 for key in found)
    model, = (tmp_path / 'cache' / 'onnx').iterdir()
    assert model.name.startswith(sha256(path))


def test_a_converted_network_is_drawn_without_tensorflow(files, tmp_path, monkeypatch):
    path = files['skip'][0]
    monkeypatch.setenv('DNNLIB_CACHE_DIR', str(tmp_path / 'cache'))
    line = ['generate-images', f'--network={path}', '--seeds=3', '--engine=onnx']
    with fresh_session(QUICK):
        run_generator.main([*line, f'--result-dir={tmp_path / "first"}'])
    code = ('import sys, run_generator; run_generator.main(sys.argv[1:]); '
            'assert "tensorflow" not in sys.modules')
    subprocess.run([sys.executable, '-c', code, *line, f'--result-dir={tmp_path / "second"}'], cwd=ROOT,
                   check=True)
    first, second = pictures(tmp_path / 'first'), pictures(tmp_path / 'second')
    np.testing.assert_array_equal(first['seed0003.png'], second['seed0003.png'])


@pytest.mark.parametrize('size', [0, 3000])
def test_a_damaged_model_in_the_cache_is_replaced(size, files, tmp_path, monkeypatch, capsys):
    path = files['skip'][0]
    monkeypatch.setenv('DNNLIB_CACHE_DIR', str(tmp_path / 'cache'))
    model = tmp_path / 'cache' / 'onnx' / f'{sha256(path)}-{VERSION}.onnx'
    model.parent.mkdir(parents=True)
    model.write_bytes(b'\x08\x07' * (size // 2))
    with fresh_session(QUICK):
        (_, image), = onnx_images.images_of_seeds(str(path), [3], 0.5, None)
    assert image.dtype == np.uint8
    assert f'{model}: not readable' in capsys.readouterr().out
    onnx.checker.check_model(str(model))


@pytest.mark.parametrize('lod, name', [(0, 'revised'), (1.4, 'revised, fading')])
def test_the_level_of_detail_is_the_stored_one(lod, name, files, tmp_path):
    run(files[name][0], tmp_path / 'out.onnx')
    names = {node.name for node in onnx.load(tmp_path / 'out.onnx').graph.node}
    assert any('ToRGB_lod1' in each for each in names) == (lod > 0)
