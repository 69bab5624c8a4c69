"""Graphs that are evaluated and never differentiated may be built in forms that only serve for that."""

import contextlib

_depth = 0


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
