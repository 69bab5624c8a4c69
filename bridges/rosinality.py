"""Networks under the names of rosinality's StyleGAN2 for PyTorch, as its checkpoints have them.

`export.py --to=pytorch --names=rosinality` writes what `checkpoint` returns.
"""

import numpy as np

from dnnlib.pickles import origin
from dnnlib.pickles.arrays import shown
from dnnlib.pickles.pytorch import rosinality_names as names
from dnnlib.util import UserError

_COMMON = {'fmap_base': 16384, 'fmap_max': 512, 'resolution': 1024, 'num_channels': 3}
_DEFAULTS = {True: {**_COMMON, 'latent_size': 512, 'dlatent_size': 512, 'mapping_layers': 8}, False: _COMMON}
# Arguments, defaults included, that rosinality's networks have always.
_ALWAYS = {'label_size': 0, 'base_shape': None, 'fmap_decay': 1, 'fmap_min': 1, 'nonlinearity': 'lrelu',
           'resample_kernel': [1, 3, 3, 1], 'dtype': 'float32'}
_ALWAYS_OF = {
    True: {**_ALWAYS, 'architecture': 'skip', 'mapping_lrmul': 0.01, 'mapping_nonlinearity': 'lrelu',
           'normalize_latents': True, 'use_noise': True, 'fmap_const': None},
    False: {**_ALWAYS, 'architecture': 'resnet', 'mbstd_num_features': 1, 'use_spectral_norm': False,
            'use_pagan': False, 'score_max': 1, 'score_size': 1, 'adaptive_dropout': 0}}
_FUNCTIONS = {  # {function: does it build a generator?}
    'training.networks_stylegan2.G_main': True, 'training.networks_stylegan2.D_stylegan2': False,
    'training.networks_stylegan2_ada.G_main': True, 'training.networks_stylegan2_ada.D_main': False}
_LEFT_OUT = ('lod', 'dlatent_avg')  # Variables that no parameter holds.
_GROUP_SIZE = 4                     # Of the minibatch standard deviation.
_PUBLISHED_MULTIPLIERS = (1, 2)


def checkpoint(report):
    """Return the networks of a file, an inspection.Report with data, in rosinality's terms.

    -> ({'g_ema.style.1.weight' and so on, 'latent_avg': float32 array}, {'g', 'd', 'g_ema': arguments of the
    constructors}, [a line for all that is left out]). A generator alone is 'g_ema'. Raises UserError for
    networks that rosinality's code cannot express.
    """
    if report.other is not None or len(report.networks) not in (1, 3):
        raise UserError(f'expected one network or three; found {report.other or len(report.networks)}')
    tensors, arguments, left_out = {}, {}, []
    keys = ('g', 'd', 'g_ema') if report.is_triple else (None,)
    for key, network in zip(keys, report.networks, strict=True):
        is_generator = _is_generator(network)
        if key is not None and is_generator == (key == 'd'):
            raise UserError('expected three networks (G, D, Gs) in this order')
        key = key or ('g_ema' if is_generator else 'd')
        kwargs = _kwargs(network, is_generator)
        found = _tensors(network, is_generator, kwargs)
        tensors |= {f'{key}.{name}': value for name, value in found.items()}
        if key == 'g_ema':
            tensors['latent_avg'] = _array(network, dict(network.state['variables']).get('dlatent_avg'))
        arguments[key] = _arguments(kwargs, is_generator)
        left_out += _left_out(key, network, is_generator)
    return tensors, arguments, left_out


def _is_generator(network):
    if network.func not in _FUNCTIONS:
        built_by = network.func or network.state['build_func_name']
        raise _refused(network, f'built by {built_by}; expected StyleGAN2, config E or F, or StyleGAN2-ADA')
    return _FUNCTIONS[network.func]


def _refused(network, reason):
    return UserError(f"network {network.state['name']}: {reason}; rosinality's code has no such networks")


