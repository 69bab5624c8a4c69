"""Means over time for TensorBoard: record a value wherever it is computed, write its mean at every tick.

    loss = autosummary('Loss/G', loss)               # in the graph: recorded when the result is evaluated
    print(autosummary('Timing/sec_per_tick', 12.3))  # in Python: recorded at once
    save_summaries(tf.summary.FileWriter(run_dir), step)
"""

import dataclasses
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

from dnnlib.tflib import tfutil

# Whether to write mean -+ standard deviation too, with a layout in which TensorBoard draws them as margins.
enable_custom_scalars = False

_DTYPE = tf.float64
_GRADIENT = 'AutosummaryIdentity'  # Name under which TensorFlow finds the gradient.


@dataclasses.dataclass
class _State:
    """What one graph has recorded."""

    accumulators: dict = dataclasses.field(default_factory=dict)  # name -> [variable per call site]
    immediate: dict = dataclasses.field(default_factory=dict)  # name -> _Immediate
    finalized: bool = False
    merge_op: Any = None


@dataclasses.dataclass
class _Immediate:
    """Values from Python, which are added to the graph together: the first call of each op is slow."""

    placeholder: tf.Tensor              # Moments: count, sum, sum of squares.
    update: tf.Operation                # Adds them.
    moments: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(3))


def _state():
    """Return the state of the default graph, which keeps it."""
    collection = tf.get_collection_ref(_State)  # the key is not a string: exports of the graph skip this
    if not collection:
        collection.append(_State())
    return collection[0]


def _name_id(name):
    return name.replace('/', '_')


def _moments(value):
    """Return count, sum and sum of squares of a tensor, float64 [3]; zeros if the sum is not finite."""
    value = tf.cast(value, _DTYPE)
    count = tf.cast(tf.size(value), _DTYPE)
    moments = tf.stack([count, tf.reduce_sum(value), tf.reduce_sum(tf.square(value))])
    return tf.where_v2(tf.is_finite(moments[1]), moments, tf.zeros_like(moments))


def _accumulate(name, moments, condition=True):
    """Return the op that adds moments to a new accumulator."""
    state = _state()
    assert not state.finalized, f'summary {name!r} appears only after the summaries were finalized'
    with tfutil.absolute_name_scope('Autosummary/' + _name_id(name)), tf.control_dependencies(None):
        accumulator = tf.Variable(tf.zeros([3], _DTYPE), trainable=False)
    state.accumulators.setdefault(name, []).append(accumulator)

    def add_or_set():
        # Values may arrive before the accumulator is initialized.
        return tf.cond(tf.is_variable_initialized(accumulator),
                       lambda: tf.assign_add(accumulator, moments).op,
                       lambda: tf.assign(accumulator, moments).op)

    if condition is True:
        return add_or_set()
    return tf.cond(tf.convert_to_tensor(condition, tf.bool), add_or_set, tf.no_op)


def autosummary(name: str, value: tfutil.TfExpressionEx, passthru: tfutil.TfExpressionEx | None = None,
                condition: tfutil.TfExpressionEx = True) -> tfutil.TfExpressionEx:
    """Record `value` under `name`: a tensor of any shape, or a Python or NumPy number or array.

    A tensor is recorded whenever the identity that is returned, of it or of `passthru`, or a gradient through
    it is evaluated and `condition` is true. Other values are recorded at once; they or `passthru` are
    returned. Values whose sum is not finite are ignored. No names can be added to finalized summaries.
    """
    if not tfutil.is_tf_expression(value):
        return _record_now(name, value, passthru, condition)
    with tf.name_scope('summary_' + _name_id(name)), tf.device(value.device):
        update = _accumulate(name, _moments(value), condition)
        with tf.control_dependencies([update]), \
                tf.get_default_graph().gradient_override_map({'Identity': _GRADIENT}):
            return tf.identity(value if passthru is None else passthru)


@tf.RegisterGradient(_GRADIENT)
def _record_and_pass_on(identity, gradient):
    """Record the value when only the gradient of what `autosummary` returned is evaluated."""
    with tf.control_dependencies(identity.control_inputs):
        return tf.identity(gradient)


