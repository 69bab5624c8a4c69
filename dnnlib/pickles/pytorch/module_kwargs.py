"""Keyword arguments of StyleGAN2-ADA's TensorFlow networks, from the modules of a network of PyTorch code.

What the built modules say counts more than the arguments that they were built with, and these more than the
defaults of the classes, which are not the same in stylegan2-ada-pytorch and stylegan3. Only keyword arguments
that PyTorch code reads from TensorFlow's files are used.
"""

import itertools

import numpy as np

from dnnlib.pickles.arrays import shown
from dnnlib.pickles.pytorch.module_tree import ModuleTree

MAX_SIZE = 1 << 20
MAX_LAYERS = 100        # Of a mapping network.
MAX_LOG2 = 14           # Of the resolution.
MAX_TAPS = 64
ACTIVATIONS = ('linear', 'relu', 'lrelu', 'tanh', 'sigmoid', 'elu', 'selu', 'softplus', 'swish')
ARCHITECTURES = ('orig', 'skip', 'resnet')
DEFAULTS = {  # Of TensorFlow's functions, and of what reads their files in PyTorch.
    'mapping_nonlinearity': 'lrelu', 'nonlinearity': 'lrelu', 'w_avg_beta': 0.995, 'use_noise': True,
    'num_fp16_res': 0, 'conv_clamp': None, 'resample_kernel': [1, 3, 3, 1], 'freeze_layers': 0}
_FILTER_ATOL = 1e-5

_G_ARGS = ('z_dim', 'c_dim', 'w_dim', 'img_resolution', 'img_channels')
_D_ARGS = ('c_dim', 'img_resolution', 'img_channels', 'architecture', 'channel_base', 'channel_max',
           'num_fp16_res', 'conv_clamp', 'cmap_dim')
_CONVS = r'synthesis\.b\d+\.conv[01]'


def generator(net: ModuleTree) -> dict:
    """Return the keyword arguments of G_main. Raises UserError for what it does not have."""
    built = net.arguments('', _G_ARGS)
    inner = built.get('synthesis_kwargs')
    built = {**built, **(inner if isinstance(inner, dict) else {}), **net.arguments('synthesis')}
    label_size = _size(net, 'c_dim', net.attribute('', 'c_dim', built.get('c_dim')), least=0)
    net.require(r'.*\.(embed|affine)', 'activation', 'linear')
    net.require(r'.*\.(embed|affine)', 'bias_gain', 1)
    kwargs = {
        'latent_size': _size(net, 'z_dim', net.attribute('', 'z_dim', built.get('z_dim'))),
        'label_size': label_size,
        'dlatent_size': _size(net, 'w_dim', net.attribute('', 'w_dim', built.get('w_dim'))),
        **_mapping(net),
        'mapping_nonlinearity': _activation(net, r'mapping\.fc\d+'),
        'w_avg_beta': _decay(net, net.attribute('mapping', 'w_avg_beta', 0.995)),
        **_images(net, built, r'synthesis\.b\d+', 'skip'),
        **_precision(net, built, r'synthesis\.b\d+', r'synthesis\.b\d+\.(conv[01]|torgb)'),
        'nonlinearity': _activation(net, _CONVS),
        'use_noise': _flag(net, 'use_noise', net.common(_CONVS, 'use_noise', True))}
    w_dim = kwargs['dlatent_size']
    kwargs['mapping_fmaps'] = _rows(net, 'mapping.fc0.weight') if kwargs['mapping_layers'] > 1 else w_dim
    if label_size:
        kwargs['label_fmaps'] = _rows(net, 'mapping.embed.weight')
    if kwargs['mapping_layers'] == 0 and kwargs['latent_size'] + kwargs.get('label_fmaps', 0) != w_dim:
        raise net.refusal(f'num_layers=0, but w has another length than z ({w_dim})')
    return kwargs


