"""Counts what XLA compiles in a program: XLA itself writes down each computation.

    XLA_FLAGS='--xla_dump_to=FOLDER --xla_dump_hlo_as_text' python run_training.py ... --xla=on
    python -c "from dnnlib.tflib import xla; print(xla.compilations('FOLDER'))"
"""

import collections
import os
import re

from dnnlib.util import UserError

_FLAGS = '--xla_dump_to={} --xla_dump_hlo_as_text'
# Before optimizing, XLA writes a file for each computation.
_FILE = re.compile(r'module_\d+\.a_inference_wrapped_function_(\w+?)_\d+__[\w.]*before_optimizations\.txt')


def counted_environment(folder) -> dict:
    """Return the environment of a process whose computations are written to a folder."""
    flags = f'{os.environ.get("XLA_FLAGS", "")} {_FLAGS.format(folder)}'
    return {**os.environ, 'XLA_FLAGS': flags.strip()}


def compilations(folder) -> dict:
    """Return {name of a step: how many times it was compiled} of a program that ran in this environment.

    Raises UserError without the folder, which XLA makes when it compiles.
    """
    if not os.path.isdir(folder):
        raise UserError(f'{folder}: no such folder; nothing was compiled with it in XLA_FLAGS')
    matches = filter(None, map(_FILE.fullmatch, os.listdir(folder)))
    return dict(collections.Counter(match[1] for match in matches))
