"""Test `export.py --to=savedmodel`: folders that TensorFlow opens without this project."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import dnnlib.tflib as tflib
import export
from dnnlib.util import UserError
from tests import small_networks
from tests.crafted_pickles import dumps, stored
from tests.exported_networks import NETWORKS, PSI, write
from tests.golden_figures import QUICK, assert_close, fresh_session

TOLERANCE = 1e-5  # of the largest value
INPUTS = ('latents', 'labels', 'dlatents')
MODELS = {name: kwargs for name, kwargs in NETWORKS.items() if name not in ('revised', 'stylegan, fading')}

# Loads SavedModels and calls all their signatures, without site.py, which would find an installed project.
CLIENT = """
import json, sys
sys.path.append(sys.argv[1])
import numpy as np
import tensorflow as tf

try:
    import dnnlib
    sys.exit('the project can be imported')
except ModuleNotFoundError:
    pass

for folder, minibatches in json.load(sys.stdin):
    model = tf.saved_model.load(folder)
    results = {'signatures': sorted(model.signatures), 'num_variables': len(model.variables)}
    for path in minibatches:
        arrays = {name: tf.constant(value) for name, value in np.load(path).items()}
        arrays['truncation_psi'] = tf.constant(PSI)

        def call(signature, **given):
            function = model.signatures[signature]
            names = function.structured_input_signature[1]
            [(_, result)] = function(**{name: {**arrays, **given}[name] for name in names}).items()
            return result.numpy()

        stored = {'noise_seed': tf.constant(-1)}
        found = {'images': call('serving_default', **stored), 'uint8': call('uint8', **stored)}
        for index, seed in enumerate((3, 3, 4)):
            found[f'seed{index}'] = call('serving_default', noise_seed=tf.constant(seed))
        if 'mapping' in model.signatures:
            found['dlatents'] = call('mapping', truncation_psi=tf.constant(1.0))
            found['synthesis'] = call('synthesis', **stored)
            found['synthesis_uint8'] = call('synthesis_uint8', **stored)
        np.savez(path.replace('in', 'out'), **found)
    print(json.dumps(results))
