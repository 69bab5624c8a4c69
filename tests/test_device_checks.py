"""Test what is computed to check a device."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.tflib import device_checks as checks
from tests.gpu_form import built_for_gpus, compiled

WORKS = [checks.MatrixProduct(96), checks.Convolution(2, 5, 9, 'NHWC')]


@pytest.mark.parametrize('work', WORKS, ids=lambda work: work.name)
@pytest.mark.parametrize('precision', checks.TOLERANCES)
def test_a_cpu_computes_correctly(work, precision):
    found = checks.check('/device:CPU:0', work, precision)
    assert found['ok'] and found['error'] < found['tolerance'] / 5 and found['operations_per_second'] > 0


def test_virtual_devices_are_checked_each():
    found = checks.check('/device:CPU:1', WORKS[0], 'float32', {'device_count.CPU': 2})
    assert found['ok'], found


@pytest.mark.parametrize('change', [lambda y: y * 1.01, lambda y: y * np.nan, lambda y: tf.reverse(y, [0])])
def test_wrong_results_are_noticed(change):
    class Wrong(checks.MatrixProduct):
        def apply(self, x, w):
            return change(super().apply(x, w))
    found = checks.check('/device:CPU:0', Wrong(96), 'float32')
    assert not found['ok'] and found['message'] is None


def test_a_device_that_is_not_there_is_not_replaced_by_the_cpu():
    found = checks.check('/device:GPU:7', WORKS[0], 'float32')
    assert not found['ok'] and found['message'].startswith('InvalidArgumentError: Cannot assign a device')


def _as_tf32(x):
    """Round to the 10 bits behind the comma that TensorFloat-32 keeps."""
    bits = x.astype(np.float32).view(np.uint32)
    return ((bits + (1 << 12)) & np.uint32(0xffffe000)).view(np.float32).astype(np.float64)


@pytest.mark.parametrize('work', [checks.MatrixProduct(1024), checks.Convolution(2, 64, 16, 'NCHW')],
                         ids=lambda work: work.name)
def test_tensor_float_32_does_not_pass_as_float32(work):
    x, w = (value.astype(np.float32).astype(np.float64) for value in work.inputs(np.random.RandomState(1)))
    expected = work.expected(x, w)
    error = np.max(np.abs(work.expected(_as_tf32(x), _as_tf32(w)) - expected)) / np.std(expected)
    assert 2 * checks.TOLERANCES['float32'] < error < checks.TOLERANCES['float16']


def test_the_convolution_for_gpus_is_compared_in_their_layout():
    """Compiled by XLA, which has it on CPUs, too."""
    work = checks.Convolution(2, 5, 9, 'NCHW')
    x, w = work.inputs(np.random.RandomState(1))
    with tf.Graph().as_default(), tflib.create_session() as session, built_for_gpus():
        y = session.run(compiled(work.apply)(tf.constant(x, tf.float32), tf.constant(w, tf.float32)))
    np.testing.assert_allclose(work.sample(y), work.expected(x, w), atol=1e-4)


def test_both_layouts_are_the_same_convolution():
    one, other = (checks.Convolution(2, 3, 5, layout) for layout in ('NCHW', 'NHWC'))
    x, w = one.inputs(np.random.RandomState(1))
    actual = other.expected(x.transpose(0, 2, 3, 1), w)
    np.testing.assert_allclose(one.expected(x, w).transpose(1, 2, 0), actual)
