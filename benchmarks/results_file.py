"""Read result files and load the plotting modules."""

import importlib
import json
import pathlib

from dnnlib.util import UserError


def read(path, expected, keys):
    """Read the results of an earlier run. Raises UserError if the file does not hold a dict with these keys.

    `expected`: description of a valid file, for the message.
    """
    try:
        results = json.loads(pathlib.Path(path).read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise UserError(f'--report={path}: cannot be read ({error}); expected {expected}') from error
    if not isinstance(results, dict) or not {*keys} <= {*results}:
        raise UserError(f'--report={path}: expected {expected}')
    return results


def plot_module(name):
    """Import a plotting module of this package. Prints a line and returns None if matplotlib is not
    installed."""
    try:
        return importlib.import_module(f'benchmarks.{name}')
    except ModuleNotFoundError as error:
        if error.name != 'matplotlib':
            raise
        print("No picture: matplotlib is not installed (pip install -e '.[bench]').")
        return None