""".replace('PSI', str(PSI))


def run(path, out):
    export.main(['--to=savedmodel', f'--network={path}', f'--out={out}'])


@pytest.fixture(scope='module')
def models(tmp_path_factory):
    """Export all networks and call them in one process. -> {name: (properties, [(expected, found)])}."""
    root = tmp_path_factory.mktemp('models')
    expected, requests = {}, []
    for number, (name, kwargs) in enumerate(MODELS.items()):
        expected[name] = write(root / f'{number}.pkl', **kwargs)
        with fresh_session(QUICK):
            run(root / f'{number}.pkl', root / str(number))
        paths = [str(root / f'in{number}-{index}.npz') for index in range(len(expected[name]))]
        for path, arrays in zip(paths, expected[name], strict=True):
            np.savez(path, **{key: arrays[key] for key in INPUTS if key in arrays})
        requests.append([str(root / str(number)), paths])
    packages = pathlib.Path(np.__file__).parents[1]
    process = subprocess.run([sys.executable, '-I', '-S', '-c', CLIENT, packages], input=json.dumps(requests),
                             text=True, capture_output=True, cwd=root)
    assert process.returncode == 0, process.stderr
    found = [[dict(np.load(path.replace('in', 'out'))) for path in paths] for _, paths in requests]
    properties = map(json.loads, process.stdout.splitlines())
    return {name: (each, list(zip(expected[name], arrays, strict=True)))
            for name, each, arrays in zip(MODELS, properties, found, strict=True)}


@pytest.mark.parametrize('name', MODELS)
def test_plain_tensorflow_draws_equal_images_of_any_number(name, models):
    for expected, found in models[name][1]:
        assert_close(found['images'], expected['images'], name, TOLERANCE)
        assert found['uint8'].dtype == np.uint8
        assert np.abs(found['uint8'].astype(int) - expected['uint8']).max() <= 1


@pytest.mark.parametrize('name', [name for name in MODELS if name != 'progan'])
def test_mapping_and_synthesis_have_signatures_of_their_own(name, models):
    for expected, found in models[name][1]:
        assert_close(found['dlatents'], expected['dlatents'], name, TOLERANCE)
        assert_close(found['synthesis'], expected['synthesis'], name, TOLERANCE)
        pixels = np.clip(found['synthesis'] * 127.5 + 128, 0, 255).transpose(0, 2, 3, 1)
        assert np.abs(pixels - found['synthesis_uint8']).max() < 1.01


def test_networks_without_dlatents_have_fewer_signatures(models):
    assert models['progan'][0]['signatures'] == ['serving_default', 'uint8']
    assert models['skip'][0]['signatures'] == [
        'mapping', 'serving_default', 'synthesis', 'synthesis_uint8', 'uint8']


def test_a_seed_of_noise_draws_the_same_images_again_with_noise_for_each(models):
    for _, found in models['skip'][1]:
        np.testing.assert_array_equal(found['seed0'], found['seed1'])
        assert np.abs(found['seed0'] - found['seed2']).max() > 0.01
        assert np.abs(found['seed0'] - found['images']).max() > 0.01
    (_, one), _, (_, five) = models['skip'][1]
    assert one['seed0'].shape[0] == 1 and five['seed0'].shape[0] == 5


def test_variables_are_stored_once(tmp_path):
    write(tmp_path / 'net.pkl', **{**NETWORKS['skip'], 'fmap_max': 64})
    with fresh_session(QUICK):
        run(tmp_path / 'net.pkl', tmp_path / 'out')
    assert sorted(os.listdir(tmp_path / 'out')) == ['saved_model.pb', 'variables']
    sizes = [path.stat().st_size for path in (tmp_path / 'out' / 'variables').iterdir()]
    assert sum(sizes) < 1.1 * (tmp_path / 'net.pkl').stat().st_size
    assert (tmp_path / 'out' / 'saved_model.pb').stat().st_size < 400_000


def test_what_was_written_and_what_was_left_out_is_printed(tmp_path, capsys):
    write(tmp_path / 'net.pkl', **NETWORKS['resnet, labels'])
    with fresh_session(QUICK):
        run(tmp_path / 'net.pkl', tmp_path / 'out')
    out = capsys.readouterr().out
    assert f'Wrote {tmp_path}/out: a SavedModel' in out
    assert 'uint8: latents (?, 4), labels (?, 3), truncation_psi (), noise_seed () -> images (?, 8' in out
    assert 'Left out: style mixing' in out


def test_an_interrupted_export_leaves_nothing(tmp_path, monkeypatch):
    write(tmp_path / 'net.pkl', **NETWORKS['skip'])

    def interrupted(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr('bridges.savedmodel._described', interrupted)
    monkeypatch.setattr('tensorflow.compat.v1.saved_model.Builder.save', interrupted)
    with fresh_session(QUICK), pytest.raises(KeyboardInterrupt):
        run(tmp_path / 'net.pkl', tmp_path / 'out')
    assert os.listdir(tmp_path) == ['net.pkl']


@pytest.mark.parametrize('form', ['savedmodel', 'onnx'])
def test_an_unknown_generator_is_refused_even_if_it_is_trusted(form, tmp_path, session, monkeypatch):
    net = tflib.Network('n', func_name=small_networks.double)
    net = stored(net, lambda state: {'build_func_name': 'G_new'})
    (tmp_path / 'net.pkl').write_bytes(dumps(net))
    for is_trusted in (False, True):
        monkeypatch.setattr('dnnlib.pickles.trust.is_trusted', lambda _digest, answer=is_trusted: answer)
        with pytest.raises(UserError, match='net.pkl: '):
            export.main([f'--to={form}', f'--network={tmp_path}/net.pkl', f'--out={tmp_path}/out'])
    assert os.listdir(tmp_path) == ['net.pkl']
