"""Means over time for TensorBoard: record a value wherever it is at hand, write the mean now and then.

    loss = autosummary('Loss/G', loss)               # in the graph: recorded when the result is evaluated
    print(autosummary('Timing/sec_per_tick', 12.3))  # in Python: recorded at once
    save_summaries(tf.summary.FileWriter(run_dir), step)
"""

import dataclasses
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

from dnnlib.tflib import tfutil

# Also write the mean -+ standard deviation, and a layout by which TensorBoard draws them as margins?
enable_custom_scalars = False

_DTYPE = tf.float64
_GRADIENT = 'AutosummaryIdentity'  # Name under which TensorFlow finds the gradient.


@dataclasses.dataclass
class _State:
    """What one graph has recorded. `accumulators`: name -> one [count, sum, sum of squares] per call site."""

    accumulators: dict = dataclasses.field(default_factory=dict)
    immediate: dict = dataclasses.field(default_factory=dict)  # name -> _Immediate
    finalized: bool = False
    merge_op: Any = None


@dataclasses.dataclass
class _Immediate:
    """Values that came from Python. They wait outside the graph: the first call of each op takes a moment."""

    placeholder: tf.Tensor
    update: tf.Operation                # Adds the moments that are fed.
    moments: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(3))


def _state():
    """The state of the default graph, which lives and dies with that graph."""
    collection = tf.get_collection_ref(_State)  # no string as key: exports of the graph leave this out
    if not collection:
        collection.append(_State())
    return collection[0]


def _name_id(name):
    return name.replace('/', '_')


def _moments(value):
    """Tensor of any shape -> float64 [3]: count, sum, sum of squares; zeros if the sum is not finite."""
    value = tf.cast(value, _DTYPE)
    count = tf.cast(tf.size(value), _DTYPE)
    moments = tf.stack([count, tf.reduce_sum(value), tf.reduce_sum(tf.square(value))])
    return tf.where_v2(tf.is_finite(moments[1]), moments, tf.zeros_like(moments))


def _accumulate(name, moments, condition=True):
    """Op that adds moments to an accumulator made for this call."""
    state = _state()
    assert not state.finalized, f'summary {name!r} appears only after the summaries were finalized'
    with tfutil.absolute_name_scope('Autosummary/' + _name_id(name)), tf.control_dependencies(None):
        accumulator = tf.Variable(tf.zeros([3], _DTYPE), trainable=False)
    state.accumulators.setdefault(name, []).append(accumulator)

    def add_or_set():
        # Values may come in before anyone has initialized the accumulator.
        return tf.cond(tf.is_variable_initialized(accumulator),
                       lambda: tf.assign_add(accumulator, moments).op,
                       lambda: tf.assign(accumulator, moments).op)

    if condition is True:
        return add_or_set()
    return tf.cond(tf.convert_to_tensor(condition, tf.bool), add_or_set, tf.no_op)


def autosummary(name: str, value: tfutil.TfExpressionEx, passthru: tfutil.TfExpressionEx | None = None,
                condition: tfutil.TfExpressionEx = True) -> tfutil.TfExpressionEx:
    """Record `value` under `name`: a tensor of any shape, or a Python or NumPy number or array.

    A tensor is recorded whenever the returned identity of it (or of `passthru`), or a gradient through that,
    is evaluated and `condition` holds. Anything else is recorded at once, and returned as it is (or
    `passthru`).
    Values whose sum is not finite are left out. New names are refused once the summaries are finalized.
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
    """Gradient of what `autosummary` returns. A loss may use a value for its gradient alone, which then needs
    the value's inputs but not the value: the update is a condition of the gradient, too."""
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
    """As `_moments`, for what is no tensor."""
    value = np.asarray(value, np.float64)
    with np.errstate(over='ignore', invalid='ignore'):
        moments = np.array([value.size, value.sum(), np.square(value).sum()])
    return moments if np.isfinite(moments[1]) else np.zeros(3)


def _flush():
    """Add what came from Python to the accumulators."""
    immediate = list(_state().immediate.values())
    if immediate:
        feed_dict = {each.placeholder: each.moments for each in immediate}
        tfutil.run([each.update for each in immediate], feed_dict)
    for each in immediate:
        each.moments = np.zeros(3)


def _take_moments(accumulators):
    """[1, E[x], E[x^2]] over all accumulators (NaN if they are empty), and the op that then empties them."""
    total = tf.add_n([tf.identity(accumulator) for accumulator in accumulators])
    moments = total / total[0]
    with tf.control_dependencies([moments]):
        reset = tf.group(*[tf.assign(accumulator, tf.zeros([3], _DTYPE)) for accumulator in accumulators])
    return moments, reset


def accumulators() -> list:
    """Variables that hold what the default graph has recorded since the summaries were last written."""
    return [var for group in _state().accumulators.values() for var in group]


def finalize_autosummaries():
    """Create the summary of every name. -> the layout for custom scalars, as a summary, if these are enabled.

    Done once per graph; later calls do nothing. No new name may be recorded afterwards.
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
        variance = tf.maximum(moments[2] - tf.square(mean), 0)  # rounding can take it below 0
        std = tf.sqrt(variance)
        tf.summary.scalar('xCustomScalars/' + name + '/margin_lo', mean - std)
        tf.summary.scalar('xCustomScalars/' + name + '/margin_hi', mean + std)


def _custom_scalar_layout(names):
    """'Loss/scores/real' -> category 'Loss', chart 'scores', series 'real', drawn with its margin."""
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
    """Write every summary of the graph, the recorded means among them, and start new means.

    The first call finalizes the summaries.
    """
    state = _state()
    if state.merge_op is None:
        layout = finalize_autosummaries()
        if layout is not None:
            file_writer.add_summary(layout)
        with tf.device(None), tf.control_dependencies(None):
            state.merge_op = tf.summary.merge_all()
    _flush()
    if state.merge_op is not None:
        file_writer.add_summary(tfutil.run(state.merge_op), global_step)
