"""The environment variables that TensorFlow reads once, when it loads."""

import os
import platform
import sys

X86 = ('x86_64', 'AMD64')
LATE = ('TensorFlow was imported before dnnlib and without oneDNN: networks are up to three times slower on '
        'this CPU. Import dnnlib first, or set TF_ENABLE_ONEDNN_OPTS=1; 0 silences this line.')


def prepare():
    """Set the variables that the user has not set.

    oneDNN is switched on for every x86 CPU; TensorFlow does that only with AVX-512 VNNI. If TensorFlow is
    loaded already without it, a line on stderr says so.
    """
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')  # hides warnings about TensorFlow's internals
    if platform.machine() not in X86 or 'TF_ENABLE_ONEDNN_OPTS' in os.environ:
        return
    if 'tensorflow' in sys.modules and not onednn_is_on():
        print(LATE, file=sys.stderr)
    os.environ['TF_ENABLE_ONEDNN_OPTS'] = '1'  # also for the processes that this one starts


def onednn_is_on() -> bool:
    """Return whether TensorFlow uses oneDNN. Loads TensorFlow if necessary."""
    from tensorflow.python.util import _pywrap_util_port
    return _pywrap_util_port.IsMklEnabled()
