"""Test that networks and losses compiled by XLA have the golden values and gradients."""

import pytest
import tensorflow.compat.v1 as tf

from dnnlib.tflib import xla
from tests.golden_figures import arrays, figures
from tests.loss_cases import (
    CASES,
    CASES_OF_ADA,
    case_id,
    check_golden_loss,
    check_golden_loss_of_ada,
    golden_networks,
    networks_of,
)
from tests.network_cases import cases_by_graph, check_golden_cases

MODULE_OF_ADA = 'training.networks_stylegan2_ada'
NETWORKS = [
    *(('networks_stylegan', cases) for cases in cases_by_graph(figures('networks_stylegan'))),
    *(('networks_stylegan2', cases) for cases in cases_by_graph(figures('networks_stylegan2'))),
    *(('networks_ada', cases) for cases in cases_by_graph(
        [{**case, 'func': case['func'].replace('training.networks', MODULE_OF_ADA)}
         for case in figures('networks_ada')]))]
LOSSES = [*CASES, *(('losses_ada', case) for case in CASES_OF_ADA)]
# One activation in 16x16/Conv1 lies at the kink of lrelu: rounding decides about the gradients of this case.
# Plain ones change as much, by 0.3 %, if latents change by 1e-6.
AT_A_KINK = 'G_paper-fused'
QUICK_ONES = {'D_basic-fixed', 'D_stylegan2-skip', 'ada-G_main-skip', 'stylegan2-G_logistic_ns-0-labels'}


@pytest.fixture(scope='module', autouse=True)
def built_for_xla():
    """Build all graphs of this module for XLA."""
    with xla.enabled():
        yield


@pytest.fixture(scope='module')
def networks(request, built_for_xla):
    """Build G and D of the golden runs, once for all losses."""
    with golden_networks(*request.param) as built:
        yield built


def _compiled(fetches, decided=0.0):
    """Return nested tensors that XLA computes, all of them and all that they need."""
    tensors = xla.compiled(tf.nest.flatten(fetches), 'golden', decided=decided)
    assert {op.type for op in xla.needed(tensors)} <= {
        'StatefulPartitionedCall', 'VarHandleOp', 'Placeholder', 'Const', 'Identity'}
    return tf.nest.pack_sequence_as(fetches, tensors)


def _marked(name, *values):
    return pytest.param(*values, id=name, marks=[] if name in QUICK_ONES else [pytest.mark.long])


@pytest.mark.parametrize(('file', 'cases'), [_marked(cases[0]['name'], file, cases)
                                             for file, cases in NETWORKS if cases[0]['name'] != AT_A_KINK])
def test_compiled_networks_have_the_golden_outputs_and_gradients(file, cases, session):
    check_golden_cases(cases, arrays(file), _compiled)


@pytest.mark.parametrize(
    ('networks', 'code_base', 'case'),
    [_marked(case_id(*case), networks_of(*case), *case) for case in LOSSES], indirect=['networks'])
def test_compiled_losses_have_the_golden_values_and_gradients(networks, code_base, case):
    if code_base == 'losses_ada':
        check_golden_loss_of_ada(case, *networks, _compiled)
    else:
        check_golden_loss(code_base, case, *networks, _compiled)
