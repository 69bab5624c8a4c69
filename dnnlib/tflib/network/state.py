"""The state of a network in a pickle: writing it, and comparing it with the built graph."""

import inspect
import numbers

import numpy as np

from dnnlib import util
from dnnlib.pickles import origin
from dnnlib.pickles.arrays import shown
from dnnlib.pickles.stored_state import NAME_FIELDS, SHAPE_FIELDS
from dnnlib.tflib import tfutil

VERSION = 4      # StyleGAN2's, which all of its readers take.
ADA_VERSION = 5  # StyleGAN2-ADA's: inputs and outputs are stored, too.


def get_state(net) -> dict:
    """Return the state of a network, without the variables of its sub-networks, which have their own
    state."""
    values = tfutil.run(list(net.own_vars.values()))
    is_ada = origin.code_of(net._build_func) == origin.ADA
    return {
        'version': ADA_VERSION if is_ada else VERSION,
        'name': net.name,
        'static_kwargs': _explicit_kwargs(net),
        'components': dict(net.components),
        'build_module_src': net._build_module_src,
        'build_func_name': net._build_func_name,
        'variables': list(zip(net.own_vars, values, strict=True)),
        **({field: list(getattr(net, field)) for field in (*SHAPE_FIELDS, *NAME_FIELDS)} if is_ada else {}),
    }


def _explicit_kwargs(net):
    """Return the static kwargs and the defaults that differ in readers in PyTorch: there, the minibatch
    standard deviation has one group, and the layers of the mapping network and embedded labels are as wide as
    the dlatents."""
    kwargs = dict(net.static_kwargs)
    group_size = _default(net, 'mbstd_group_size')
    if group_size is not None:
        kwargs.setdefault('mbstd_group_size', group_size)
    mapping = net.components.get('mapping')
    if mapping is None:
        return kwargs
    embedding = mapping.own_vars.get('LabelEmbed/weight')
    widths = {'mapping_fmaps': _default(mapping, 'mapping_fmaps'),
              'label_fmaps': None if embedding is None else embedding.shape.as_list()[-1]}
    for keyword, width in widths.items():
        if width not in (None, mapping.output_shape[-1]):
            kwargs.setdefault(keyword, width)
    return kwargs


def _default(net, keyword):
    """Return the default of a keyword of the build function; None if it has none."""
    parameter = inspect.signature(net._build_func).parameters.get(keyword)
    return None if parameter is None or parameter.default is parameter.empty else parameter.default


def checked_values(net, state: dict) -> dict:
    """Return {variable: stored value}. Raises UserError if components, names, types or shapes do not fit."""
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
    """Return a stored value as an array. Raises UserError unless it holds numbers."""
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
    """Return the weights as StyleGAN's version of Progressive GAN has them.

    The repository of Progressive GAN transposes the last two axes of one kind of weights. Shapes that do not
    fit show that; if all are square, the writer of the file decides.
    """
    names = [name for name in values if name.endswith('/Conv0_up/weight') and values[name].ndim == 4]
    oblong = [name for name in names if values[name].shape[2] != values[name].shape[3]]
    fitting = [name for name in oblong if list(values[name].shape) == own_vars[name].shape.as_list()]
    if fitting or not (oblong or from_tfutil):
        return values
    return {**values, **{name: values[name].transpose(0, 1, 3, 2) for name in names}}
