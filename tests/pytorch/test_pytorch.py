"""Test that networks compute the same here and in PyTorch, whichever side wrote the file.

STYLEGAN2_ADA_PYTORCH names a checkout of stylegan2-ada-pytorch, or the stand-in tests/pytorch/checkout;
STYLEGAN3 may name one of stylegan3, and PYTORCH_PYTHON a Python with PyTorch and safetensors.
"""

import itertools
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import dnnlib.tflib as tflib
import export
from tests.golden_figures import QUICK, fresh_session, set_golden_values
from training import misc

CHECKOUTS = [name for name in ('STYLEGAN2_ADA_PYTORCH', 'STYLEGAN3') if os.environ.get(name)]
PYTHON = os.environ.get('PYTORCH_PYTHON', sys.executable)
HERE = pathlib.Path(__file__).parent
TOLERANCE = 1e-4  # Of the largest value.
HALF = dict(num_fp16_res=4, conv_clamp=256)


def _has_pytorch():
    return subprocess.run([PYTHON, '-c', 'import torch, safetensors'], capture_output=True).returncode == 0


pytestmark = pytest.mark.skipif(
    'STYLEGAN2_ADA_PYTORCH' not in CHECKOUTS or not _has_pytorch(),
    reason='needs STYLEGAN2_ADA_PYTORCH=DIR and a Python with PyTorch')


def _case(resolution, mapping=None, synthesis=None, *, z=24, w=20, labels=0, channels=3, samples=4, **D):
    """Return the arguments of both classes in PyTorch, with few channels."""
    widths = dict(channel_base=512, channel_max=32)
    return dict(
        samples=samples,
        G=dict(z_dim=z, c_dim=labels, w_dim=w, img_resolution=resolution, img_channels=channels,
               mapping_kwargs=mapping or {}, synthesis_kwargs={**widths, **(synthesis or {})}),
        D=dict(c_dim=labels, img_resolution=resolution, img_channels=channels, **{**widths, **D}))


RELU = dict(activation='relu')
OF_PYTORCH = {
    'defaults': _case(16),
    'smallest': _case(8, channels=1),
    'labels, 64 pixels, as trained': _case(64, dict(num_layers=2), HALF, labels=5, **HALF),
    'orig and skip, 128 pixels': _case(
        128, dict(num_layers=1), dict(architecture='orig'), architecture='skip'),
    'resnet and orig, 256 pixels, clamped': _case(
        256, dict(num_layers=3), dict(architecture='resnet', conv_clamp=0.5), architecture='orig',
        conv_clamp=0.5, samples=2),
    'skip, 256 pixels, few channels': _case(256, samples=2, channel_max=16),
    'widths of the mapping, no noise': _case(
        16, dict(num_layers=2, embed_features=12, layer_features=40), dict(use_noise=False), labels=2,
        channel_base=64),
    'relu, cmap_dim, frozen layers, one group': _case(
        32, dict(num_layers=2, lr_multiplier=0.05, **RELU), RELU, labels=3, cmap_dim=20,
        mapping_kwargs=dict(num_layers=2, lr_multiplier=0.1, **RELU),
        block_kwargs=dict(freeze_layers=4, **RELU), epilogue_kwargs=dict(mbstd_group_size=None, **RELU)),
    'filters': _case(32, None, dict(resample_filter=[1, 2, 1]),
                     block_kwargs=dict(resample_filter=[1, 2, 4, 1]),
                     epilogue_kwargs=dict(mbstd_group_size=2, mbstd_num_channels=4)),
    'filter of 8 taps, no minibatch layer': _case(
        16, None, dict(resample_filter=[1, 2, 4, 9, 8, 4, 2, 1]), epilogue_kwargs=dict(mbstd_num_channels=0)),
}

_ADA = 'training.networks_stylegan2_ada'
_SG2 = 'training.networks_stylegan2'
_SIZES = dict(resolution=32, num_channels=3, fmap_base=256, fmap_max=32)
OF_TENSORFLOW = {  # {name: arguments of (G, D)}
    'config-e': (dict(func_name=f'{_SG2}.G_main', architecture='orig', fmap_base=128, mapping_layers=3),
                 dict(func_name=f'{_SG2}.D_stylegan2', architecture='resnet', fmap_base=128)),
    'config-f': (dict(func_name=f'{_SG2}.G_main', dlatent_size=18), dict(func_name=f'{_SG2}.D_stylegan2')),
    'ada': (dict(func_name=f'{_ADA}.G_main', mapping_layers=2, **HALF),
            dict(func_name=f'{_ADA}.D_main', mbstd_group_size=4, architecture='orig', **HALF)),
    'ada with labels': (
        dict(func_name=f'{_ADA}.G_main', label_size=3, dlatent_size=18, architecture='resnet'),
        dict(func_name=f'{_ADA}.D_main', label_size=3, architecture='skip', mapping_fmaps=20)),
}


def run_jobs(folder, checkout, jobs):
    """Run jobs of torch_side.py in one process."""
    (folder / 'jobs.json').write_text(json.dumps(jobs))
    subprocess.run([PYTHON, HERE / 'torch_side.py', os.environ[checkout], folder / 'jobs.json'], check=True)


def path_of(folder, name, suffix):
    return str(folder / f'{name.replace(" ", "-")}{suffix}')


