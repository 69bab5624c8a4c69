"""List the parameters of the PyTorch networks, and fill them from TensorFlow variables as the readers of
stylegan2-ada-pytorch and stylegan3 do.

A network of the readers has the static kwargs of the file, and own defaults for those that are missing.
"""

import re

import numpy as np

from tests import pytorch_readers


def _layer(name, in_fmaps, out_fmaps, kernel, bias=True):
    shapes = {f'{name}.weight': [out_fmaps, in_fmaps, kernel, kernel]}
    return shapes | {f'{name}.bias': [out_fmaps]} if bias else shapes


def _dense(name, in_fmaps, out_fmaps):
    return {f'{name}.weight': [out_fmaps, in_fmaps], f'{name}.bias': [out_fmaps]}


def _channels(kwargs, resolution):
    return min(kwargs.get('fmap_base', 16384) * 2 // resolution, kwargs.get('fmap_max', 512))


def generator_shapes(kwargs):
    """Return {name: shape} of the parameters and buffers of a generator."""
    z_dim, c_dim, w_dim = (kwargs.get(*pair) for pair in (
        ('latent_size', 512), ('label_size', 0), ('dlatent_size', 512)))
    num_layers, width = kwargs.get('mapping_layers', 8), kwargs.get('mapping_fmaps') or w_dim
    label_width = (kwargs.get('label_fmaps') or w_dim) if c_dim else 0
    shapes = {'mapping.w_avg': [w_dim], **(_dense('mapping.embed', c_dim, label_width) if c_dim else {})}
    widths = [z_dim + label_width] + [width] * (num_layers - 1) + [w_dim]
    for idx in range(num_layers):
        shapes |= _dense(f'mapping.fc{idx}', widths[idx], widths[idx + 1])
    resolution, architecture = kwargs.get('resolution', 1024), kwargs.get('architecture', 'skip')
    res = 4
    while res <= resolution:
        block, here, below = f'synthesis.b{res}', _channels(kwargs, res), _channels(kwargs, res // 2)
        if res == 4:
            shapes[f'{block}.const'] = [here, 4, 4]
        for idx in (0, 1) if res > 4 else (1,):
            name, in_fmaps = f'{block}.conv{idx}', below if idx == 0 else here
            shapes |= _layer(name, in_fmaps, here, 3) | _dense(f'{name}.affine', w_dim, in_fmaps)
            if kwargs.get('use_noise', True):
                shapes |= {f'{name}.noise_const': [res, res], f'{name}.noise_strength': []}
        if res == resolution or architecture == 'skip':
            shapes |= _layer(f'{block}.torgb', here, kwargs.get('num_channels', 3), 1)
            shapes |= _dense(f'{block}.torgb.affine', w_dim, here)
        if res > 4 and architecture == 'resnet':
            shapes |= _layer(f'{block}.skip', below, here, 1, bias=False)
        res *= 2
    return shapes


def discriminator_shapes(kwargs):
    """Return {name: shape} of the parameters of a discriminator."""
    c_dim, resolution = kwargs.get('label_size', 0), kwargs.get('resolution', 1024)
    channels, architecture = kwargs.get('num_channels', 3), kwargs.get('architecture', 'resnet')
    smallest = _channels(kwargs, 4)
    label_width = (kwargs.get('mapping_fmaps') or smallest) if c_dim else 0
    shapes, res = {}, resolution
    while res > 4:
        block, here, below = f'b{res}', _channels(kwargs, res), _channels(kwargs, res // 2)
        if res == resolution or architecture == 'skip':
            shapes |= _layer(f'{block}.fromrgb', channels, here, 1)
        shapes |= _layer(f'{block}.conv0', here, here, 3) | _layer(f'{block}.conv1', here, below, 3)
        if architecture == 'resnet':
            shapes |= _layer(f'{block}.skip', here, below, 1, bias=False)
        res //= 2
    if c_dim:
        shapes |= _dense('mapping.embed', c_dim, label_width)
        for idx in range(kwargs.get('mapping_layers', 0)):
            shapes |= _dense(f'mapping.fc{idx}', label_width, label_width)
    if architecture == 'skip':
        shapes |= _layer('b4.fromrgb', channels, smallest, 1)
    features = kwargs.get('mbstd_num_features', 1)
    shapes |= _layer('b4.conv', smallest + features, smallest, 3)
    return shapes | _dense('b4.fc', smallest * 16, smallest) | _dense('b4.out', smallest, label_width or 1)


def _transposed(value):
    return value.T


def _kernel(value):
    return value.transpose(3, 2, 0, 1)


def _flipped(value):
    return _kernel(value[::-1, ::-1])


def _same(value):
    return value


_STYLE = {'affine.weight': ('mod_weight', _transposed), 'affine.bias': ('mod_bias', lambda value: value + 1),
          'noise_strength': ('noise_strength', _same), 'bias': ('bias', _same)}
_DENSE = {'weight': ('weight', _transposed), 'bias': ('bias', _same)}
_CONV = {'weight': ('weight', _kernel), 'bias': ('bias', _same)}
_UP = {'weight': ('weight', _flipped)}

# {pattern of a PyTorch layer: (TensorFlow layer, {PyTorch parameter: (TensorFlow variable, transform)})}
_G_LAYERS = {
    r'mapping\.embed': ('mapping/LabelEmbed', _DENSE),
    r'mapping\.fc(\d+)': (r'mapping/Dense\1', _DENSE),
    r'synthesis\.b4\.conv1': ('synthesis/4x4/Conv', {**_CONV, **_STYLE}),
    r'synthesis\.b(\d+)\.conv0': (r'synthesis/\1x\1/Conv0_up', {**_STYLE, **_UP}),
    r'synthesis\.b(\d+)\.conv1': (r'synthesis/\1x\1/Conv1', {**_CONV, **_STYLE}),
    r'synthesis\.b(\d+)\.torgb': (r'synthesis/\1x\1/ToRGB', {**_CONV, **_STYLE}),
    r'synthesis\.b(\d+)\.skip': (r'synthesis/\1x\1/Skip', _UP),
}
_D_LAYERS = {
    r'b(\d+)\.fromrgb': (r'\1x\1/FromRGB', _CONV),
    r'b4\.conv': ('4x4/Conv', _CONV),
    r'b4\.fc': ('4x4/Dense0', _DENSE),
    r'b4\.out': ('Output', _DENSE),
    r'b(\d+)\.conv0': (r'\1x\1/Conv0', _CONV),
    r'b(\d+)\.conv1': (r'\1x\1/Conv1_down', _CONV),
    r'b(\d+)\.skip': (r'\1x\1/Skip', _CONV),
    r'mapping\.embed': ('LabelEmbed', _DENSE),
    r'mapping\.fc(\d+)': (r'Mapping\1', _DENSE),
}


def _source(name, layers):
    """Return the name of the TensorFlow variable of a PyTorch parameter, and the transform."""
    if name == 'mapping.w_avg':
        return 'dlatent_avg', _same
    if name == 'synthesis.b4.const':
        return 'synthesis/4x4/Const/const', lambda value: value[0]
    if match := re.fullmatch(r'synthesis\.b(\d+)\.conv([01])\.noise_const', name):
        idx = 2 * int(np.log2(int(match[1]))) - 5 + int(match[2])
        return f'synthesis/noise{idx}', lambda value: value[0, 0]
    for pattern, (layer, rules) in layers.items():
        match = re.fullmatch(rf'({pattern})\.(.*)', name)
        if match and match[match.lastindex] in rules:
            variable, transform = rules[match[match.lastindex]]
            return f'{re.sub(pattern, layer, match[1])}/{variable}', transform
    raise KeyError(name)


def filled(net, is_generator):
    """Return {PyTorch name: value} of a network in a file. Raises KeyError for a variable that is missing or
    left over, and AssertionError for one of another shape."""
    shapes = (generator_shapes if is_generator else discriminator_shapes)(net.static_kwargs)
    values = pytorch_readers.parameters(net)
    found = {}
    for name, shape in shapes.items():
        variable, transform = _source(name, _G_LAYERS if is_generator else _D_LAYERS)
        found[name] = transform(values.pop(variable))
        assert list(found[name].shape) == shape, (name, found[name].shape, shape)
    if values:
        raise KeyError(f'left over: {sorted(values)}')
    return found
