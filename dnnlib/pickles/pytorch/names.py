"""Parameters of stylegan2-ada-pytorch and the variables of StyleGAN2-ADA's TensorFlow networks.

Both store weights before the equalized learning rate, so only names and layouts differ: dense weights are
[out, in] in PyTorch and [in, out] in TensorFlow, kernels are [out, in, height, width] and
[height, width, in, out], and the biases of styles start at 1 and at 0.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Layout:
    """How the values of a parameter are stored, as a pair of functions of arrays."""
    to_tensorflow: Callable
    to_pytorch: Callable


SAME = Layout(lambda x: x, lambda x: x)
DENSE = Layout(lambda x: x.T, lambda x: x.T)
KERNEL = Layout(lambda x: x.transpose(2, 3, 1, 0), lambda x: x.transpose(3, 2, 0, 1))
UP_KERNEL = Layout(lambda x: x.transpose(2, 3, 1, 0)[::-1, ::-1],
                   lambda x: x[::-1, ::-1].transpose(3, 2, 0, 1))
STYLE_BIAS = Layout(lambda x: x - np.float32(1), lambda x: x + np.float32(1))
CONST = Layout(lambda x: x[np.newaxis], lambda x: x[0])
NOISE = Layout(lambda x: x[np.newaxis, np.newaxis], lambda x: x[0, 0])

_DENSE = {'weight': ('weight', DENSE), 'bias': ('bias', SAME)}
_CONV = {'weight': ('weight', KERNEL), 'bias': ('bias', SAME)}
_STYLED = {'affine.weight': ('mod_weight', DENSE), 'affine.bias': ('mod_bias', STYLE_BIAS),
           'bias': ('bias', SAME)}
_SYNTHESIS = {**_STYLED, 'weight': ('weight', KERNEL), 'noise_strength': ('noise_strength', SAME)}
_SYNTHESIS_UP = {**_SYNTHESIS, 'weight': ('weight', UP_KERNEL)}

# [(layer in PyTorch, key of the sub-network in TensorFlow, layer there, {parameter: (variable, layout)})],
# with {n} for a number; {n}x{n} is the resolution of the block.
_Table = list[tuple[str, str, str, dict]]
GENERATOR: _Table = [
    ('mapping', '', '', {'w_avg': ('dlatent_avg', SAME)}),
    ('mapping.embed', 'mapping', 'LabelEmbed', _DENSE),
    ('mapping.fc{n}', 'mapping', 'Dense{n}', _DENSE),
    ('synthesis.b4', 'synthesis', '4x4/Const', {'const': ('const', CONST)}),
    ('synthesis.b4.conv1', 'synthesis', '4x4/Conv', _SYNTHESIS),
    ('synthesis.b{n}.conv0', 'synthesis', '{n}x{n}/Conv0_up', _SYNTHESIS_UP),
    ('synthesis.b{n}.conv1', 'synthesis', '{n}x{n}/Conv1', _SYNTHESIS),
    ('synthesis.b{n}.torgb', 'synthesis', '{n}x{n}/ToRGB', {**_STYLED, 'weight': ('weight', KERNEL)}),
    ('synthesis.b{n}.skip', 'synthesis', '{n}x{n}/Skip', {'weight': ('weight', UP_KERNEL)}),
]
DISCRIMINATOR: _Table = [
    ('b{n}.fromrgb', '', '{n}x{n}/FromRGB', _CONV),
    ('b{n}.conv0', '', '{n}x{n}/Conv0', _CONV),
    ('b{n}.conv1', '', '{n}x{n}/Conv1_down', _CONV),
    ('b{n}.skip', '', '{n}x{n}/Skip', {'weight': ('weight', KERNEL)}),
    ('mapping.embed', '', 'LabelEmbed', _DENSE),
    ('mapping.fc{n}', '', 'Mapping{n}', _DENSE),
    ('b4.conv', '', '4x4/Conv', _CONV),
    ('b4.fc', '', '4x4/Dense0', _DENSE),
    ('b4.out', '', 'Output', _DENSE),
]
BUFFERS = re.compile(r'(.*\.)?(resample_filter|act_filter)')  # Constants, which TensorFlow computes.
_NOISE_CONST = re.compile(r'synthesis\.b(\d+)\.conv([01])\.noise_const')
_NOISE = re.compile(r'noise(\d+)')


def to_tensorflow(name: str, table: _Table) -> tuple[str, str, Layout] | None:
    """Return (key of the sub-network or '', variable, layout) for a parameter in PyTorch; None if there is no
    such parameter."""
    if table is GENERATOR and (match := _NOISE_CONST.fullmatch(name)):
        idx = 2 * (int(match[1]).bit_length() - 1) - 5 + int(match[2])
        return 'synthesis', f'noise{idx}', NOISE
    for layer, component, scope, parameters in table:
        for parameter, (variable, layout) in parameters.items():
            match = re.fullmatch(_pattern(f'{layer}.{parameter}'), name)
            if match:
                return component, _filled(_joined(scope, variable), match), layout
    return None


def to_pytorch(component: str, name: str, table: _Table) -> tuple[str, Layout] | None:
    """Return (parameter in PyTorch, layout) for a variable of the sub-network of this key ('' = own
    variables); None if PyTorch has no such parameter."""
    if component == 'synthesis' and (match := _NOISE.fullmatch(name)):
        block, second = divmod(int(match[1]) + 5, 2)
        return f'synthesis.b{1 << block}.conv{second}.noise_const', NOISE
    for layer, key, scope, parameters in table:
        for parameter, (variable, layout) in parameters.items():
            match = re.fullmatch(_pattern(_joined(scope, variable)), name)
            if match and key == component:
                return _filled(f'{layer}.{parameter}', match), layout
    return None


def _filled(text, match):
    return text.replace('{n}', match.groupdict().get('n') or '')


def _joined(scope, variable):
    return f'{scope}/{variable}' if scope else variable


def _pattern(text):
    """Return the regular expression of a name in which {n} stands for the same number everywhere."""
    first, *rest = (re.escape(part) for part in text.split('{n}'))
    return first if not rest else first + r'(?P<n>[1-9]\d*|0)' + '(?P=n)'.join(rest)
