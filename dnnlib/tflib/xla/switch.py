"""Whether graphs are built for XLA."""

import tensorflow.compat.v1 as tf

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


def is_enabled() -> bool:
    """Return whether graphs are built for XLA."""
    return _is_enabled
