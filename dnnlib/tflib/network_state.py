"""What a pickle stores of a network (version 4), and how a network is found again from it."""

import inspect

import numpy as np

from .. import util
from . import tfutil

VERSION = 4
READABLE_VERSIONS = (4,)

# Build functions by the name that is stored: they are our own, stored source text is not executed. StyleGAN's
# mapping network has the name of StyleGAN2's: the text that it was stored with tells them apart.
BUILD_FUNCTIONS = {
    'G_main': 'training.networks_stylegan2.G_main',
    'G_mapping': 'training.networks_stylegan2.G_mapping',
    'G_synthesis_stylegan2': 'training.networks_stylegan2.G_synthesis_stylegan2',
    'G_synthesis_stylegan_revised': 'training.networks_stylegan2.G_synthesis_stylegan_revised',
    'D_stylegan': 'training.networks_stylegan2.D_stylegan',
    'D_stylegan2': 'training.networks_stylegan2.D_stylegan2',
    'G_style': 'training.networks_stylegan.G_style',
    'G_synthesis': 'training.networks_stylegan.G_synthesis',
    'D_basic': 'training.networks_stylegan.D_basic',
    'G_paper': 'training.networks_progan.G_paper',
    'D_paper': 'training.networks_progan.D_paper',
}
FIELDS = {
    'name': str,
    'static_kwargs': dict,
    'components': dict,         # sub-networks by their keys
    'build_module_src': str,    # source text of the module of the build function, kept as it was found
    'build_func_name': str,
    'variables': list,          # own variables as (local name, value)
}


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


def check(state) -> None:
    """Raise UserError unless this is the state of a network that can be built."""
    if not isinstance(state, dict):
        raise util.UserError(f'a network without state ({type(state).__name__}); the file is damaged')
    version, name = state.get('version'), state.get('build_func_name')
    if not isinstance(version, int) or version not in READABLE_VERSIONS:
        readable = ', '.join(map(str, READABLE_VERSIONS))
        raise util.UserError(f'network of version {version!r}; can be read: {readable}')
    for field, kind in FIELDS.items():
        if not isinstance(state.get(field), kind):
            raise util.UserError(f'network {state.get("name")!r}: {field} should be a {kind.__name__}, is '
                                 f'{type(state.get(field)).__name__}; the file is damaged')
    if not all(isinstance(item, (tuple, list)) and len(item) == 2 for item in state['variables']):
        raise util.UserError(f'network {state["name"]!r}: variables should be pairs; the file is damaged')
    if name not in BUILD_FUNCTIONS:
        raise util.UserError(f'network {state["name"]!r} is built by {name!r}, which is not among the known '
                             f'functions: {", ".join(BUILD_FUNCTIONS)}')


def build_func(state: dict):
    """Our build function for a network whose state has been checked."""
    name = state['build_func_name']
    if name == 'G_mapping' and 'def G_style(' in state['build_module_src']:
        return util.get_obj_by_name('training.networks_stylegan.G_mapping')
    return util.get_obj_by_name(BUILD_FUNCTIONS[name])


def checked_values(net, state: dict) -> dict:
    """{variable: stored value}. Raises UserError where components, names, types or shapes do not fit."""
    stored = dict(state['variables'])
    _compare(net, 'variables', set(net.own_vars), set(stored))
    _compare(net, 'components', set(net.components), set(state['components']))
    values = {}
    for name, var in net.own_vars.items():
        value = np.asarray(stored[name])
        if value.dtype.kind not in 'biuf' or list(value.shape) != var.shape.as_list():
            raise util.UserError(f'network {net.name!r}: variable {name} is stored as {value.dtype} '
                                 f'{list(value.shape)}, expected {var.shape.as_list()}')
        values[var] = value
    return values


def _compare(net, what, expected, found):
    missing, surplus = sorted(expected - found), sorted(map(str, found - expected))
    if missing or surplus:
        raise util.UserError(f'network {net.name!r}: the stored {what} do not fit {net._build_func_name}: '
                             f'missing {missing or "none"}, surplus {surplus or "none"}')
