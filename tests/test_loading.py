"""Test training.misc.pickles and its published names on files with one network, three networks or other
contents."""

import io

import numpy as np
import pytest

import dnnlib.tflib as tflib
import pretrained_networks
from dnnlib.tflib import Network, network_pickle
from dnnlib.util import UserError
from tests.golden_figures import QUICK, fresh_session
from training import misc


@pytest.fixture(scope='module')
def triple(generator):
    """Return (G, D, Gs)."""
    D = tflib.Network('D', func_name='training.networks_stylegan2.D_stylegan2', resolution=8, fmap_max=4)
    return generator, D, generator.clone('Gs')


def saved(tmp_path, obj):
    path = str(tmp_path / 'some.pkl')
    misc.save_pkl(obj, path)
    return path


def test_there_is_one_way_to_networks():
    assert misc.load_networks is pretrained_networks.load_networks
    assert misc.load_generator is pretrained_networks.load_generator


@pytest.mark.parametrize('kind', [tuple, list])
def test_three_networks_are_a_triple(kind, triple, tmp_path):
    path = saved(tmp_path, kind(triple))
    networks = pretrained_networks.load_networks(path)
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


def test_a_generator_is_read_without_the_networks_beside_it(triple, tmp_path):
    path = saved(tmp_path, triple)
    with fresh_session(QUICK) as session:
        Gs = pretrained_networks.load_generator(path)
        scopes = {op.name.split('/')[0] for op in session.graph.get_operations()}
        assert scopes == {'Gs', 'G_synthesis', 'G_mapping'}
        template = [op.type for op in session.graph.get_operations() if op.name.startswith('Gs/')]
        assert 'Placeholder' in template
        assert 'Conv2D' not in template, 'what is inside has a template of its own'
        values = {name: Gs.get_var(name) for name in Gs.vars}
    assert list(values) == list(triple[2].vars)
    for name, value in values.items():
        np.testing.assert_array_equal(value, triple[2].get_var(name))


def test_a_generator_that_was_read_alone_is_written_like_that_of_three(triple, tmp_path):
    path = saved(tmp_path, triple)
    streams = [io.BytesIO(), io.BytesIO()]
    for stream, net in zip(streams, (misc.load_generator(path), triple[2]), strict=True):
        network_pickle.dump(net, stream)
    assert streams[0].getvalue() == streams[1].getvalue()


def test_three_networks_can_be_loaded_after_their_generator(triple, tmp_path):
    path = saved(tmp_path, triple)
    alone = pretrained_networks.load_generator(path)
    assert pretrained_networks.load_generator(path) is alone
    networks = pretrained_networks.load_networks(path)
    assert [net.name for net in networks] == ['G', 'D', 'Gs']
    assert pretrained_networks.load_generator(path) is networks[2]


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
    with pytest.raises(UserError) as caught:
        pretrained_networks.load_networks(path)
    assert str(caught.value) == (
        f'{path}: expected three networks (G, D, Gs), as in training snapshots; found {found}')


def test_lists_of_networks_come_as_they_are(triple, tmp_path):
    first, second = misc.load_pkl(saved(tmp_path, [triple[1], {'other': triple[1]}]))
    assert type(first) is Network
    assert second['other'] is first
