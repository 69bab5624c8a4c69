"""Test that TensorBoard reads the values that autosummary records."""

import warnings

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2

import dnnlib.tflib as tflib
from dnnlib.tflib.autosummary import autosummary, finalize_autosummaries, save_summaries
from tests.golden_figures import QUICK, fresh_session


@pytest.fixture
def flush(session, tmp_path):
    """Return a function that saves the summaries and returns {tag: latest value} from the event file."""
    writer = tf.summary.FileWriter(str(tmp_path))
    step = 0

    def save_and_read():
        nonlocal step
        step += 10
        save_summaries(writer, step)
        writer.flush()
        events = event_file(tmp_path)
        series = {tag: events.Scalars(tag)[-1] for tag in events.Tags()['scalars']}
        assert {event.step for event in series.values()} <= {step}
        return {tag: event.value for tag, event in series.items()}

    yield save_and_read
    writer.close()


def event_file(folder):
    events = EventAccumulator(str(folder))
    events.Reload()
    return events


def test_scalar_summary_is_the_mean_over_evaluations(session, flush):
    value = tf.placeholder(tf.float32, [])
    recorded = autosummary('Loss/scores/real', value)
    assert [session.run(recorded, {value: number}) for number in (1, 2, 6)] == [1, 2, 6]
    assert flush() == {'Loss/scores/real': 3.0}


def test_tensor_counts_with_each_of_its_elements(session, flush):
    value = tf.placeholder(tf.float32)
    recorded = autosummary('Loss/G', value)
    session.run(recorded, {value: [[1, 2], [3, 4]]})
    session.run(recorded, {value: [[5]]})
    session.run(recorded, {value: 6})
    assert flush() == {'Loss/G': 3.5}


def test_numbers_from_python_wait_for_the_summaries_in_one_call_of_the_session(session, flush, monkeypatch):
    calls = []
    run = tflib.tfutil.run
    monkeypatch.setattr(tflib.tfutil, 'run', lambda *args: calls.append(args) or run(*args))
    for number in (1.0, np.nan, 5.0):
        assert autosummary('a', number) is number
        autosummary('b', [[number], [1.0]])
    assert not calls
    assert flush() == {'a': 3.0, 'b': 2.0}
    num_operations = len(session.graph.get_operations())
    autosummary('a', 8.0)
    calls.clear()
    values = flush()
    assert values['a'] == 8.0
    assert np.isnan(values['b'])
    assert len(calls) == 2, 'the values, the summaries'
    assert len(session.graph.get_operations()) == num_operations


def test_one_name_can_be_recorded_in_the_graph_and_from_python(session, flush):
    recorded = autosummary('a', tf.constant([1.0, 2.0]))
    autosummary('a', 6)
    session.run(recorded)
    assert flush() == {'a': 3.0}


def test_integers_and_booleans_are_recorded_as_numbers(session, flush):
    session.run(autosummary('count', tf.constant([2**30, 2**30 + 256])))
    session.run(autosummary('share', tf.constant([True, False, False, False])))
    assert flush() == {'count': 2**30 + 128, 'share': 0.25}


def test_means_restart_after_each_flush(session, flush):
    value = tf.placeholder(tf.float32, [])
    recorded = autosummary('Loss/D', value)
    session.run(recorded, {value: 1})
    assert flush() == {'Loss/D': 1.0}
    session.run(recorded, {value: 5})
    session.run(recorded, {value: 7})
    assert flush() == {'Loss/D': 6.0}


def test_nothing_recorded_between_two_flushes_gives_nan_without_a_warning(session, flush):
    session.run(autosummary('Loss/pl_penalty', tf.constant(1.0)))
    assert flush() == {'Loss/pl_penalty': 1.0}
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert np.isnan(flush()['Loss/pl_penalty'])


def test_call_sites_of_one_name_are_combined(session, flush):
    first = autosummary('Loss/G', tf.constant([1.0, 2.0]))
    second = autosummary('Loss/G', tf.constant(9.0))
    autosummary('Loss/G', tf.constant(1e6))  # never evaluated
    session.run([first, second])
    assert flush() == {'Loss/G': 4.0}


