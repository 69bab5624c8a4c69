"""Gains and factors of layers in PyTorch code, which TensorFlow's networks compute from names and shapes."""

import math

from dnnlib.pickles.arrays import shown
from dnnlib.pickles.pytorch.module_tree import GENERATOR, ModuleTree

_WITH_GAIN = ('relu', 'lrelu', 'swish')  # sqrt(2), all others 1
_RTOL = 1e-5
_FACTORS = {  # {is it a generator: [(pattern of layers, attribute, value)]}
    True: [(r'synthesis\.b\d+\.(conv0|skip)', 'up', 2), (r'synthesis\.b\d+\.conv1', 'up', 1)],
    False: [(r'b\d+\.(conv1|skip)', 'down', 2), (r'b\d+\.(fromrgb|conv|conv0)', 'down', 1),
            (r'b\d+\.(fromrgb|conv[01]?|skip)', 'up', 1)]}


def check(net: ModuleTree) -> None:
    """Raise UserError for a layer that has other gains than follow from its activation and its weights, or
    that resamples by another factor."""
    for pattern, name, value in _FACTORS[net.kind == GENERATOR]:
        net.require(pattern, name, value)
    for path in net.paths('.*'):
        activation = net.attribute(path, 'activation', 'linear')
        _check(net, path, 'act_gain', math.sqrt(2) if activation in _WITH_GAIN else 1)
        weight = net.arrays.get(f'{path}.weight')
        if weight is not None:
            rate = net.attribute(path, 'bias_gain', 1)  # Learning rate of the layer, relative to others.
            _check(net, path, 'weight_gain', rate / math.sqrt(max(math.prod(weight.shape[1:]), 1)))


def _check(net, path, name, expected):
    found = net.attribute(path, name, expected)
    if type(found) not in (int, float) or not math.isclose(found, expected, rel_tol=_RTOL):
        raise net.refusal(f"{path} has {name}={shown(found)}; TensorFlow's networks have {expected:.6g}")
