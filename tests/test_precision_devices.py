"""Test two devices that train in half precision: their gradients, overflows and loss scaling."""

import types

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from tests.golden_figures import QUICK, figures, fresh_session, set_golden_values
from tests.resumed_runs import differences, resume, start, stopped_after, values, write_data
from tests.test_mixed_precision import BOUNDS, NETWORKS, TERMS, InHalfPrecision, _error, _losses
from tests.test_precision import BFLOAT16, MIXED

TWO_DEVICES = dict(num_gpus=2, session_config={**QUICK, 'device_count.CPU': 2},
                   sched_args=dict(minibatch_size_base=8, minibatch_gpu_base=4, tick_kimg_base=0.016,
                                   tick_kimg_dict={}))
SGD = 'tf.train.GradientDescentOptimizer'
DEVICES = '/cpu:0', '/cpu:1'


class _Setup:
    """Losses of G and D on two devices, of the same images and weights, and an optimizer for each term."""

    def __init__(self, half_dtype, scaling):
        spec = figures('losses_ada')['networks']
        G_name, D_name, losses = NETWORKS['stylegan2']
        self.bad = tf.placeholder_with_default(1.0, [])  # factor on the loss of the second device
        self.optimizers = {}
        self.gradients = {}
        self.nets = []
        for device in DEVICES:
            with tf.device(device):
                G = tflib.Network('G', func_name=G_name, **spec['G_static'], conv_clamp=256)
                D = tflib.Network('D', func_name=D_name, **spec['D_static'], conv_clamp=256)
                set_golden_values(G)
                set_golden_values(D)
                self.nets.append(types.SimpleNamespace(G=G, D=D))
                terms = _losses(losses, *(InHalfPrecision(net, half_dtype) for net in (G, D)))
                self._register(device, terms, scaling)
        self.steps = {term: optimizer.apply_updates() for term, optimizer in self.optimizers.items()}
        tflib.init_uninitialized_vars()

    def _register(self, device, terms, scaling):
        for term in TERMS:
            loss, variables = tf.reduce_mean(terms[term]), self.variables(term, DEVICES.index(device))
            if device == DEVICES[0]:
                self.optimizers[term] = tflib.Optimizer(
                    term, SGD, learning_rate=1.0, use_loss_scaling=scaling, loss_scaling_init=8.0,
                    loss_scaling_inc=0.5)
                self.gradients[term] = tf.gradients(
                    loss * 256, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
            else:
                loss = loss * self.bad
            self.optimizers[term].register_gradients(loss, variables)

    def variables(self, term, index):
        """Return the variables on a device that a term trains."""
        return list(getattr(self.nets[index], term[0]).trainables.values())

    def step(self, term, feed=None):
        """Make a step. -> its change of the variables of each device, which are set back."""
        variables = [self.variables(term, index) for index in range(2)]
        before = tflib.run(variables)
        tflib.run(self.steps[term], feed)
        after = tflib.run(variables)
        for device_vars, device_values in zip(variables, before, strict=True):
            tflib.set_vars(dict(zip(device_vars, device_values, strict=True)))
        return [[b - a for b, a in zip(*pair, strict=True)] for pair in zip(before, after, strict=True)]


@pytest.fixture(scope='module', params=[('float16', True), ('bfloat16', False)], ids=lambda param: param[0])
def two(request):
    half_dtype, scaling = request.param
    with fresh_session({**QUICK, **tflib.device_config(2)}):
        setup = _Setup(half_dtype, scaling)
        setup.dtype, setup.scaling = half_dtype, scaling
        yield setup


def _log2(two, term):
    return [tflib.run(two.optimizers[term].get_loss_scaling_var(device)) for device in DEVICES]


@pytest.mark.parametrize('term', TERMS)
def test_two_devices_with_the_same_images_follow_the_gradients_of_one(two, term):
    alone = [gradient / 256 for gradient in tflib.run(two.gradients[term])]
    first, second = two.step(term)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b, err_msg='devices drift apart')
    assert any(map(np.any, first))
    assert _error(first, alone) < BOUNDS[two.dtype][term][1]
    if two.scaling:
        assert _log2(two, term) == [8.5, 8.5]


@pytest.mark.parametrize('term', TERMS)
@pytest.mark.parametrize('bad', [np.inf, 2.0 ** 100, np.nan])
def test_an_overflow_of_one_device_skips_the_step_on_both_and_lowers_both_factors(two, term, bad):
    if not two.scaling and bad == 2.0 ** 100:
        return  # bfloat16 has the range of float32
    skipped = tflib.run(two.optimizers[term].skipped.total)
    before = _log2(two, term) if two.scaling else None
    for changes in two.step(term, {two.bad: bad}):
        assert not any(map(np.any, changes))
    assert tflib.run(two.optimizers[term].skipped.total) == skipped + 1
    if two.scaling:
        assert _log2(two, term) == [value - 1 for value in before] and len(set(before)) == 1


@pytest.mark.long
@pytest.mark.parametrize('settings', [MIXED, {**BFLOAT16, 'total_kimg': 0.08}], ids=['mixed', 'bfloat16'])
def test_two_devices_that_stop_end_as_in_one_go(settings, tmp_path):
    kwargs = {**settings, **TWO_DEVICES, 'network_snapshot_ticks': 2, 'total_kimg': 0.096}
    data_dir = write_data(tmp_path)
    run_dir = start(data_dir, tmp_path / 'one', **kwargs)
    with stopped_after(5):
        other = start(data_dir, tmp_path / 'several', **kwargs)
        assert not (other / 'network-final.pkl').exists()
        while not (other / 'network-final.pkl').exists():
            resume(other, kwargs['session_config'])
    assert differences(run_dir, other) == []
    found = values(run_dir)
    assert all(np.isfinite(value).all() for value in found.values() if isinstance(value, np.ndarray))
    factors = [float(value) for name, value in found.items() if 'loss_scaling_var' in name]
    assert len(factors) == (4 if settings is MIXED else 0)
    assert all(factor < 24 for factor in factors), 'steps were skipped'
