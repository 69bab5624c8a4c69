"""Graphs that are only evaluated may be built in forms that serve for nothing else."""

import contextlib

_depth = 0
_outline_depth = 0


@contextlib.contextmanager
def inference():
    """Whatever is built in this context is only evaluated: nobody asks for its gradients."""
    global _depth
    _depth += 1
    try:
        yield
    finally:
        _depth -= 1


def is_inference() -> bool:
    """Is the graph that is being built for evaluation only?"""
    return _depth > 0


@contextlib.contextmanager
def outlines():
    """Template graphs that are built in this context have placeholders for what their components return.

    The layers inside cannot be listed, and the graphs are there in half the time.
    """
    global _outline_depth
    _outline_depth += 1
    try:
        yield
    finally:
        _outline_depth -= 1


def is_outline() -> bool:
    """Is the graph that is being built for the shapes of a network only?"""
    return _outline_depth > 0