@pytest.fixture(scope='module', params=CHECKOUTS)
def written(request, tmp_path_factory):
    """Write files with PyTorch. -> their folder, with .npz of what it computed."""
    folder = tmp_path_factory.mktemp('of_pytorch')
    run_jobs(folder, request.param, [
        dict(do='write', path=path_of(folder, name, '.pkl'), results=path_of(folder, name, '.npz'), **case)
        for name, case in OF_PYTORCH.items()])
    return folder


@pytest.fixture(scope='module')
def converted(written):
    """Write PyTorch's files again as pickles of TensorFlow and for PyTorch. -> their folder."""
    for name in OF_PYTORCH:
        with fresh_session(QUICK):
            _export('pkl', path_of(written, name, '.pkl'), path_of(written, name, '-tf.pkl'))
        _export('pytorch', path_of(written, name, '.pkl'), path_of(written, name, '.safetensors'))
    return written


def _export(form, path, out):
    export.main([f'--to={form}', f'--network={path}', f'--out={out}'])


@pytest.fixture(scope='module')
def of_tensorflow(tmp_path_factory):
    """Write files with TensorFlow, as pickles and for PyTorch. -> their folder."""
    folder = tmp_path_factory.mktemp('of_tensorflow')
    for name, (G_args, D_args) in OF_TENSORFLOW.items():
        with fresh_session(QUICK):
            G = tflib.Network('G', **{**_SIZES, 'latent_size': 24, 'dlatent_size': 24, **G_args})
            D = tflib.Network('D', **{**_SIZES, **D_args})
            networks = G, D, G.clone('Gs')
            for net in networks:
                set_golden_values(net, prefix=net.name + ':')
            misc.save_pkl(networks, path_of(folder, name, '.pkl'))
        _export('pytorch', path_of(folder, name, '.pkl'), path_of(folder, name, '.safetensors'))
    return folder


def read_by_pytorch(checkout, folder, suffix, samples):
    """Open files by the checkout's reader. samples: {name: size of the minibatch}."""
    run_jobs(folder, checkout, [
        dict(do='read', path=path_of(folder, name, suffix), results=path_of(folder, name, '-read.npz'),
             samples=count) for name, count in samples.items()])


def load_by_snippet(folder, samples):
    """Load exported files by the documented lines. samples: {name: size of the minibatch}."""
    lines = (HERE / 'loading.py').read_text()
    run_jobs(folder, 'STYLEGAN2_ADA_PYTORCH', [
        dict(do='snippet', code=lines.replace("'network.", f"'{path_of(folder, name, '.')}"),
             names=['G', 'D', 'G_ema'], results=path_of(folder, name, '-loaded.npz'), samples=count)
        for name, count in samples.items()])


def assert_same_here(pkl, results):
    """Compare all that PyTorch computed with what the networks in a file compute here."""
    expected = np.load(results)
    with fresh_session(QUICK):
        G, D, Gs = misc.load_networks(pkl)
        c = expected['c'] if expected['c'].size else None
        found = {'scores': D.run(expected['images'], c)}
        for name, net in (('G', G), ('G_ema', Gs)):
            z = expected['z']
            found[f'{name}_w'] = net.components.mapping.run(z, c)[:, 0]
            found[f'{name}_images'] = net.run(z, c, truncation_psi=0.7, randomize_noise=False)
            first = None if c is None else c[:1]
            found[f'{name}_images_full'] = net.run(z[:1], first, truncation_psi=1, randomize_noise=False)
    for name, value in found.items():
        assert_close(value, expected[name], name)


def assert_close(value, expected, name):
    difference = np.abs(value - expected).max() / np.abs(expected).max()
    assert value.shape == expected.shape
    assert difference < TOLERANCE, f'{name} differs by {difference:.2g} of the largest'


@pytest.mark.parametrize('name', OF_PYTORCH)
def test_networks_of_pytorch_compute_the_same_here(name, written):
    assert_same_here(path_of(written, name, '.pkl'), path_of(written, name, '.npz'))


def test_networks_of_pytorch_return_to_it_as_they_were(converted):
    samples = {name: case['samples'] for name, case in OF_PYTORCH.items()}
    read_by_pytorch('STYLEGAN2_ADA_PYTORCH', converted, '-tf.pkl', samples)
    load_by_snippet(converted, samples)
    for name, suffix in itertools.product(OF_PYTORCH, ('-read.npz', '-loaded.npz')):
        expected, found = (np.load(path_of(converted, name, end)) for end in ('.npz', suffix))
        for key in (key for key in expected if expected[key].size):
            assert_close(found[key], expected[key], f'{name}, {key}, {suffix}')


@pytest.mark.parametrize('checkout', CHECKOUTS)
def test_files_of_tensorflow_compute_the_same_in_pytorch(checkout, of_tensorflow):
    read_by_pytorch(checkout, of_tensorflow, '.pkl', dict.fromkeys(OF_TENSORFLOW, 4))
    for name in OF_TENSORFLOW:
        assert_same_here(path_of(of_tensorflow, name, '.pkl'), path_of(of_tensorflow, name, '-read.npz'))


def test_exported_networks_are_loaded_by_the_documented_lines(of_tensorflow):
    load_by_snippet(of_tensorflow, dict.fromkeys(OF_TENSORFLOW, 4))
    for name in OF_TENSORFLOW:
        assert_same_here(path_of(of_tensorflow, name, '.pkl'), path_of(of_tensorflow, name, '-loaded.npz'))
