"""The local target, and the launcher `run.py`."""

from dnnlib.submission.internal import local

__all__ = ['local']
