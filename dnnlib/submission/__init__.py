"""Run a function in a new numbered directory, and log its output there.

Scripts call `submit.submit_run`; the function that runs asks `run_context` for the time and whether to stop.
"""

from dnnlib.submission import run_context, submit

__all__ = ['run_context', 'submit']
