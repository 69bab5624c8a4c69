"""The source text that a pickle stores of a network: its module.

This project never runs the text of its own modules: it builds networks by the functions that `origin` finds.
The code bases for TensorFlow 1.14 run it, and have none of our layers. Networks of StyleGAN2-ADA are stored
with a self-contained text, so that its published code opens their files; others with their module as it
stands, which `export.py --to=tf1` makes self-contained.
"""

import functools
import inspect
import pathlib
import re

from dnnlib.pickles import origin, tf1_source

VERSION = '0.1.0'  # Of the project; setup.cfg reads it here.
SELF_CONTAINED = 'and the layers that it uses, as they were when the network was stored.'  # Heads such texts.
_ROOT = pathlib.Path(__file__).parents[2]
_MODULES = {candidate.module: candidate.code for candidate in origin.CANDIDATES}


def of_module(module) -> str:
    """Return the text to store of a network whose build function is in this module."""
    return of_name(module.__name__) if module.__name__ in _MODULES else inspect.getsource(module)


@functools.cache
def of_name(name: str) -> str:
    """Return the text to store of this project's module of that name, which need not be loaded."""
    if _MODULES.get(name) == origin.ADA:
        return self_contained(name)
    return _heading(name) + (_ROOT / name.replace('.', '/')).with_suffix('.py').read_text(encoding='utf-8')


@functools.cache
def self_contained(name: str) -> str:
    """Return the text of this project's module of that name with all that it uses, for TensorFlow 1.14."""
    return tf1_source.of_name(name, f'{name} of stylegan-tf {VERSION} {SELF_CONTAINED}\n'
                                    'For TensorFlow 1.14 and Python 3.6 or newer.')


def _heading(name):
    return f'# {name} of stylegan-tf {VERSION}; `python export.py --to=tf1` makes it self-contained.\n'


def is_self_contained(text: str) -> bool:
    """Return whether this project wrote the text to be run by TensorFlow 1.14, as its heading says."""
    return SELF_CONTAINED in text[:1000]


def is_ours(text: str) -> bool:
    """Return whether this project wrote the text, in this or another version, as its heading says."""
    return is_self_contained(text) or re.match(r'# training\.\w+ of stylegan-tf ', text) is not None
