"""Test that other readers get the same images from snapshots: NumPy 1 and the PyTorch versions."""

import pickletools

import numpy as np
import pytest

import dnnlib.tflib as tflib
from bridges import tf1
from dnnlib.tflib.network import state
from tests import pytorch_readers
from tests.golden_figures import QUICK, assert_close, fresh_session, set_golden_values
from tests.golden_recipe import golden_input
from training import misc
from training.settings.configs import config_settings

Z = golden_input('z', [8, 6])


@pytest.fixture(scope='module')
def networks(module_session):
    """Build (G, D, Gs) of config F as the training loop does, but small."""
    settings = config_settings('config-f')
    data = dict(num_channels=3, resolution=16, label_size=0)
    sizes = dict(fmap_base=64, fmap_max=8)
    G = tflib.Network('G', **data, **settings['G_args'], **sizes, latent_size=6, dlatent_size=12,
                      mapping_layers=3)
    D = tflib.Network('D', **data, **settings['D_args'], **sizes)
    Gs = G.clone('Gs')
    for net in (G, D, Gs):
        set_golden_values(net, prefix=net.name + ':')
    return G, D, Gs


@pytest.fixture(scope='module')
def snapshot(networks, tmp_path_factory):
    """Write the networks to a file and return its path."""
    path = tmp_path_factory.mktemp('snapshot') / 'network-snapshot-000000.pkl'
    misc.save_pkl(networks, path)
    return path


@pytest.mark.parametrize('exported', [False, True])
def test_pytorch_readers_make_the_same_images_of_a_snapshot(exported, networks, snapshot, tmp_path):
    if exported:
        assert tf1.export(str(snapshot), str(tmp_path / 'tf1.pkl')).startswith('7 networks')
        snapshot = tmp_path / 'tf1.pkl'
    G, _, Gs = pytorch_readers.read(snapshot)
    for net, stub in zip((networks[0], networks[2]), (G, Gs), strict=True):
        expected = net.run(Z, None, truncation_psi=1, randomize_noise=False)
        assert_close(pytorch_readers.generate(stub, Z), expected, net.name, tolerance=1e-5)


@pytest.mark.parametrize('batch', [3, 8])
def test_pytorch_readers_give_the_same_scores(batch, networks, snapshot):
    """The minibatches include groups of 4, which is not the readers' default."""
    images = golden_input('images', [batch, 3, 16, 16])
    _, D, _ = pytorch_readers.read(snapshot)
    expected = networks[1].run(images, None)
    assert_close(pytorch_readers.scores(D, images), expected, 'scores', tolerance=1e-5)
    del D.static_kwargs['mbstd_group_size']
    same = np.allclose(pytorch_readers.scores(D, images), expected, rtol=1e-3)
    assert same == (batch < 4)


def test_pytorch_readers_know_every_parameter(networks, snapshot):
    for net, stub in zip(networks, pytorch_readers.read(snapshot), strict=True):
        assert (stub.version, stub.name) == (4, net.name)
        values = pytorch_readers.parameters(stub)
        keys = {component.name: key for key, component in net.components.items()}
        expected = {'/'.join([keys.get(first, first), *rest]): var.shape.as_list()
                    for first, *rest, var in ((*name.split('/'), var) for name, var in net.vars.items())}
        assert {name: list(value.shape) for name, value in values.items()} == expected
        assert list(values) == list(expected)


@pytest.mark.parametrize('config', ['config-e', 'config-f', 'config-e-Gresnet-Dskip'])
def test_static_kwargs_of_configs_e_and_f_are_known_to_pytorch_readers(config, monkeypatch, session):
    monkeypatch.setattr(tflib.Network, 'reset_own_vars', lambda net: None)
    settings = config_settings(config)
    for name, allowed in (('G', pytorch_readers.G_KWARGS), ('D', pytorch_readers.D_KWARGS)):
        net = tflib.Network(name, num_channels=3, resolution=8, label_size=0, **settings[name + '_args'])
        kwargs = state._explicit_kwargs(net)
        assert set(kwargs) <= allowed
        # The widths are the defaults of both sides.
        assert set(kwargs) - set(net.static_kwargs) == ({'mbstd_group_size'} if name == 'D' else set())


def test_a_mapping_network_that_is_not_as_wide_as_the_dlatents_says_so(networks):
    assert state.get_state(networks[0])['static_kwargs']['mapping_fmaps'] == 512
    assert 'mapping_fmaps' not in networks[0].static_kwargs


def test_a_keyword_that_was_given_is_kept(session):
    D = tflib.Network('D', func_name='training.networks_stylegan2.D_stylegan2', resolution=8, fmap_max=4,
                      mbstd_group_size=2)
    assert state.get_state(D)['static_kwargs'] == D.static_kwargs


def test_the_file_holds_what_old_versions_read(snapshot):
    data = snapshot.read_bytes()
    opcodes = list(pickletools.genops(data))
    assert max(opcode.proto for opcode, _, _ in opcodes) <= 4
    assert b'numpy._core' not in data
    assert 'EasyDict' not in {argument for _, argument, _ in opcodes if isinstance(argument, str)}
    assert data.count(b'def G_main(') == 1  # although there are seven networks


def test_a_snapshot_comes_back_and_is_written_again_unchanged(networks, snapshot, tmp_path):
    with fresh_session(QUICK):
        found = misc.load_networks(snapshot)
        misc.save_pkl(found, tmp_path / 'again.pkl')
        values = [{name: net.get_var(name) for name in net.vars} for net in found]
    assert (tmp_path / 'again.pkl').read_bytes() == snapshot.read_bytes()
    for net, stored in zip(networks, values, strict=True):
        for name, value in stored.items():
            np.testing.assert_array_equal(net.get_var(name), value)
