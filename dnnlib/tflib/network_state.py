"""What a pickle stores of a network: writing it (version 4), checking it (versions 2 to 5), comparing it with
the graph that was built for it."""

import inspect
import itertools
import numbers
import re

import numpy as np

from .. import util
from ..array_pickle import shown
from . import tfutil

VERSION = 4
READABLE_VERSIONS = (2, 3, 4, 5)  # Progressive GAN, StyleGAN, StyleGAN2, StyleGAN2-ADA

FIELDS = {
    'name': str,
    'static_kwargs': dict,
    'components': dict,         # sub-networks by their keys; version 2 has none
    'build_module_src': str,    # source text of the module of the build function, kept as it was found
    'build_func_name': str,
    'variables': list,          # own variables as (local name, value)
}
SHAPE_FIELDS = ('input_shapes', 'output_shapes')  # version 5

# What a file can ask for before anything of it is allocated.
LIMITS = {'resolution': 1 << 14, 'mapping_layers': 100}
MAX_NUMBER = 1 << 40
MAX_VALUES = 256       # in all keyword arguments together; also characters of a text
MAX_NAME_LENGTH = 200

import_handlers = []   # functions that convert states, in the order in which they are applied


def get_state(net) -> dict:
    """The state of a network; its sub-networks hold their variables themselves."""
    values = tfutil.run(list(net.own_vars.values()))
    return {
        'version': VERSION,
        'name': net.name,
        'static_kwargs': _explicit_kwargs(net),
        'components': dict(net.components),
        'build_module_src': net._build_module_src,
        'build_func_name': net._build_func_name,
        'variables': list(zip(net.own_vars, values, strict=True)),
    }


def _explicit_kwargs(net):
    """The static kwargs, with those defaults that readers in PyTorch take to be others: there, the minibatch
    standard deviation has one group, and the layers of the mapping network are as wide as the dlatents."""
    kwargs = dict(net.static_kwargs)
    group_size = _default(net, 'mbstd_group_size')
    if group_size is not None:
        kwargs.setdefault('mbstd_group_size', group_size)
    mapping = net.components.get('mapping')
    width = mapping and _default(mapping, 'mapping_fmaps')
    if width is not None and width != mapping.output_shape[-1]:
        kwargs.setdefault('mapping_fmaps', width)
    return kwargs


def _default(net, keyword):
    """Default of a keyword of the build function; None if it has none."""
    parameter = inspect.signature(net._build_func).parameters.get(keyword)
    return None if parameter is None or parameter.default is parameter.empty else parameter.default


