"""Turns errors of the machine, such as exhausted memory, into errors that the user can fix."""

import contextlib
import sys

from dnnlib.util import UserError


@contextlib.contextmanager
def described(remedy='lower --minibatch-gpu, or give'):
    """Raise UserError if memory runs out, or if the disk is full where TensorFlow writes. Also a decorator.

    remedy: advice that ends before 'the process more'.
    """
    try:
        yield
    except Exception as error:
        tf = sys.modules.get('tensorflow.compat.v1')  # may not be loaded
        if not isinstance(error, (MemoryError, *([tf.errors.ResourceExhaustedError] if tf else []))):
            raise
        if 'No space left' in str(error):
            raise UserError(str(error).partition('\n')[0]) from error
        raise UserError(f'memory has run out; {remedy} the process more (ulimit -v, the limit of the '
                        'job)') from error
