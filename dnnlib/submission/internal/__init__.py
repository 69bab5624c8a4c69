"""The local target, and `run.py`, which starts a run in its directory. The names are published."""

from dnnlib.submission.internal import local

__all__ = ['local']
