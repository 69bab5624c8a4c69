"""Training steps over several devices, with gradient accumulation, loss scaling and skipping of overflows."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

from dnnlib.tflib import tfutil, xla
from dnnlib.tflib.autosummary import autosummary
from dnnlib.tflib.parallel import collectives
from dnnlib.tflib.parallel.cluster import Cluster
from dnnlib.util import get_obj_by_name


@dataclasses.dataclass
class _Device:
    """The part of an Optimizer on one device."""

    name: str
    optimizer: Any         # Instance of the underlying optimizer class.
    loss_scaling_var: Any  # log2 of the factor on the loss; None without loss scaling.
    gradients: dict = dataclasses.field(default_factory=dict)  # variable -> [gradient or None per loss]
    sums: list = dataclasses.field(default_factory=list)  # variables of accumulated gradients

    def state(self):
        """Return the variables whose values are the same on every device."""
        scaling = [] if self.loss_scaling_var is None else [self.loss_scaling_var]
        return [*self.optimizer.variables(), *scaling, *self.sums]


class SkippedSteps:
    """Counts the steps that are skipped because gradients are not finite: all, and the last in a row."""

    def __init__(self, device):
        self._device = device
        with tf.device(device), tf.control_dependencies(None), tf.name_scope('SkippedSteps'):
            self.total = tf.Variable(np.int64(0), trainable=False, name='total')
            self.in_a_row = tf.Variable(np.int64(0), trainable=False, name='in_a_row')

    def count(self, complete, updated):
        """Return the op that counts a step, if `complete`, as skipped unless `updated`, bool tensors []."""
        with tf.device(self._device):
            skipped = tf.cast(tf.logical_and(complete, tf.logical_not(updated)), tf.int64)
            in_a_row = tf.where_v2(updated, tf.zeros([], tf.int64), self.in_a_row + skipped)
            return tf.group(tf.assign_add(self.total, skipped), tf.assign(self.in_a_row, in_a_row))


class Optimizer:
    """Trains a list of variables to lower losses on one or more devices.

    Call `register_gradients` for each loss, then `apply_updates` once for the op that performs an update. The
    update follows the mean gradient over losses, devices and accumulated minibatches; it is skipped if that
    is not finite.
    """

    def __init__(
        self,
        name='Train',                           # In the graph and in the summaries.
        tf_optimizer='tf.train.AdamOptimizer',  # Full name of the underlying optimizer class.
        learning_rate=0.001,                    # Number or TensorFlow expression.
        minibatch_multiplier=None,              # Evaluations per update, number or expression; None = 1.
        share=None,                             # Optimizer whose state (moments, beta powers) to use.
        use_loss_scaling=False,                 # Scale the loss dynamically?
        loss_scaling_init=64.0,                 # log2 of the initial factor.
        loss_scaling_inc=0.0005,                # Added to it after each update.
        loss_scaling_dec=1.0,                   # Subtracted from it after each overflow.
        cluster=None,                           # tflib.Cluster that trains together; None = this process.
        report_mem_usage=False,                 # No effect: current TensorFlow has no op for this.
        **kwargs,                               # For the underlying optimizer class.
    ):
        self.name = name
        self.id = name.replace('/', '.')
        self.scope = tf.get_default_graph().unique_name(self.id)
        self.learning_rate = learning_rate
        self.minibatch_multiplier = minibatch_multiplier
        self.use_loss_scaling = use_loss_scaling
        self.loss_scaling_init = loss_scaling_init
        self.loss_scaling_inc = loss_scaling_inc
        self.loss_scaling_dec = loss_scaling_dec
        self.cluster = cluster or Cluster()
        self.optimizer_class = get_obj_by_name(tf_optimizer)
        self.optimizer_kwargs = dict(kwargs)
        assert callable(self.optimizer_class)
        self._devices = {}   # name -> _Device
        self._shapes = None  # Of the variables: the same in every registration.
        self._updates_applied = False
        self.skipped = None  # SkippedSteps, set by apply_updates()
        self._optimizers = {}  # device name -> underlying optimizer
        if share is not None:
            assert isinstance(share, Optimizer)
            assert share.optimizer_class is self.optimizer_class, 'share: not the same optimizer class'
            assert share.learning_rate is self.learning_rate, 'share: not the same learning rate object'
            assert share.optimizer_kwargs == self.optimizer_kwargs, 'share: other optimizer arguments'
            self._optimizers = share._optimizers

    def _get_device(self, name):
        """Return the state of a device, which is made at the first call."""
        name = tf.DeviceSpec.from_string(name).to_string()  # '/cpu:0' -> '/device:CPU:0', as tensors spell it
        if name in self._devices:
            return self._devices[name]
        scaling_var = None
        scope = self.scope + '/Devices'
        with tfutil.absolute_name_scope(scope), tf.device(name), tf.control_dependencies(None):
            if name not in self._optimizers:
                self._optimizers[name] = self.optimizer_class(
                    name=f'{self.scope.replace("/", "_")}_opt{len(self._optimizers)}',
                    learning_rate=self.learning_rate, **self.optimizer_kwargs)
            if self.use_loss_scaling:
                init = np.float32(self.loss_scaling_init)
                scaling_var = tf.Variable(init, trainable=False, name='loss_scaling_var')
        self._devices[name] = _Device(name, self._optimizers[name], scaling_var)
        return self._devices[name]

    def register_gradients(self, loss, trainable_vars) -> None:
        """Add the gradients of `loss` for a list or dict of variables on the device of the loss.

        All calls pass variables of the same shapes in the same order. A step also evaluates the loss itself,
        with the variables before the step, so that its summaries are recorded.
        """
        assert not self._updates_applied, 'register_gradients() comes before apply_updates()'
        trainable_vars = list(trainable_vars.values() if isinstance(trainable_vars, dict) else trainable_vars)
        assert trainable_vars, 'no variables to train'
        assert all(var.device == loss.device for var in trainable_vars), 'the loss is on another device'
        shapes = [tfutil.shape_to_list(var.shape) for var in trainable_vars]
        self._shapes = self._shapes or shapes
        assert shapes == self._shapes, 'variables of other shapes than in the first call'
        device = self._get_device(loss.device)
        with tf.name_scope(self.id + '_grad'), tf.device(loss.device), tf.control_dependencies([loss]):
            loss = self.apply_loss_scaling(tf.cast(loss, tf.float32))
            pairs = device.optimizer.compute_gradients(
                loss, var_list=trainable_vars, gate_gradients=tf.train.Optimizer.GATE_NONE)
        for gradient, var in pairs:
            device.gradients.setdefault(var, []).append(gradient)

    def apply_updates(self, allow_no_op=False) -> tf.Operation:
        """Build the op that performs an update, and initialize its state in the default session.

        `allow_no_op`: without registered gradients, return an op that does nothing.
        """
        tfutil.assert_tf_initialized()
        assert not self._updates_applied, 'apply_updates() is called once'
        self._updates_applied = True
        devices = [device for device in self._devices.values() if device.gradients]
        if allow_no_op and not devices:
            return tf.no_op(name='TrainingOp')
        assert devices, 'no gradients are registered'
        num_devices = len(devices) * self.cluster.workers.count
        with tfutil.absolute_name_scope(self.scope):
            # What XLA compiles for a device can only use variables there.
            self.skipped = SkippedSteps(devices[-1].name if xla.is_enabled() else '/cpu:0')
        ops = []
        for index, (device, gradients) in enumerate(zip(devices, self._sum_gradients(devices), strict=True)):
            with tfutil.absolute_name_scope(f'{self.scope}/Apply{index}'), tf.device(device.name), \
                    tf.get_default_graph().as_default():  # without it, branches may lift variables out of it
                complete, updated, device.sums = self._apply(device, gradients, 1.0 / num_devices)
                ops.append(updated)
                if device is devices[-1]:
                    ops += self._statistics(device, complete, updated)
        variables = [var for device in devices for var in device.state()]
        tfutil.init_uninitialized_vars([self.skipped.total, self.skipped.in_a_row, *variables])
        return tf.group(*ops, name='TrainingOp')

    def _sum_gradients(self, devices):
        """Return dense float32 gradients per variable and device: sum over devices, mean over losses."""
        gradients = []
        for index, device in enumerate(devices):
            with tfutil.absolute_name_scope(f'{self.scope}/Clean{index}'), tf.device(device.name):
                gradients.append([_mean_gradient(var, grads) for var, grads in device.gradients.items()])
        if len(devices) == 1 and self.cluster.is_alone:
            return gradients
        with tfutil.absolute_name_scope(self.scope + '/Broadcast'):
            return _sum_over_devices(gradients, [device.name for device in devices], self.cluster)

    def _apply(self, device, gradients, scale):
        """Update with `scale` times the gradients, after the last minibatch of the update.

        -> (is this the last one: bool or tensor, was the update made: bool tensor, new variables)
        """
        if xla.is_enabled():
            self._create_slots(device)
        if self.minibatch_multiplier is None:
            return True, self._update_if_finite(device, gradients, scale), []
        multiplier = tf.cast(self.minibatch_multiplier, tf.float32)
        return _accumulate(gradients, multiplier,
                           lambda sums: self._update_if_finite(device, sums, scale / multiplier))

    def _create_slots(self, device):
        """Create the state before the branches that use it, since those of XLA are functions, with the names
        that it has where branches are parts of the graph."""
        branch = 'cond' if self.minibatch_multiplier is None else 'cond/cond_1'
        scope = tf.get_default_graph().get_name_scope()
        with tfutil.absolute_name_scope(f'{scope}/{branch}'):
            if hasattr(device.optimizer, '_create_slots'):
                device.optimizer._create_slots(list(device.gradients))
            else:  # it creates its state when it is applied: this operation never runs
                device.optimizer.apply_gradients([
                    (tf.zeros(var.shape, var.dtype.base_dtype), var) for var in device.gradients])

    def _update_if_finite(self, device, gradients, scale):
        """Update with `scale` times the gradients if they are finite. -> whether they are, bool tensor."""
        finite = _all_finite(gradients)
        scaling_var = device.loss_scaling_var

        def update():
            factor = scale if scaling_var is None else scale * tfutil.exp2(-scaling_var)
            scaled = gradients
            if not isinstance(factor, float) or factor != 1.0:
                scaled = [gradient * factor for gradient in gradients]
            return device.optimizer.apply_gradients([
                (tf.cast(gradient, var.dtype.base_dtype), var)
                for gradient, var in zip(scaled, device.gradients, strict=True)])

        with tf.control_dependencies([tf.cond(finite, update, tf.no_op)]):
            if scaling_var is None:
                return tf.identity(finite)
            change = tf.where(finite, self.loss_scaling_inc, -self.loss_scaling_dec)
            with tf.control_dependencies([tf.assign_add(scaling_var, change)]):
                return tf.identity(finite)

    def _statistics(self, device, complete, updated):
        """Return ops that record the learning rate, the frequency of overflows and the loss scaling."""
        with tf.name_scope('Statistics'), tf.control_dependencies([updated]):
            learning_rate = tf.identity(self.learning_rate)  # on this device, and its summary, too
            overflow = tf.where(updated, 0.0, 1.0)
            ops = [self.skipped.count(complete, updated),
                   autosummary(self.id + '/learning_rate', learning_rate),
                   autosummary(self.id + '/overflow_frequency', overflow, condition=complete)]
            if device.loss_scaling_var is not None:
                log2 = device.loss_scaling_var.read_value()
                ops.append(autosummary(self.id + '/loss_scaling_log2', log2))
        return ops

    def copies(self) -> dict:
        """Return {variable: the one of the first device with always the same value} for the other devices."""
        first, *others = [device.state() for device in self._devices.values() if device.gradients] or [[]]
        pairs = {copy: var for state in others for copy, var in zip(state, first, strict=True)}
        assert all(copy.shape == var.shape for copy, var in pairs.items())
        return pairs

    def reset_optimizer_state(self) -> None:
        """Reset moments and beta powers to their initial values, also for Optimizers that share them."""
        tfutil.assert_tf_initialized()
        tfutil.run([var.initializer for var in self.variables()])

    def variables(self) -> list:
        """Return the moments and beta powers on all devices."""
        return [var for device in self._devices.values() for var in device.optimizer.variables()]

    def get_loss_scaling_var(self, device) -> tf.Variable | None:
        """Return the variable with log2 of the loss scaling on a device; None without loss scaling."""
        return self._get_device(device).loss_scaling_var if self.use_loss_scaling else None

    def apply_loss_scaling(self, value):
        """Multiply `value` by the loss scaling of its device."""
        assert tfutil.is_tf_expression(value)
        if not self.use_loss_scaling:
            return value
        return value * tfutil.exp2(self.get_loss_scaling_var(value.device))

    def undo_loss_scaling(self, value):
        """Divide `value` by the loss scaling of its device."""
        assert tfutil.is_tf_expression(value)
        if not self.use_loss_scaling:
            return value
        return value * tfutil.exp2(-self.get_loss_scaling_var(value.device))


def _mean_gradient(var, gradients):
    """Return the mean of a variable's gradients as a dense float32 tensor; None counts as 0."""
    connected = [tf.cast(tf.convert_to_tensor(g), tf.float32) for g in gradients if g is not None]
    if not connected:
        return tf.zeros(var.shape)
    total = tf.add_n(connected) if len(connected) > 1 else connected[0]
    return total / len(gradients) if len(gradients) > 1 else total