def test_values_with_a_sum_that_is_not_finite_are_left_out(session, flush):
    value = tf.placeholder(tf.float32, [2])
    recorded = autosummary('Loss/G', value)
    for numbers in ([1, 3], [np.nan, 3], [np.inf, -np.inf], [-np.inf, 0]):
        session.run(recorded, {value: numbers})
    assert flush() == {'Loss/G': 2.0}


def test_condition_decides_what_is_recorded_and_not_what_is_returned(session, flush):
    value = tf.placeholder(tf.float32, [])
    recorded = autosummary('Loss/G', value, condition=value > 2)
    never = autosummary('Loss/never', value, condition=False)
    for number in (1, 3, 5):
        assert session.run([recorded, never], {value: number}) == [number, number]
    values = flush()
    assert values['Loss/G'] == 4.0
    assert np.isnan(values['Loss/never'])


def test_passthru_is_returned_in_place_of_the_value(session, flush):
    assert session.run(autosummary('a', tf.constant(2.0), passthru=tf.constant([7, 8]))).tolist() == [7, 8]
    assert autosummary('b', 3.0, passthru='three') == 'three'
    assert flush() == {'a': 2.0, 'b': 3.0}


def test_gradients_flow_through_a_recorded_value(session):
    x = tf.constant(3.0)
    assert session.run(tf.gradients(autosummary('Loss/G', x * x), x)) == [6.0]


def test_python_values_are_recorded_at_once_and_returned_unchanged(flush):
    assert autosummary('Timing/sec_per_tick', 12.5) == 12.5
    assert autosummary('Timing/sec_per_tick', np.float32(13.5)) == 13.5
    array = np.array([1, 2, 3])
    assert autosummary('counts', array) is array
    assert autosummary('skipped', 1.0) == 1.0
    assert autosummary('skipped', 5.0, condition=False) == 5.0
    assert flush() == {'Timing/sec_per_tick': 13.0, 'counts': 2.0, 'skipped': 1.0}


def test_python_values_add_to_the_graph_only_once_per_name(session):
    autosummary('Timing/sec_per_tick', 1.0)
    size = len(session.graph.get_operations())
    autosummary('Timing/sec_per_tick', 2.0)
    assert len(session.graph.get_operations()) == size


def test_python_values_refuse_tensors_as_condition_or_passthru(session):
    with pytest.raises(AssertionError):
        autosummary('a', 1.0, condition=tf.constant(True))
    with pytest.raises(AssertionError):
        autosummary('a', 1.0, passthru=tf.constant(1.0))


def test_new_names_are_refused_after_finalization_and_known_ones_continue(flush):
    autosummary('Progress/kimg', 1.0)
    flush()
    with pytest.raises(AssertionError, match='Progress/tick'):
        autosummary('Progress/tick', 1.0)
    with pytest.raises(AssertionError, match='Loss/G'):
        autosummary('Loss/G', tf.constant(1.0))
    autosummary('Progress/kimg', 3.0)
    assert flush() == {'Progress/kimg': 3.0}


def test_accumulators_have_their_published_names_and_are_not_trained(session):
    with tf.name_scope('GPU0'):
        recorded = [autosummary('Loss/scores/real', tf.constant(1.0)) for _ in range(2)]
    assert recorded[0].op.name.startswith('GPU0/summary_Loss_scores_real/')
    assert [var.name for var in tf.global_variables()] == [
        'Autosummary/Loss_scores_real/Variable:0', 'Autosummary/Loss_scores_real/Variable_1:0']
    assert tf.trainable_variables() == []


def test_other_summaries_of_the_graph_are_written_too(session, flush):
    tf.summary.scalar('weight', tf.constant(4.0))
    autosummary('Loss/G', 1.0)
    assert flush() == {'weight': 4.0, 'Loss/G': 1.0}


def test_saving_without_any_summary_writes_nothing(flush):
    tf.constant(1.0)
    assert flush() == {}


def test_graphs_have_separate_summaries(session, flush):
    autosummary('outer', 1.0)
    with fresh_session(QUICK):
        autosummary('inner', 2.0)
        finalize_autosummaries()
    autosummary('late', 3.0)
    assert flush() == {'outer': 1.0, 'late': 3.0}


