"""Test the memory plan: lifetimes on graphs with known peaks, and plans of small trainings."""

import contextlib
import io
import json
import subprocess
import sys

import pytest
import tensorflow.compat.v1 as tf

import dnnlib
from dnnlib.util import UserError
from tests.test_house import ROOT
from training.memory_plan import conditions, graphs, lifetimes, limits, nodes, op_kinds, plan, report, text
from training.settings.configs import config_settings

KB = 1000.0  # bytes of a tensor of 250 floats


def size_of(tensor):
    """Return the Bytes of a tensor; 250 elements count as one image."""
    total = float((tensor.shape.num_elements() or 0) * op_kinds.element_bytes(tensor))
    return nodes.Bytes(0.0, total) if total == KB else nodes.Bytes(total, 0.0)


@contextlib.contextmanager
def graph():
    """Build in a new graph."""
    with tf.Graph().as_default():
        yield


def peak(fetch, images=1, **kwargs):
    """Return the largest number of bytes while an op and all before it run."""
    steps = nodes.of_step(getattr(fetch, 'op', fetch), size_of)
    return lifetimes.moments(steps, images, **kwargs)[lifetimes.EVERYWHERE].peak(images).at(images)


def allocated():
    """Return a tensor of KB that a step computes."""
    return tf.random_uniform([250])


@pytest.mark.parametrize('threads', [0, 1, 2])
def test_a_chain_holds_its_input_and_its_output(threads):
    with graph():
        x = allocated()
        for _ in range(5):
            x = tf.cumsum(x)  # never overwrites its input
        assert peak(x, threads=threads) == 2 * KB + 4  # and the scalar minimum or range of the random numbers
