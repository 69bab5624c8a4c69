"""Running a function in a fresh numbered directory, with its output logged there."""

from dnnlib.submission import run_context, submit

__all__ = ['run_context', 'submit']
