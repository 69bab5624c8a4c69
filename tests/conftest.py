"""Fixtures for all tests."""

import os

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')

import pytest  # noqa: E402

from tests.golden_figures import fresh_session  # noqa: E402


@pytest.fixture
def session():
    """A fresh graph with a default session for this test."""
    with fresh_session() as opened:
        yield opened


@pytest.fixture(scope='module')
def module_session():
    """One graph and session for all tests of a module: building graphs is what takes time."""
    with fresh_session() as opened:
        yield opened
