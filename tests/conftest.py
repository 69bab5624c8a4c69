"""Fixtures for all tests."""

import pytest

import dnnlib.tflib as tflib
from tests import small_networks
from tests.golden_figures import QUICK, fresh_session, set_golden_values


@pytest.fixture(scope='module', autouse=True)
def nothing_left_over():
    """The tests of one module leave no default session to those of another."""
    yield
    with pytest.raises(RuntimeError, match='No default TensorFlow session'):
        tflib.assert_tf_initialized()


@pytest.fixture
def session():
    """A fresh graph with a default session for this test."""
    with fresh_session(QUICK) as opened:
        yield opened


@pytest.fixture(scope='module')
def module_session():
    """One graph and session for all tests of a module: building graphs is what takes time."""
    with fresh_session(QUICK) as opened:
        yield opened


@pytest.fixture(scope='module')
def net(module_session):
    """A network of `small_networks.affine`."""
    return tflib.Network('net', func_name=small_networks.affine, scale=2.0)


@pytest.fixture(scope='module')
def generator(module_session):
    """A small generator with sub-networks."""
    G = tflib.Network('G', **small_networks.SMALL_G)
    set_golden_values(G)
    return G