def test_finalizing_needs_a_session_and_happens_once():
    with tf.Graph().as_default(), pytest.raises(RuntimeError, match='init_tf'):
        finalize_autosummaries()
    with fresh_session(QUICK):
        autosummary('a', 1.0)
        assert finalize_autosummaries() is None
        finalize_autosummaries()
        assert len(tf.get_collection(tf.GraphKeys.SUMMARIES)) == 1


def read_layout(folder):
    """Return the custom-scalar layout in an event file as {category: {chart: [(value, lower, upper)]}}."""
    (event,) = event_file(folder).Tensors('custom_scalars__config__')
    layout = layout_pb2.Layout.FromString(event.tensor_proto.string_val[0])
    return {category.title: {chart.title: [(series.value, series.lower, series.upper)
                                           for series in chart.margin.series]
                             for chart in category.chart}
            for category in layout.category}


def with_margins(name):
    return name, f'xCustomScalars/{name}/margin_lo', f'xCustomScalars/{name}/margin_hi'


def test_custom_scalars_bring_margins_and_a_layout(flush, tmp_path, monkeypatch):
    monkeypatch.setattr(tflib.autosummary, 'enable_custom_scalars', True)
    for name in ('Loss/scores/real', 'Loss/scores/fake', 'Loss/a/b/c', 'Loss/G', 'plain'):
        autosummary(name, np.array([1.0, 3.0]))
    values = flush()
    assert [values[tag] for tag in with_margins('Loss/scores/real')] == [2.0, 1.0, 3.0]
    assert len(values) == 3 * 5
    assert read_layout(tmp_path) == {
        'Loss': {'G': [with_margins('Loss/G')],
                 'a/b': [with_margins('Loss/a/b/c')],
                 'scores': [with_margins('Loss/scores/fake'), with_margins('Loss/scores/real')]},
        '': {'plain': [with_margins('plain')]},
    }
    assert np.isnan(list(flush().values())).all()


def test_margins_of_a_constant_are_that_constant_despite_rounding(flush, monkeypatch):
    monkeypatch.setattr(tflib.autosummary, 'enable_custom_scalars', True)
    for _ in range(3):
        autosummary('Loss/G', 0.1)  # rounding makes the mean square smaller than the squared mean
    np.testing.assert_allclose(list(flush().values()), 0.1, rtol=1e-6)


def test_without_custom_scalars_there_is_no_layout(flush, tmp_path):
    autosummary('Loss/G', 1.0)
    flush()
    assert event_file(tmp_path).Tags()['tensors'] == []


def test_a_value_that_is_used_for_its_gradient_alone_is_recorded(session, flush):
    x = tf.Variable([1.0, 2.0])
    session.run(x.initializer)
    scores = autosummary('Loss/scores/mixed', x * 3.0)  # a sum of known shape needs no values
    gradient = tf.gradients(tf.reduce_sum(scores), x)[0]
    np.testing.assert_array_equal(session.run(gradient), [3.0, 3.0])
    assert flush() == {'Loss/scores/mixed': 4.5}


def test_second_derivatives_go_through_a_recorded_value(session, flush):
    x = tf.constant(2.0)
    first = tf.gradients(autosummary('Loss/cube', x ** 3), x)[0]
    assert session.run(tf.gradients(first, x)) == [12.0]
    assert flush() == {'Loss/cube': 8.0}


@pytest.mark.parametrize('use', [lambda x: tf.gather(x, [1, 1]),
                                 lambda x: tf.cond(x[0] > 0, lambda: x, lambda: -x)])
def test_any_operation_may_follow_a_recorded_value(use, session, flush):
    x = tf.constant([1.0, 2.0])
    gradient = tf.gradients(use(autosummary('a', x)), x)[0]
    assert session.run(tf.convert_to_tensor(gradient)).sum() == 2
    assert flush() == {'a': 1.5}


def test_a_value_inside_a_branch_is_recorded_where_the_branch_is_taken(session, flush):
    x, taken = tf.constant(2.0), tf.placeholder(tf.bool, [])
    gradient = tf.gradients(tf.cond(taken, lambda: autosummary('taken', 3 * x), lambda: x), x)
    assert session.run(gradient, {taken: False}) == [1.0]
    assert np.isnan(flush()['taken'])
    assert session.run(gradient, {taken: True}) == [3.0]
    assert flush()['taken'] == 6.0