def _kwargs(network, is_generator):
    """Return the arguments that `names` takes. Raises UserError for others that change the structure."""
    for key, value in _ALWAYS_OF[is_generator].items():
        found = network.kwargs.get(key, value)
        if not (np.array_equal(found, value) or (key == 'base_shape' and list(found) == [4, 4])):
            raise _refused(network, f'{key}={shown(found)}; expected {value}')
    kwargs = {key: network.kwargs.get(key, value) for key, value in _DEFAULTS[is_generator].items()}
    if is_generator:
        hidden = network.kwargs.get('mapping_fmaps', None if network.code == origin.ADA else 512)
        kwargs['mapping_fmaps'] = kwargs['dlatent_size'] if hidden is None else hidden
    for key, value in kwargs.items():
        if type(value) is not int or value < 1:
            raise _refused(network, f'{key}={shown(value)}; expected a whole number of at least 1')
    widths = {key: kwargs[key] for key in ('latent_size', 'mapping_fmaps', 'dlatent_size') if is_generator}
    if len(set(widths.values())) > 1:
        found = ', '.join(f'{key}={value}' for key, value in widths.items())
        raise _refused(network, f'{found}; expected the same width throughout')
    return kwargs


def _tensors(network, is_generator, kwargs):
    """Return {parameter or buffer in the state dict: float32 array}."""
    keyed = [('', network), *network.components.items()]
    left = {(key, name): value for key, each in keyed for name, value in each.state['variables']
            if name not in _LEFT_OUT}
    tensors = {}
    for parameter in (names.generator if is_generator else names.discriminator)(kwargs):
        place = parameter.component, parameter.variable
        if place not in left:
            raise _refused(network, f'there is no {"/".join(filter(None, place))}')
        value = _array(network, left.pop(place))
        expected = parameter.layout.to_tensorflow(np.broadcast_to(np.float32(0), parameter.shape)).shape
        if value.shape != expected:
            raise _refused(network, f'{parameter.variable} is {list(value.shape)}, not {list(expected)}')
        tensors[parameter.name] = np.ascontiguousarray(parameter.layout.to_pytorch(value))
    if left:
        raise _refused(network, f'has {"/".join(filter(None, next(iter(left))))}')
    for name, total in names.filters(is_generator, kwargs['resolution']).items():
        tensors[name] = np.float32(names.FILTER * total)
    return tensors


def _array(network, value):
    if not isinstance(value, (np.ndarray, np.floating)):
        raise _refused(network, f'a variable of type {type(value).__name__}; expected arrays')
    return np.asarray(value, np.float32)


def _arguments(kwargs, is_generator):
    """Return the arguments of a constructor. Widths that no channel_multiplier has are `channels`."""
    resolutions = [4, *names.levels(kwargs['resolution'])]
    found = {res: names.channels(kwargs, res) for res in resolutions}
    fitting = [each for each in _PUBLISHED_MULTIPLIERS if found == _published(resolutions, each)]
    widths = {'channel_multiplier': fitting[-1]} if fitting else {'channels': found}
    if kwargs['num_channels'] != 3:
        widths['num_channels'] = kwargs['num_channels']
    if not is_generator:
        return {'size': kwargs['resolution'], **widths}
    return {'size': kwargs['resolution'], 'style_dim': kwargs['dlatent_size'],
            'n_mlp': kwargs['mapping_layers'], **widths}


def _published(resolutions, multiplier):
    limits = {'fmap_base': 8192 * multiplier, 'fmap_max': 512}
    return {res: names.channels(limits, res) for res in resolutions}


def _left_out(key, network, is_generator):
    """Yield what differs in the computation, not in the weights."""
    for name in ('conv_clamp', 'num_fp16_res'):
        if network.kwargs.get(name):
            yield f'{key}: {name}={network.kwargs[name]}'
    default = None if network.code == origin.ADA else _GROUP_SIZE
    if not is_generator and (size := network.kwargs.get('mbstd_group_size', default)) != _GROUP_SIZE:
        yield f'{key}: mbstd_group_size={size} (there: {_GROUP_SIZE})'