def _sum_over_devices(gradients, device_names, cluster):
    """Sum [[gradient per variable] per device] over the devices, in one collective. -> the sums per device.

    Includes the devices of other processes. Names that mean the same device, as those of GPUs on a machine
    without any, cannot form a collective: their gradients are added.
    """
    if not cluster.is_alone:
        return collectives.all_reduce_sum(
            gradients, cluster.names_here(device_names), cluster.names_everywhere(device_names))
    if collectives.is_collective(device_names):
        return collectives.all_reduce_sum(gradients, device_names)
    sums = [tf.add_n(copies) for copies in zip(*gradients, strict=True)]
    return [sums for _ in device_names]


def _all_finite(gradients):
    """Return whether all elements of all gradients are finite, a bool tensor []."""
    with tf.name_scope('AllFinite'):
        return tf.reduce_all(tf.stack([tf.reduce_all(tf.is_finite(gradient)) for gradient in gradients]))


def _accumulate(gradients, multiplier, update):
    """Sum the gradients of `multiplier` evaluations and call `update(sums)` in the last of them.

    -> (is this the last evaluation: bool tensor, result of `update` or False: bool tensor, new variables)
    """
    with tf.control_dependencies(None):
        count_var = tf.Variable(0.0, trainable=False, name='acc_count')
        acc_vars = [tf.Variable(tf.zeros(g.shape), trainable=False, name='acc_sum') for g in gradients]
    count = count_var + 1.0
    is_first = tf.equal(count, 1.0)
    is_last = count >= multiplier

    def keep():
        # The first evaluation overwrites the sums of the last update, which are never cleared.
        stored = tf.cond(is_first,
                         lambda: tf.group(*map(tf.assign, acc_vars, gradients)),
                         lambda: tf.group(*map(tf.assign_add, acc_vars, gradients)))
        with tf.control_dependencies([stored, tf.assign(count_var, count)]):
            return tf.constant(False)

    def finish():
        sums = tf.cond(is_first,
                       lambda: gradients,
                       lambda: list(map(tf.add, acc_vars, gradients)), strict=True)
        with tf.control_dependencies([tf.assign(count_var, 0.0)]):
            return tf.identity(update(sums))

    return is_last, tf.cond(is_last, finish, keep), [count_var, *acc_vars]


