"""Define fixtures for all tests."""

import pytest

import dnnlib.tflib as tflib
from tests import small_networks
from tests.golden_figures import QUICK, fresh_session, set_golden_values


@pytest.fixture(scope='module', autouse=True)
def nothing_left_over():
    """Check that the tests of a module close their default session."""
    yield
    with pytest.raises(RuntimeError, match='No default TensorFlow session'):
        tflib.assert_tf_initialized()


@pytest.fixture
def session():
    """Open a fresh graph with a default session for this test."""
    with fresh_session(QUICK) as opened:
        yield opened


@pytest.fixture(scope='module')
def module_session():
    """Share one graph and session between all tests of a module, as building graphs takes most of the
    time."""
    with fresh_session(QUICK) as opened:
        yield opened


@pytest.fixture(scope='module')
def net(module_session):
    """Return a network of `small_networks.affine`."""
    return tflib.Network('net', func_name=small_networks.affine, scale=2.0)


@pytest.fixture(scope='module')
def generator(module_session):
    """Return a small generator with sub-networks."""
    G = tflib.Network('G', **small_networks.SMALL_G)
    set_golden_values(G)
    return G
