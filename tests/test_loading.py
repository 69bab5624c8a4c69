"""Files that hold one network, three or others: training.misc and pretrained_networks."""

import numpy as np
import pytest

import dnnlib.tflib as tflib
import pretrained_networks
from dnnlib.tflib import Network
from dnnlib.util import UserError
from training import misc


@pytest.fixture(scope='module')
def triple(generator):
    """(G, D, Gs)"""
    D = tflib.Network('D', func_name='training.networks_stylegan2.D_stylegan2', resolution=8, fmap_max=4)
    return generator, D, generator.clone('Gs')


def saved(tmp_path, obj):
    path = str(tmp_path / 'some.pkl')
    misc.save_pkl(obj, path)
    return path


@pytest.mark.parametrize('kind', [tuple, list])
def test_three_networks_are_a_triple(kind, triple, tmp_path):
    path = saved(tmp_path, kind(triple))
    for load in (misc.load_networks, pretrained_networks.load_networks):
        networks = load(path)
        assert type(networks) is tuple
        assert [net.name for net in networks] == ['G', 'D', 'Gs']
    assert pretrained_networks.load_generator(path) is pretrained_networks.load_networks(path)[2]


@pytest.mark.parametrize('wrapped', [lambda net: net, lambda net: [net], lambda net: (net,)])
def test_a_generator_alone_draws_images(wrapped, triple, tmp_path):
    path = saved(tmp_path, wrapped(triple[2]))
    Gs = pretrained_networks.load_generator(path)
    assert Gs.name == 'Gs'
    z = np.ones([1, 4])
    np.testing.assert_array_equal(Gs.run(z, None, randomize_noise=False),
                                  triple[2].run(z, None, randomize_noise=False))
    assert pretrained_networks.load_generator(path) is Gs, 'loaded once'
    assert type(misc.load_pkl(path)) is type(wrapped(triple[2]))


def test_a_single_discriminator_draws_no_images(triple, tmp_path):
    with pytest.raises(UserError, match=r'some.pkl: Gs returns \[None, 1\], expected images'):
        pretrained_networks.load_generator(saved(tmp_path, triple[1]))


@pytest.mark.parametrize('choose, found', [
    (lambda G, D, Gs: Gs, "a single network, 'Gs'"),
    (lambda G, D, Gs: [D], "a list of 1: 'D'"),
    (lambda G, D, Gs: (G, D), "a tuple of 2: 'G', 'D'"),
    (lambda G, D, Gs: (1, 'x', Gs), "a tuple of 3: int, str, 'Gs'"),
    (lambda G, D, Gs: [None] * 9, 'a list of 9: NoneType, NoneType, NoneType, NoneType, NoneType, ...'),
    (lambda G, D, Gs: {'a': 1}, 'an object of type dict')])
def test_what_was_found_instead_of_a_triple_is_said(choose, found, triple, tmp_path):
    path = saved(tmp_path, choose(*triple))
    for load in (misc.load_networks, pretrained_networks.load_networks):
        with pytest.raises(UserError) as caught:
            load(path)
        assert str(caught.value) == (
            f'{path}: expected three networks (G, D, Gs), as training snapshots hold; found {found}')


def test_lists_of_networks_come_as_they_are(triple, tmp_path):
    first, second = misc.load_pkl(saved(tmp_path, [triple[1], {'other': triple[1]}]))
    assert type(first) is Network
    assert second['other'] is first
