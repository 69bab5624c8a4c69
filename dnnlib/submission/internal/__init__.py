"""What the submit targets need: one module for each target, and the launcher `run.py`."""

from . import local

__all__ = ['local']
