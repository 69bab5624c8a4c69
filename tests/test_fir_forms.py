"""Test that the forms of FIR filters that are compared are the same filter."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from benchmarks import processes
from benchmarks.fir_forms import __main__ as command
from benchmarks.fir_forms import costs, forms
from benchmarks.hlo import modules
from dnnlib.tflib.ops.upfirdn_2d import upfirdn_2d
from tests.gpu_form import built_for_gpus, compiled

TAPS = np.float32([1, 2, 3, 5]) / 11
CASES = [(1, 1, (1, 1)), (1, 1, (2, 2)), (2, 1, (2, 1)), (1, 2, (1, 1))]


@pytest.mark.parametrize('name', forms.FORMS)
@pytest.mark.parametrize('up, down, pad', CASES)
def test_forms_agree_with_upfirdn_up_to_second_order(session, name, up, down, pad):
    x = tf.constant(np.random.RandomState(1).randn(2, 3, 8, 8).astype(np.float32))
    form = forms.FORMS[name]

    def expected(x):
        x = tf.reshape(x, [6, 8, 8, 1])
        y = upfirdn_2d(x, np.outer(TAPS, TAPS), upx=up, upy=up, downx=down, downy=down,
                       padx0=pad[0], padx1=pad[1], pady0=pad[0], pady1=pad[1])
        return tf.reshape(y, [2, 3, *y.shape.as_list()[1:3]])

    def ours(x):
        return forms.with_gradient(form, x, TAPS, up, down, pad)

    with built_for_gpus():
        on_gpu = compiled(lambda x: up_to_second_order(ours, x))(x)
    values = tflib.run([up_to_second_order(expected, x), on_gpu, up_to_second_order(ours, x)])
    for reference, *others in zip(*values, strict=True):
        for value in others:
            np.testing.assert_allclose(value, reference, atol=1e-5 * np.abs(reference).max())


def up_to_second_order(function, x):
    """Return the output and gradients of first and second order."""
    y = function(x)
    (gradient,) = tf.gradients(tf.reduce_sum(y ** 3), [x])
    return [y, gradient, *tf.gradients(tf.reduce_sum(gradient ** 2), [x])]


@pytest.mark.parametrize('name', forms.FORMS)
def test_gradients_of_cases_have_the_shape_of_their_inputs(name):
    case = forms.Case('small', (2, 3, 16, 16), 2, 1, (2, 1))
    for is_gradient, shape in ((False, (2, 3, 32, 32)), (True, (2, 3, 16, 16))):
        module = costs.compiled(case, forms.FORMS[name], tf.float32, is_gradient)
        assert [result[0] for result in modules.results(module)] == [shape]


def test_multiplications_per_pixel_are_those_counted_by_hand():
    assert costs.multiplications(forms.depthwise, up=2, down=1) == 16
    assert costs.multiplications(forms.slices, up=1, down=1) == 4 + 4
    assert costs.multiplications(forms.slices, up=2, down=1) == 1 + 2  # rows of half the pixels
    assert costs.multiplications(forms.slices, up=1, down=2) == 8 + 4


@pytest.mark.parametrize(('flags', 'message'), [
    (['--chart=no-such-folder/chart.png'], 'argument --chart: expected a file *.png in a folder that can be'),
    (['--charts'], 'unrecognized arguments: --charts'),
])
def test_bad_flags_are_refused_before_tensorflow_loads(flags, message):
    script = f'import sys; sys.modules["tensorflow"] = None; import {command.__name__} as m; m.main({flags})'
    done = subprocess.run([sys.executable, '-c', script], cwd=processes.ROOT, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 2 and done.stderr.startswith(f'Error: {message}')


def test_a_table_has_a_line_for_every_form():
    rows = [dict(case=forms.CASES[0].title, dtype=dtype, gradient=False, form=name, multiplications=16,
                 flops=[2e9, 1e9], bytes_accessed=[2 ** 21, 2 ** 20], kernels=2, moved_bytes=3 << 20)
            for name in forms.FORMS for dtype in ('float32', 'float16')]
    text = costs.table(rows)
    assert '| float16 | folded | 16 | 2 / 1 | 2 / 1 MiB | 2 | 3 MiB |' in text
