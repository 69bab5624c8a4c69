"""Whether graphs are built for XLA."""

import contextlib

import tensorflow.compat.v1 as tf

CHOICES = ('on', 'off', 'auto')

_is_enabled = False


def enable() -> None:
    """Build all later graphs in a form that XLA can compile: with resource variables, and with control flow
    as functions. Call it before anything is built."""
    global _is_enabled
    _is_enabled = True
    tf.enable_resource_variables()
    tf.enable_control_flow_v2()


def disable() -> None:
    """Build all later graphs in TensorFlow 1's form again, as by default."""
    global _is_enabled
    _is_enabled = False
    tf.disable_resource_variables()
    tf.disable_control_flow_v2()


def is_on(choice) -> bool:
    """Return whether to compile, for 'on', 'off' or 'auto'. `auto` is off: on CPUs TensorFlow's own kernels
    are faster, and on GPUs nothing has been measured."""
    assert choice in CHOICES
    return choice == 'on'


@contextlib.contextmanager
def enabled(is_on=True):
    """Build all graphs in this context for XLA, or as by default."""
    before = _is_enabled
    (enable if is_on else disable)()
    try:
        yield
    finally:
        (enable if before else disable)()


def is_enabled() -> bool:
    """Return whether graphs are built for XLA."""
    return _is_enabled
