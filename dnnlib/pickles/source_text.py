"""The source text that a pickle stores of a network: its module as it stands.

This project never runs the text of its own modules: it builds networks by the functions that `origin` finds.
The code bases for TensorFlow 1.14 run it, and need the self-contained form that `export.py --to=tf1` writes.
"""

import functools
import inspect
import pathlib
import re

from dnnlib.pickles import origin

VERSION = '0.1.0'  # Of the project; setup.cfg reads it here.
SELF_CONTAINED = 'and the layers that it uses, as they were when the network was stored.'  # Heads such texts.
_ROOT = pathlib.Path(__file__).parents[2]


@functools.cache
def of_module(module) -> str:
    """Return the text to store of a network whose build function is in this module."""
    text = inspect.getsource(module)
    is_ours = module.__name__ in {candidate.module for candidate in origin.CANDIDATES}
    return _heading(module.__name__) + text if is_ours else text


def of_name(name: str) -> str:
    """Return the text to store of this project's module of that name, which need not be loaded."""
    return _heading(name) + (_ROOT / name.replace('.', '/')).with_suffix('.py').read_text(encoding='utf-8')


def _heading(name):
    return f'# {name} of stylegan-tf {VERSION}; `python export.py --to=tf1` makes it self-contained.\n'


def is_self_contained(text: str) -> bool:
    """Return whether this project wrote the text to be run by TensorFlow 1.14, as its heading says."""
    return SELF_CONTAINED in text[:1000]


def is_ours(text: str) -> bool:
    """Return whether this project wrote the text, in this or another version, as its heading says."""
    return is_self_contained(text) or re.match(r'# training\.\w+ of stylegan-tf ', text) is not None