def discriminator(net: ModuleTree) -> dict:
    """Return the keyword arguments of D_main. Raises UserError for what it does not have."""
    built = net.arguments('', _D_ARGS)
    net.require(r'mapping\.embed|b4\.out|b\d+\.skip', 'activation', 'linear')
    net.require(r'mapping\.embed|b4\.(fc|out)', 'bias_gain', 1)
    kwargs = {
        'label_size': _size(net, 'c_dim', net.attribute('', 'c_dim', built.get('c_dim')), least=0),
        **_images(net, built, r'b\d+', 'resnet'),
        **_precision(net, built, r'b\d+', r'b\d+\.conv[01]?|b(8|\d\d+)\.fromrgb'),
        'nonlinearity': _activation(net, r'b\d+\.(fromrgb|conv[01]?|fc)|mapping\.fc\d+'),
        'mbstd_group_size': net.common(r'b4\.mbstd', 'group_size', 4),
        'mbstd_num_features': net.common(r'b4\.mbstd', 'num_channels', 1) if net.paths(r'b4\.mbstd') else 0,
        'freeze_layers': _frozen(net)}
    # The last layers are as wide as at 4x4 here, and in TensorFlow as at a resolution of 2x2.
    kwargs['fmap_max'] = min(kwargs['fmap_max'], kwargs['fmap_base'] // 2)
    if kwargs['mbstd_group_size'] is not None:
        kwargs['mbstd_group_size'] = _size(net, 'group_size', kwargs['mbstd_group_size'])
    _size(net, 'num_channels', kwargs['mbstd_num_features'], least=0)
    if kwargs['label_size']:
        kwargs |= _mapping(net) | {'mapping_fmaps': _rows(net, 'b4.out.weight')}
    return kwargs


def stated(kwargs: dict) -> dict:
    """Return the keyword arguments that have to be stored, without those that have their defaults."""
    return {key: value for key, value in kwargs.items() if key not in DEFAULTS or value != DEFAULTS[key]}


def _size(net, name, value, least=1, most=MAX_SIZE):
    if type(value) is not int or not least <= value <= most:
        raise net.refusal(f'{name}={shown(value)}; expected a whole number from {least} to {most}')
    return value


def _flag(net, name, value):
    if type(value) is not bool:
        raise net.refusal(f'{name}={shown(value)}; expected True or False')
    return value


def _decay(net, value):
    if value is not None and not (type(value) in (int, float) and 0 <= value <= 1):
        raise net.refusal(f'w_avg_beta={shown(value)}; expected a number from 0 to 1 or None')
    return value


def _rows(net, name):
    """Return the number of outputs of a layer."""
    value = net.arrays.get(name)
    if value is None or value.ndim != 2:
        raise net.refusal(f'{name} is missing or no matrix')
    return _size(net, f'outputs of {name}', len(value))


def _activation(net, pattern):
    found = net.common(pattern, 'activation', 'lrelu')
    if found not in ACTIVATIONS:
        raise net.refusal(f'the activation {shown(found)}; expected one of {", ".join(ACTIVATIONS)}')
    return found


def _mapping(net):
    rate = net.common(r'mapping\.fc\d+', 'bias_gain', net.arguments('mapping').get('lr_multiplier', 0.01))
    if type(rate) not in (int, float) or not 0 < rate <= 1:
        raise net.refusal(f'lr_multiplier={shown(rate)}; expected a number from 0 to 1')
    number = _size(net, 'num_layers', net.attribute('mapping', 'num_layers', 8), least=0, most=MAX_LAYERS)
    return {'mapping_layers': number, 'mapping_lrmul': rate}


def _images(net, built, blocks, architecture):
    """Return the arguments about images and feature maps."""
    resolution = net.attribute('', 'img_resolution', built.get('img_resolution'))
    if type(resolution) is not int or resolution not in [1 << log2 for log2 in range(2, MAX_LOG2 + 1)]:
        raise net.refusal(f'img_resolution={shown(resolution)}; expected a power of two from 4 to '
                          f'{1 << MAX_LOG2}')
    architecture = net.common(blocks, 'architecture', built.get('architecture', architecture))
    if architecture not in ARCHITECTURES:
        raise net.refusal(f'architecture={shown(architecture)}; expected one of {", ".join(ARCHITECTURES)}')
    channels = net.attribute('', 'img_channels', built.get('img_channels'))
    return {
        'resolution': resolution,
        'num_channels': _size(net, 'img_channels', channels),
        'fmap_base': _size(net, 'channel_base', built.get('channel_base', 32768), least=2, most=1 << 40) // 2,
        'fmap_max': _size(net, 'channel_max', built.get('channel_max', 512)),
        'architecture': architecture,
        'resample_kernel': _filter(net, built)}


def _precision(net, built, blocks, layers):
    """Return the arguments about float16."""
    clamp = net.common(layers, 'conv_clamp')
    if clamp is not None and (type(clamp) not in (int, float) or not clamp > 0):
        raise net.refusal(f'conv_clamp={shown(clamp)}; expected a positive number')
    net.require(r'.*\.skip', 'conv_clamp', None)
    number = _size(net, 'num_fp16_res', built.get('num_fp16_res', 0), least=0)
    paths = sorted(net.paths(blocks), key=lambda path: int(path.rpartition('b')[2]), reverse=True)
    flags = [net.attribute(path, 'use_fp16', number > idx) is True for idx, path in enumerate(paths[:-1])]
    if flags != sorted(flags, reverse=True):
        raise net.refusal("float16 at some resolutions only; TensorFlow's networks have it at the highest")
    # Files state more resolutions than the networks have, or nothing and their code has a default.
    used = sum(flags)
    return {'num_fp16_res': number if min(number, len(flags)) == used else used, 'conv_clamp': clamp}


def _frozen(net):
    """Return how many layers, counted from the image, are not trained."""
    blocks = sorted((int(path[1:]) for path in net.paths(r'b\d+')), reverse=True)
    layers = [path for block in blocks if block > 4 for name in ('fromrgb', 'conv0', 'conv1', 'skip')
              for path in net.paths(rf'b{block}\.{name}')]
    frozen = list(itertools.takewhile(net.frozen.__contains__, layers))
    if len(frozen) < len(net.frozen):
        raise net.refusal("other layers than the first ones are not trained; TensorFlow's networks have no "
                          'flag for that')
    return len(frozen)


def _filter(net, built):
    """Return the taps of the resampling filter."""
    taps = built.get('resample_filter', DEFAULTS['resample_kernel'])
    block_kwargs = built.get('block_kwargs')
    if isinstance(block_kwargs, dict):
        taps = block_kwargs.get('resample_filter', taps)
    taps = [1] if taps is None else taps  # Nothing is filtered.
    if not isinstance(taps, (list, tuple)) or not 1 <= len(taps) <= MAX_TAPS or not all(
            type(tap) in (int, float) and abs(tap) < MAX_SIZE for tap in taps) or not sum(taps) > 0:
        raise net.refusal(f'resample_filter={shown(taps)}; expected up to {MAX_TAPS} numbers')
    row = np.float64(taps) / sum(taps)
    for path, found in net.filters.items():
        expected = row if found.ndim == 1 else np.outer(row, row)
        if found.shape != expected.shape or not np.allclose(found, expected, atol=_FILTER_ATOL):
            raise net.refusal(f'the resampling filter of {path} is another than {shown(list(taps))}')
    return list(taps)
