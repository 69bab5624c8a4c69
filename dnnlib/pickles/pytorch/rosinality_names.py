"""Parameters of rosinality's StyleGAN2 for PyTorch and the variables of StyleGAN2-ADA's TensorFlow networks.

Both store weights before the equalized learning rate, so only names and layouts differ. A network is given by
keyword arguments of its TensorFlow form: resolution, num_channels, fmap_base and fmap_max; a generator by
latent_size, dlatent_size, mapping_layers and mapping_fmaps, too.
"""

from dataclasses import dataclass

import numpy as np

from dnnlib.pickles.pytorch.names import DENSE, KERNEL, SAME, STYLE_BIAS, UP_KERNEL, Layout

FILTER = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64


@dataclass(frozen=True)
class Parameter:
    """A parameter in a state dict, and its variable."""
    name: str
    shape: tuple        # In the state dict.
    component: str      # Key of the sub-network in TensorFlow, '' = the network's own variable.
    variable: str
    layout: Layout


def _styled(layout):
    """Return the layout of the weights of a modulated convolution, which have an axis for the minibatch."""
    return Layout(lambda x: layout.to_tensorflow(x[0]), lambda x: layout.to_pytorch(x)[np.newaxis])


_STYLED, _STYLED_UP = _styled(KERNEL), _styled(UP_KERNEL)
_STRENGTH = Layout(lambda x: x.reshape([]), lambda x: np.reshape(x, [1]))               # [1] and []
_RGB_BIAS = Layout(lambda x: x.reshape(-1), lambda x: np.reshape(x, [1, -1, 1, 1]))     # [1,C,1,1] and [C]


def channels(kwargs, resolution):
    """Return the number of feature maps at a resolution (StyleGAN2-ADA's `fmap_base` and `fmap_max`)."""
    return min(kwargs['fmap_base'] * 2 // resolution, kwargs['fmap_max'])


def levels(resolution):
    """Return the resolutions 8, 16, ... up to this one."""
    return [1 << log2 for log2 in range(3, resolution.bit_length())]


def noise_resolution(idx):
    """Return the side of the noise image of a layer."""
    return 1 << (idx + 5) // 2


def generator(kwargs):
    """Return the Parameters of a generator. `latent_avg` is not among them."""
    width, depth, lowest = kwargs['dlatent_size'], kwargs['mapping_layers'], channels(kwargs, 4)
    widths = [kwargs['latent_size'], *[kwargs['mapping_fmaps']] * (depth - 1), width]
    found = [Parameter('input.input', (1, lowest, 4, 4), 'synthesis', '4x4/Const/const', SAME)]
    for idx in range(depth):
        found += _dense(f'style.{idx + 1}', 'mapping', f'Dense{idx}', widths[idx], widths[idx + 1])
    found += _synthesis_layer('conv1', '4x4/Conv', lowest, lowest, width, _STYLED)
    found += _to_rgb('to_rgb1', '4x4/ToRGB', lowest, kwargs['num_channels'], width)
    for idx, res in enumerate(levels(kwargs['resolution'])):
        scope, below, here = f'{res}x{res}', channels(kwargs, res // 2), channels(kwargs, res)
        found += _synthesis_layer(f'convs.{2 * idx}', f'{scope}/Conv0_up', below, here, width, _STYLED_UP)
        found += _synthesis_layer(f'convs.{2 * idx + 1}', f'{scope}/Conv1', here, here, width, _STYLED)
        found += _to_rgb(f'to_rgbs.{idx}', f'{scope}/ToRGB', here, kwargs['num_channels'], width)
    for idx in range(2 * len(levels(kwargs['resolution'])) + 1):
        side = noise_resolution(idx)
        found.append(Parameter(f'noises.noise_{idx}', (1, 1, side, side), 'synthesis', f'noise{idx}', SAME))
    return found


def _dense(name, component, scope, in_fmaps, out_fmaps):
    return [Parameter(f'{name}.weight', (out_fmaps, in_fmaps), component, f'{scope}/weight', DENSE),
            Parameter(f'{name}.bias', (out_fmaps,), component, f'{scope}/bias', SAME)]


def _modulated(name, scope, in_fmaps, out_fmaps, kernel, dlatent_size, layout):
    shape, style = (1, out_fmaps, in_fmaps, kernel, kernel), f'{name}.conv.modulation'
    return [Parameter(f'{name}.conv.weight', shape, 'synthesis', f'{scope}/weight', layout),
            Parameter(f'{style}.weight', (in_fmaps, dlatent_size), 'synthesis', f'{scope}/mod_weight', DENSE),
            Parameter(f'{style}.bias', (in_fmaps,), 'synthesis', f'{scope}/mod_bias', STYLE_BIAS)]


def _synthesis_layer(name, scope, in_fmaps, out_fmaps, dlatent_size, layout):
    return [*_modulated(name, scope, in_fmaps, out_fmaps, 3, dlatent_size, layout),
            Parameter(f'{name}.noise.weight', (1,), 'synthesis', f'{scope}/noise_strength', _STRENGTH),
            Parameter(f'{name}.activate.bias', (out_fmaps,), 'synthesis', f'{scope}/bias', SAME)]


def _to_rgb(name, scope, in_fmaps, num_channels, dlatent_size):
    shape = (1, num_channels, 1, 1)
    return [*_modulated(name, scope, in_fmaps, num_channels, 1, dlatent_size, _STYLED),
            Parameter(f'{name}.bias', shape, 'synthesis', f'{scope}/bias', _RGB_BIAS)]


def discriminator(kwargs):
    """Return the Parameters of a discriminator."""
    top, lowest = kwargs['resolution'], channels(kwargs, 4)
    found = _conv('convs.0', 0, f'{top}x{top}/FromRGB', kwargs['num_channels'], channels(kwargs, top), 1)
    for idx, res in enumerate(reversed(levels(top)), 1):
        scope, here, below = f'{res}x{res}', channels(kwargs, res), channels(kwargs, res // 2)
        found += _conv(f'convs.{idx}.conv1', 0, f'{scope}/Conv0', here, here, 3)
        found += _conv(f'convs.{idx}.conv2', 1, f'{scope}/Conv1_down', here, below, 3)  # 0 is the filter.
        found += _conv(f'convs.{idx}.skip', 1, f'{scope}/Skip', here, below, 1)[:1]     # Without a bias.
    found += _conv('final_conv', 0, '4x4/Conv', lowest + 1, lowest, 3)
    found += _dense('final_linear.0', '', '4x4/Dense0', lowest * 16, lowest)
    return found + _dense('final_linear.1', '', 'Output', lowest, 1)


def _conv(name, first, scope, in_fmaps, out_fmaps, kernel):
    shape = (out_fmaps, in_fmaps, kernel, kernel)
    return [Parameter(f'{name}.{first}.weight', shape, '', f'{scope}/weight', KERNEL),
            Parameter(f'{name}.{first + 1}.bias', (out_fmaps,), '', f'{scope}/bias', SAME)]


def filters(is_generator, resolution):
    """Return {name: sum of the 4x4 values} of the filters [1,3,3,1] that a state dict holds besides."""
    count = len(levels(resolution))
    if is_generator:  # Upsampling by 2 puts three zeros beside each value.
        return {**{f'convs.{2 * idx}.conv.blur.kernel': 4 for idx in range(count)},
                **{f'to_rgbs.{idx}.upsample.kernel': 4 for idx in range(count)}}
    return {f'convs.{idx}.{layer}.0.kernel': 1 for idx in range(1, count + 1) for layer in ('conv2', 'skip')}
