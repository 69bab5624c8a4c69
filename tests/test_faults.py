"""Test dnnlib.faults, which turns errors that users can fix into one-line messages."""

import pytest
import tensorflow.compat.v1 as tf

from dnnlib import faults
from dnnlib.util import UserError


def exhausted(message):
    return tf.errors.ResourceExhaustedError(None, None, message)


@pytest.mark.parametrize('error', [MemoryError(), exhausted('OOM when allocating tensor with shape[9]')])
@pytest.mark.parametrize(('remedies', 'beginning'), [
    ([], 'memory has run out; raise the memory limit'),
    (['lower --minibatch-gpu'], 'memory has run out; lower --minibatch-gpu or raise the memory limit')])
def test_want_of_memory_says_what_to_do(error, remedies, beginning):
    with pytest.raises(UserError, match=f'^{beginning} '), faults.described(*remedies):
        raise error


def test_a_full_disk_is_not_taken_for_want_of_memory():
    with pytest.raises(UserError, match='^/run/events.out: No space left on device$'), faults.described():
        raise exhausted('/run/events.out: No space left on device\n more')
    with pytest.raises(UserError, match='^/out/variables; No space left on device$'), faults.described():
        raise exhausted('Graph execution error:\n\n/out/variables; No space left on device\n more')


def test_other_errors_pass():
    with pytest.raises(tf.errors.InternalError), faults.described():
        raise tf.errors.InternalError(None, None, 'bug')
