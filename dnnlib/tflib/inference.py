"""Contexts in which graphs are built in faster forms, which can only be evaluated."""

import contextlib

import tensorflow.compat.v1 as tf

_depth = 0
_outline_depth = 0


@contextlib.contextmanager
def inference():
    """Declare that what is built in this context needs no gradients."""
    global _depth
    _depth += 1
    try:
        yield
    finally:
        _depth -= 1


def is_inference() -> bool:
    """Return whether the graph that is being built is for evaluation only."""
    return _depth > 0


@contextlib.contextmanager
def outlines():
    """Build template graphs in this context with placeholders for the outputs of their components: in half
    the time, but the layers inside cannot be listed."""
    global _outline_depth
    _outline_depth += 1
    try:
        yield
    finally:
        _outline_depth -= 1


def is_outline() -> bool:
    """Return whether the graph that is being built is only for the shapes of a network."""
    return _outline_depth > 0


def on_this_machine(static_kwargs: dict) -> dict:
    """Return the keyword arguments with which a network of these static ones is evaluated here: layers in
    half precision run in float32 without a GPU, because CPUs are less exact and, in float16, slower."""
    has_fp16 = static_kwargs.get('num_fp16_res') and not tf.config.list_physical_devices('GPU')
    return {'num_fp16_res': 0} if has_fp16 else {}
