"""Tensors in the state dicts of stylegan2-ada-pytorch's networks, from the arguments of their classes.

All arguments are given, as `pytorch_form` gives them.
"""

import re

import numpy as np

ACTIVATIONS = ('linear', 'relu', 'lrelu', 'tanh', 'sigmoid', 'elu', 'selu', 'softplus', 'swish')
_DEFAULT = [1, 3, 3, 1]  # Taps of layers that neither up- nor downsample.
_MATRIX_TAPS = 7         # Longer filters are stored as a vector.


def _blocks(resolution):
    return [2 ** i for i in range(2, resolution.bit_length())]


def _channels(kwargs, resolution):
    return min(kwargs['channel_base'] // resolution, kwargs['channel_max'])


def _dense(name, ins, outs):
    return {f'{name}.weight': [outs, ins], f'{name}.bias': [outs]}


def _conv(name, ins, outs, size, bias=True):
    return {f'{name}.weight': [outs, ins, size, size], **({f'{name}.bias': [outs]} if bias else {})}


def _mapping(kwargs, labels, first, width, last):
    """Return {name: shape} of a mapping network. first: length of its input besides labels."""
    embedded = kwargs['embed_features'] if labels else 0
    shapes = _dense('mapping.embed', labels, embedded) if labels else {}
    widths = [first + embedded, *[width] * (kwargs['num_layers'] - 1), last]
    for idx in range(kwargs['num_layers']):
        shapes |= _dense(f'mapping.fc{idx}', widths[idx], widths[idx + 1])
    return shapes


def generator(init) -> dict:
    """Return {name: shape} of all parameters and buffers, except filters."""
    mapping, synthesis, w_dim = init['mapping_kwargs'], init['synthesis_kwargs'], init['w_dim']
    shapes = {'mapping.w_avg': [w_dim],
              **_mapping(mapping, init['c_dim'], init['z_dim'], mapping['layer_features'], w_dim)}
    below = None
    for res in _blocks(init['img_resolution']):
        block, here = f'synthesis.b{res}', _channels(synthesis, res)
        if below is None:
            shapes[f'{block}.const'] = [here, res, res]
        else:
            shapes |= _styled(f'{block}.conv0', below, here, res, w_dim, synthesis['use_noise'])
        shapes |= _styled(f'{block}.conv1', here, here, res, w_dim, synthesis['use_noise'])
        if synthesis['architecture'] == 'skip' or res == init['img_resolution']:
            shapes |= _conv(f'{block}.torgb', here, init['img_channels'], 1)
            shapes |= _dense(f'{block}.torgb.affine', w_dim, here)
        if synthesis['architecture'] == 'resnet' and below is not None:
            shapes |= _conv(f'{block}.skip', below, here, 1, bias=False)
        below = here
    return shapes


def _styled(name, ins, outs, res, w_dim, use_noise):
    noise = {f'{name}.noise_const': [res, res], f'{name}.noise_strength': []} if use_noise else {}
    return {**_conv(name, ins, outs, 3), **_dense(f'{name}.affine', w_dim, ins), **noise}


def discriminator(init) -> dict:
    """Return {name: shape} of all parameters and buffers, except filters."""
    shapes, smallest = {}, _channels(init, 4)
    for res in _blocks(init['img_resolution'])[:0:-1]:
        block, here, below = f'b{res}', _channels(init, res), _channels(init, res // 2)
        if init['architecture'] == 'skip' or res == init['img_resolution']:
            shapes |= _conv(f'{block}.fromrgb', init['img_channels'], here, 1)
        shapes |= {**_conv(f'{block}.conv0', here, here, 3), **_conv(f'{block}.conv1', here, below, 3)}
        if init['architecture'] == 'resnet':
            shapes |= _conv(f'{block}.skip', here, below, 1, bias=False)
    width = init['cmap_dim']
    if init['c_dim']:
        shapes |= _mapping(init['mapping_kwargs'], init['c_dim'], 0, width, width)
    if init['architecture'] == 'skip':
        shapes |= _conv('b4.fromrgb', init['img_channels'], smallest, 1)
    shapes |= _conv('b4.conv', smallest + init['epilogue_kwargs']['mbstd_num_channels'], smallest, 3)
    outs = width if init['c_dim'] else 1
    return {**shapes, **_dense('b4.fc', smallest * 16, smallest), **_dense('b4.out', smallest, outs)}


def filters(init, names) -> dict:
    """Return {name: values} of the filters of a network with parameters of these names.

    Blocks and all layers with kernels have one in their state dict; it is the default where layers neither
    up- nor downsample.
    """
    is_generator = 'synthesis_kwargs' in init
    taps = init['synthesis_kwargs' if is_generator else 'block_kwargs']['resample_filter']
    resampling = ('conv0', 'skip') if is_generator else ('conv1', 'skip')
    found = {}
    for name in names:
        block, layer = re.fullmatch(r'((?:synthesis\.)?b\d+)?\.?(.*)', name).groups()
        layer = layer.partition('.')[0]
        if block and (is_generator or block != 'b4'):
            found[f'{block}.resample_filter'] = _values(taps)
        if block and layer in ('fromrgb', 'conv', 'conv0', 'conv1', 'skip'):
            found[f'{block}.{layer}.resample_filter'] = _values(taps if layer in resampling else _DEFAULT)
    return found


def _values(taps):
    """Return the taps of a filter as a tensor that sums to 1."""
    values = np.asarray(taps, np.float32)
    values = np.outer(values, values) if len(values) <= _MATRIX_TAPS else values
    return values / values.sum()
