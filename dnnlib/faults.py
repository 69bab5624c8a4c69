"""Errors of TensorFlow that a user can do something about, in one line."""

import contextlib
import sys

from dnnlib.util import UserError


def _exhaustion():
    """Classes of errors for want of memory or of space; TensorFlow's only where it has been loaded."""
    tf = sys.modules.get('tensorflow.compat.v1')
    return (MemoryError,) if tf is None else (MemoryError, tf.errors.ResourceExhaustedError)


@contextlib.contextmanager
def described(remedy='lower --minibatch-gpu, or give'):
    """Raise UserError for want of memory, and for a full disk where TensorFlow writes. Also a decorator.
    `remedy`: what can be done, in front of 'the process more'."""
    try:
        yield
    except _exhaustion() as error:
        if 'No space left' in str(error):
            raise UserError(str(error).partition('\n')[0]) from error
        raise UserError(f'memory has run out; {remedy} the process more (ulimit -v, the limit of the '
                        'job)') from error
