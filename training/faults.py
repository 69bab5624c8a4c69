"""Errors of TensorFlow that a user can do something about, in one line."""

import contextlib

import tensorflow.compat.v1 as tf

from dnnlib.util import UserError


@contextlib.contextmanager
def described(remedy='lower --minibatch-gpu, or give'):
    """Raise UserError for want of memory, and for a full disk where TensorFlow writes. Also a decorator.
    `remedy`: what can be done, in front of 'the process more'."""
    try:
        yield
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        if 'No space left' in str(error):
            raise UserError(str(error).partition('\n')[0]) from error
        raise UserError(f'memory has run out; {remedy} the process more (ulimit -v, the limit of the '
                        'job)') from error
