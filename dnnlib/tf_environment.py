"""What TensorFlow reads from the environment, once, when it loads."""

import os
import platform
import sys

X86 = ('x86_64', 'AMD64')
LATE = ('TensorFlow was imported before dnnlib and without oneDNN: networks take up to three times longer on '
        'this CPU. Import dnnlib first or set TF_ENABLE_ONEDNN_OPTS=1; 0 keeps oneDNN off silently.')


def prepare():
    """Set the variables that TensorFlow reads when it loads. What the user has set stays.

    On x86 CPUs oneDNN is on: TensorFlow itself switches it on only where there are AVX-512 instructions for
    neural networks. If TensorFlow has been loaded without it, a line on stderr says so.
    """
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')  # Warnings about its internals are for its makers.
    if platform.machine() not in X86 or 'TF_ENABLE_ONEDNN_OPTS' in os.environ:
        return
    if 'tensorflow' in sys.modules and not onednn_is_on():
        print(LATE, file=sys.stderr)
    os.environ['TF_ENABLE_ONEDNN_OPTS'] = '1'  # also for the processes that this one starts


def onednn_is_on() -> bool:
    """Does the TensorFlow that is loaded use oneDNN? Loads it if need be."""
    from tensorflow.python.util import _pywrap_util_port
    return _pywrap_util_port.IsMklEnabled()
