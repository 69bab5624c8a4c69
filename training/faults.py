"""Errors of TensorFlow that a user can do something about, in one line."""

import contextlib

import tensorflow.compat.v1 as tf

from dnnlib.util import UserError


@contextlib.contextmanager
def described():
    """Raise UserError in place of errors for want of memory. Also a decorator."""
    try:
        yield
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        raise UserError('memory has run out; lower --minibatch-gpu, or give the process more (ulimit -v, the '
                        'limit of the job)') from error
