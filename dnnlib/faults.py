"""Turns errors of the machine, such as exhausted memory, into errors that the user can fix."""

import contextlib
import sys

from dnnlib.util import UserError


@contextlib.contextmanager
def described(*remedies):
    """Raise UserError if memory runs out, or if the disk is full where TensorFlow writes. Also a decorator.

    remedies: what the user can do about memory besides raising its limit.
    """
    try:
        yield
    except Exception as error:
        tf = sys.modules.get('tensorflow.compat.v1')  # may not be loaded
        if not isinstance(error, (MemoryError, *([tf.errors.ResourceExhaustedError] if tf else []))):
            raise
        no_space = [line for line in str(error).splitlines() if 'No space left' in line]
        if no_space:
            raise UserError(no_space[0]) from error
        advice = ' or '.join([*remedies, 'raise the memory limit (ulimit -v, or that of the job)'])
        raise UserError(f'memory has run out; {advice}') from error