class SimpleAdam:
    """Implements Adam (Kingma and Ba 2015) in plain ops; equal to tf.train.AdamOptimizer."""

    def __init__(self, name='Adam', learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8):
        self.name = name
        self.learning_rate = learning_rate
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self._powers = None  # (beta1^t, beta2^t) after t steps
        self._moments = {}   # variable -> (mean of the gradient, mean of its square), decaying

    def variables(self) -> list:
        """Return all variables of the optimizer's state."""
        return [*(self._powers or []), *(var for pair in self._moments.values() for var in pair)]

    def compute_gradients(self, loss, var_list, gate_gradients=tf.train.Optimizer.GATE_NONE) -> list:
        """Return [(gradient or None, variable)]."""
        assert gate_gradients == tf.train.Optimizer.GATE_NONE
        return list(zip(tf.gradients(loss, var_list), var_list, strict=True))

    def _create_slots(self, variables):
        with tf.name_scope(self.name), tf.control_dependencies(None):
            if self._powers is None:
                self._powers = tuple(tf.Variable(1.0, trainable=False, name=f'beta{i}_power') for i in (1, 2))
            for var in variables:
                if var not in self._moments:
                    zeros = tf.zeros(var.shape, var.dtype.base_dtype)
                    self._moments[var] = tuple(
                        tf.Variable(zeros, trainable=False, name=name) for name in ('m', 'v'))

    def apply_gradients(self, grads_and_vars) -> tf.Operation:
        """Build the op that makes step t = 1, 2, ...:

        m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2,
        var -= learning_rate sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + epsilon).
        """
        self._create_slots([var for _, var in grads_and_vars])
        with tf.name_scope(self.name):
            powers = [self._powers[0] * self.beta1, self._powers[1] * self.beta2]
            rate = self.learning_rate * tf.sqrt(1 - powers[1]) / (1 - powers[0])
            ops = [tf.assign(var, power) for var, power in zip(self._powers, powers, strict=True)]
            for gradient, var in grads_and_vars:
                m_var, v_var = self._moments[var]
                m = self.beta1 * m_var + (1 - self.beta1) * gradient
                v = self.beta2 * v_var + (1 - self.beta2) * tf.square(gradient)
                step = tf.cast(rate, m.dtype) * m / (tf.sqrt(v) + self.epsilon)
                ops += [tf.assign(m_var, m), tf.assign(v_var, v), tf.assign_sub(var, step)]
            return tf.group(*ops)
