"""Checks of the stored state of a network (versions 2 to 5)."""

import itertools
import numbers
import re

import numpy as np

from dnnlib import util
from dnnlib.base_shapes import LARGEST, SMALLEST, SQUARE
from dnnlib.pickles.arrays import shown

READABLE_VERSIONS = (2, 3, 4, 5)  # Progressive GAN, StyleGAN, StyleGAN2, StyleGAN2-ADA

FIELDS = {
    'name': str,
    'static_kwargs': dict,
    'components': dict,         # Sub-networks by their keys; version 2 has none.
    'build_module_src': str,    # Source text of the module of the build function, always kept as it is.
    'build_func_name': str,
    'variables': list,          # Own variables as (local name, value).
}
SHAPE_FIELDS = ('input_shapes', 'output_shapes')  # Version 5.
NAME_FIELDS = ('input_names', 'output_names')      # Version 5; written only.

# Upper limits of what a file can ask for, checked before anything is allocated.
LIMITS = {'resolution': 1 << 14, 'mapping_layers': 100}
MAX_NUMBER = 1 << 40
MAX_VALUES = 256       # In all keyword arguments together; also characters of a text.
MAX_NAME_LENGTH = 200

import_handlers = []   # Functions that convert states, in the order in which they are applied.


def imported(state, from_tfutil: bool = False) -> dict:
    """Apply the import handlers to a state, check it, and return it with all fields and two more.

    `own_func`: dotted name of the function by which a handler replaced the stored one, or None.
    `from_tfutil`: whether the repository of Progressive GAN wrote the network. Raises UserError unless this
    is the state of a network.
    """
    stored_func = state.get('build_func_name') if isinstance(state, dict) else None
    for handler in import_handlers:
        state = handler(state)
    _check_version(state)
    state = {'components': {}, **state}
    _check_fields(state)
    func = state['build_func_name']
    own_func = func if '.' in func and func != stored_func else None
    if own_func is not None:
        func = stored_func or func.rpartition('.')[2]
    return {**{name: state.get(name) for name in ('version', *FIELDS, *SHAPE_FIELDS)},
            'build_func_name': func, 'own_func': own_func, 'from_tfutil': from_tfutil}


def _check_version(state):
    if not isinstance(state, dict):
        raise util.UserError(f'a network without state ({type(state).__name__}); the file is damaged')
    if 'version' not in state and 'build_func_spec' in state:
        raise util.UserError(f'network {shown(state.get("name"))} was written by the Theano version of '
                             'Progressive GAN; to read it, register an import_handler '
                             '(dnnlib.tflib.network) that converts it to version 2')
    version = state.get('version')
    if type(version) is not int or version not in READABLE_VERSIONS:
        readable = ', '.join(map(str, READABLE_VERSIONS))
        raise util.UserError(f'network of version {shown(version)}; expected one of {readable}')


def _check_fields(state):
    who = f'network {shown(state.get("name"))}'
    for field, kind in FIELDS.items():
        if not isinstance(state.get(field), kind):
            raise util.UserError(f'{who}: {field} should be a {kind.__name__}, is '
                                 f'{type(state.get(field)).__name__}; the file is damaged')
    if not re.fullmatch(r'[A-Za-z0-9_.\-]{0,%d}' % MAX_NAME_LENGTH, state['name']):
        raise util.UserError(f'{who}: a name has letters, digits, "_", "." and "-", at most '
                             f'{MAX_NAME_LENGTH}')
    if not all(isinstance(item, (tuple, list)) and len(item) == 2 for item in state['variables']):
        raise util.UserError(f'{who}: variables should be pairs; the file is damaged')
    names = [name for name, _ in state['variables']]
    if not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        raise util.UserError(f'{who}: variable names must be unique; the file is damaged')
    for field in SHAPE_FIELDS:
        if field in state and not _are_shapes(state[field]):
            raise util.UserError(f'{who}: {field} should be lists of numbers; the file is damaged')
    _check_keywords(state, who)


def _are_shapes(shapes):
    return isinstance(shapes, list) and all(
        isinstance(shape, list) and all(size is None or type(size) is int for size in shape)
        for shape in shapes)


def _check_keywords(state, who):
    """Raise UserError for keyword arguments that no network has; the others are passed to a build
    function."""
    refusal = f'{who}: {shown(state["build_func_name"])[1:-1]} does not accept the stored arguments'
    for key, value in state['static_kwargs'].items():
        if not isinstance(key, str) or not key.isidentifier() or key.startswith('__'):
            raise util.UserError(f'{refusal}: {shown(key)} is not a name')
        if isinstance(value, numbers.Real) and not value <= LIMITS.get(key, MAX_NUMBER):
            raise util.UserError(f'{refusal}: {key}={shown(value)} is too large')
    check_base_shape(state['static_kwargs'], f'{refusal}: base_shape')
    values = list(itertools.islice(_values(state['static_kwargs']), MAX_VALUES + 1))
    if len(values) > MAX_VALUES:
        raise util.UserError(f'{refusal}: there are more than {MAX_VALUES}')
    unfit = [value for value in values if not _is_plain(value)]
    if unfit:
        raise util.UserError(f'{refusal}: {shown(unfit[0])}')


def check_base_shape(kwargs, what):
    """Raise UserError, which begins with `what`, unless keyword arguments have a valid base shape or none."""
    base = kwargs.get('base_shape')
    if base is None:
        return
    if not (isinstance(base, (list, tuple)) and len(base) == 2
            and all(type(side) is int and SMALLEST <= side <= LARGEST for side in base)):
        raise util.UserError(f'{what}={shown(base)}; expected two numbers from {SMALLEST} to {LARGEST}')
    resolution = kwargs.get('resolution')
    if isinstance(resolution, numbers.Real) and resolution * max(base) > LIMITS['resolution'] * max(SQUARE):
        raise util.UserError(f'{what}={shown(base)}: images with resolution={resolution} are too large')


def _values(collection):
    """Yield all values in nested collections."""
    for value in collection.values() if isinstance(collection, dict) else collection:
        yield value
        if isinstance(value, (dict, list, tuple)):
            yield from _values(value)


def _is_plain(value):
    if isinstance(value, (str, np.ndarray)):
        return np.size(value) <= MAX_VALUES and (not isinstance(value, str) or len(value) <= MAX_VALUES)
    if isinstance(value, numbers.Real):
        return not abs(value) > MAX_NUMBER
    return value is None or isinstance(value, (bool, np.bool_, dict, list, tuple))