def imported(state, from_tfutil: bool = False) -> dict:
    """A checked state with all fields, after the import handlers: those of the file and two more.

    `own_func`: dotted name of the function that a handler put in the place of the stored one, or None;
    `from_tfutil`: was the network written by the repository of Progressive GAN? Raises UserError unless this
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
                             'Progressive GAN; it can be read after an import_handler '
                             '(dnnlib.tflib.network) that converts it to version 2')
    version = state.get('version')
    if type(version) is not int or version not in READABLE_VERSIONS:
        readable = ', '.join(map(str, READABLE_VERSIONS))
        raise util.UserError(f'network of version {shown(version)}; can be read: {readable}')


def _check_fields(state):
    who = f'network {shown(state.get("name"))}'
    for field, kind in FIELDS.items():
        if not isinstance(state.get(field), kind):
            raise util.UserError(f'{who}: {field} should be a {kind.__name__}, is '
                                 f'{type(state.get(field)).__name__}; the file is damaged')
    if not re.fullmatch(r'[A-Za-z0-9_.\-]{0,%d}' % MAX_NAME_LENGTH, state['name']):
        raise util.UserError(f'{who}: a name has letters, digits, "_", "." and "-", and not more than '
                             f'{MAX_NAME_LENGTH}')
    if not all(isinstance(item, (tuple, list)) and len(item) == 2 for item in state['variables']):
        raise util.UserError(f'{who}: variables should be pairs; the file is damaged')
    names = [name for name, _ in state['variables']]
    if not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        raise util.UserError(f'{who}: variables should have names of their own; the file is damaged')
    for field in SHAPE_FIELDS:
        if field in state and not _are_shapes(state[field]):
            raise util.UserError(f'{who}: {field} should be lists of numbers; the file is damaged')
    _check_keywords(state, who)


def _are_shapes(shapes):
    return isinstance(shapes, list) and all(
        isinstance(shape, list) and all(size is None or type(size) is int for size in shape)
        for shape in shapes)


def _check_keywords(state, who):
    """Raise UserError for keyword arguments that no network has: they will be handed to a build function."""
    refusal = f'{who}: {shown(state["build_func_name"])[1:-1]} does not accept the stored arguments'
    for key, value in state['static_kwargs'].items():
        if not isinstance(key, str) or not key.isidentifier() or key.startswith('__'):
            raise util.UserError(f'{refusal}: {shown(key)} is no name')
        if isinstance(value, numbers.Real) and not value <= LIMITS.get(key, MAX_NUMBER):
            raise util.UserError(f'{refusal}: {key}={shown(value)} is too large')
    values = list(itertools.islice(_values(state['static_kwargs']), MAX_VALUES + 1))
    if len(values) > MAX_VALUES:
        raise util.UserError(f'{refusal}: they are more than {MAX_VALUES}')
    unfit = [value for value in values if not _is_plain(value)]
    if unfit:
        raise util.UserError(f'{refusal}: {shown(unfit[0])}')


def _values(collection):
    """All values in nested collections, one by one."""
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


def checked_values(net, state: dict) -> dict:
    """{variable: stored value}. Raises UserError where components, names, types or shapes do not fit."""
    stored = dict(state['variables'])
    _compare(net, 'variables', set(net.own_vars), set(stored))
    _compare(net, 'components', set(net.components), set(state['components']))
    for field in SHAPE_FIELDS:
        if state[field] is not None and not _same_shapes(state[field], getattr(net, field)):
            raise util.UserError(f'network {net.name!r}: the stored {field} {shown(state[field])} are not '
                                 f'those of {net._build_func_name}, {getattr(net, field)}')
    values = {name: _value(net, name, var, stored[name]) for name, var in net.own_vars.items()}
    if net._build_func_name == 'G_paper':
        values = _progan_weights(values, net.own_vars, state['from_tfutil'])
    for name, var in net.own_vars.items():
        if list(values[name].shape) != var.shape.as_list():
            raise _misfit(net, name, var, values[name])
    return {var: values[name] for name, var in net.own_vars.items()}


def _compare(net, what, expected, found):
    missing, surplus = sorted(expected - found), sorted(map(str, found - expected))
    if missing or surplus:
        missing, surplus = (shown(names) if names else 'none' for names in (missing, surplus))
        raise util.UserError(f'network {net.name!r}: the stored {what} do not fit {net._build_func_name}: '
                             f'missing {missing}, surplus {surplus}')


def _same_shapes(stored, built):
    return len(stored) == len(built) and all(
        len(shape) == len(other) and all(a == b or None in (a, b) for a, b in zip(shape, other, strict=True))
        for shape, other in zip(stored, built, strict=True))


def _value(net, name, var, stored):
    """A stored value as an array. Raises UserError unless it is one of numbers."""
    if not isinstance(stored, (np.ndarray, np.generic, numbers.Real, str)):
        raise util.UserError(f'network {net.name!r}: variable {name} is stored as {type(stored).__name__}, '
                             f'expected {var.shape.as_list()}')
    value = np.asarray(stored)
    if not np.can_cast(value.dtype, var.dtype.base_dtype.as_numpy_dtype, 'same_kind'):
        raise _misfit(net, name, var, value)
    return value


def _misfit(net, name, var, value):
    return util.UserError(f'network {net.name!r}: variable {name} is stored as {value.dtype} '
                          f'{list(value.shape)}, expected {var.shape.as_list()}')


def _progan_weights(values, own_vars, from_tfutil):
    """Weights as StyleGAN's version of Progressive GAN has them.

    The repository of Progressive GAN has the last two axes of one kind of weights the other way round. What
    does not fit tells; where they all are square, it is who wrote the file.
    """
    names = [name for name in values if name.endswith('/Conv0_up/weight') and values[name].ndim == 4]
    oblong = [name for name in names if values[name].shape[2] != values[name].shape[3]]
    fitting = [name for name in oblong if list(values[name].shape) == own_vars[name].shape.as_list()]
    if fitting or not (oblong or from_tfutil):
        return values
    return {**values, **{name: values[name].transpose(0, 1, 3, 2) for name in names}}