def _record_now(name, value, passthru, condition):
    assert not tfutil.is_tf_expression(passthru) and not tfutil.is_tf_expression(condition)
    if condition:
        immediate = _state().immediate
        if name not in immediate:
            with tfutil.absolute_name_scope('summary_' + _name_id(name)), tf.device(None), \
                    tf.control_dependencies(None):
                placeholder = tf.placeholder(_DTYPE, [3])
                immediate[name] = _Immediate(placeholder, _accumulate(name, placeholder))
        immediate[name].moments += _moments_np(value)
    return value if passthru is None else passthru


def _moments_np(value):
    """Return the moments of a number or array."""
    value = np.asarray(value, np.float64)
    with np.errstate(over='ignore', invalid='ignore'):
        moments = np.array([value.size, value.sum(), np.square(value).sum()])
    return moments if np.isfinite(moments[1]) else np.zeros(3)


def _take_moments(accumulators):
    """Return [1, E[x], E[x^2]] over all accumulators (NaN if empty), and the op that then empties them."""
    total = tf.add_n([tf.identity(accumulator) for accumulator in accumulators])
    moments = total / total[0]
    with tf.control_dependencies([moments]):
        reset = tf.group(*[tf.assign(accumulator, tf.zeros([3], _DTYPE)) for accumulator in accumulators])
    return moments, reset


def accumulators() -> list:
    """Return the variables with what was recorded since the summaries were last written."""
    return [var for group in _state().accumulators.values() for var in group]


def finalize_autosummaries():
    """Create the summaries of all names; no others can be recorded afterwards. Later calls do nothing.

    -> the layout of custom scalars, as a summary, if they are enabled, else None.
    """
    tfutil.assert_tf_initialized()
    state = _state()
    if state.finalized:
        return None
    state.finalized = True
    tfutil.init_uninitialized_vars(accumulators())
    for name, group in state.accumulators.items():
        with tf.device(None), tf.control_dependencies(None):
            with tfutil.absolute_name_scope('Autosummary/' + _name_id(name)):
                moments, reset = _take_moments(group)
            with tf.name_scope(None), tf.control_dependencies([reset]):
                _add_summaries(name, moments)
    return _custom_scalar_layout(state.accumulators) if enable_custom_scalars else None


def _add_summaries(name, moments):
    mean = moments[1]
    tf.summary.scalar(name, mean)
    if enable_custom_scalars:
        variance = tf.maximum(moments[2] - tf.square(mean), 0)  # rounding can make it negative
        std = tf.sqrt(variance)
        tf.summary.scalar('xCustomScalars/' + name + '/margin_lo', mean - std)
        tf.summary.scalar('xCustomScalars/' + name + '/margin_hi', mean + std)


def _custom_scalar_layout(names):
    """Return a layout with 'Loss/scores/real' as series 'real' of the chart 'scores' in category 'Loss'."""
    from tensorboard.plugins.custom_scalar import layout_pb2
    from tensorboard.plugins.custom_scalar import summary as custom_scalar

    categories = {}
    for name in sorted(names):
        path = name.split('/')
        category = path[0] if len(path) >= 2 else ''
        chart = '/'.join(path[1:-1]) if len(path) >= 3 else path[-1]
        categories.setdefault(category, {}).setdefault(chart, []).append(layout_pb2.MarginChartContent.Series(
            value=name, lower=f'xCustomScalars/{name}/margin_lo', upper=f'xCustomScalars/{name}/margin_hi'))
    return custom_scalar.pb(layout_pb2.Layout(category=[
        layout_pb2.Category(title=category, chart=[
            layout_pb2.Chart(title=chart, margin=layout_pb2.MarginChartContent(series=series))
            for chart, series in charts.items()])
        for category, charts in categories.items()]))


def save_summaries(file_writer, global_step=None) -> None:
    """Write all summaries of the graph, including the means, and start new means. The first call finalizes
    the summaries."""
    state = _state()
    if state.merge_op is None:
        layout = finalize_autosummaries()
        if layout is not None:
            file_writer.add_summary(layout)
        with tf.device(None), tf.control_dependencies(None):
            state.merge_op = tf.summary.merge_all()
    immediate = list(state.immediate.values())
    if immediate:
        feed_dict = {each.placeholder: each.moments for each in immediate}
        tfutil.run([each.update for each in immediate], feed_dict)
    for each in immediate:
        each.moments = np.zeros(3)
    if state.merge_op is not None:
        file_writer.add_summary(tfutil.run(state.merge_op), global_step)
