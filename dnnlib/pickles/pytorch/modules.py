"""Networks of stylegan2-ada-pytorch and stylegan3 as StyleGAN2-ADA's TensorFlow networks."""

import functools

from dnnlib.pickles import arrays
from dnnlib.pickles.pytorch import gains, module_kwargs, module_tree, names, shapes, states
from dnnlib.pickles.pytorch.module_tree import DISCRIMINATOR, GENERATOR, ModuleTree
from dnnlib.pickles.pytorch.streams import StoredModule
from dnnlib.pickles.stored_network import StoredNetwork
from dnnlib.util import UserError

KEYS = {'G': 'G', 'D': 'D', 'G_ema': 'Gs'}  # {key in a file: name in TensorFlow}
ADA_PYTORCH, STYLEGAN3 = 'stylegan2-ada-pytorch', 'stylegan3'


def is_file(found) -> bool:
    """Return whether an object holds modules: one of them, or a dictionary as training writes it."""
    return isinstance(found, StoredModule) or (
        isinstance(found, dict) and any(isinstance(found.get(key), StoredModule) for key in KEYS))


def networks(found):
    """Return (G, D, Gs), or the one network that the file holds, as stand-ins.

    Their states are found when somebody asks for them, and raise UserError for what TensorFlow's networks
    cannot express. Without an average of G's weights, Gs is G; without D, the average or else G is returned.
    """
    if isinstance(found, StoredModule):
        return _Converted(found, str(found.class_name), 'D' if found.class_name == DISCRIMINATOR else 'Gs')
    modules = {key: found[key] for key in KEYS if isinstance(found.get(key), StoredModule)}
    alone = [key for key in ('G_ema', 'G', 'D') if key in modules][0]
    if not ('D' in modules and ('G' in modules or 'G_ema' in modules)):
        return _Converted(modules[alone], alone, KEYS[alone])
    keys = {'G': 'G' if 'G' in modules else 'G_ema', 'D': 'D', 'Gs': alone}
    return tuple(_Converted(modules[key], key, name) for name, key in keys.items())


class _Converted(StoredNetwork):
    """A module as a network in TensorFlow, of this name."""

    def __init__(self, module, who, name):
        self._module, self._who, self._name = module, who, name

    @functools.cached_property
    def _tree(self):
        return ModuleTree(self._module, self._who)

    @property
    def writer(self):
        return STYLEGAN3 if self._tree.is_stylegan3 else ADA_PYTORCH

    @functools.cached_property
    def state(self):
        try:
            return _state(self._tree, self._name)
        except arrays.DAMAGE as error:
            raise UserError(f'network {arrays.shown(self._who)} of PyTorch is damaged '
                            f'({arrays.reason(error)}); copy or download it again') from error


def _state(net, name):
    """Return the state of a network."""
    is_generator = net.kind == GENERATOR
    if is_generator != (name != 'D'):
        raise net.refusal(f'it is a {net.kind}; expected a {DISCRIMINATOR if is_generator else GENERATOR}')
    kwargs = module_kwargs.generator(net) if is_generator else module_kwargs.discriminator(net)
    expected = shapes.generator(kwargs) if is_generator else shapes.discriminator(kwargs)
    _check_shapes(net, expected)
    gains.check(net)
    variables = {'': [], 'mapping': [], 'synthesis': []}
    for parameter in expected:
        component, variable, layout = names.to_tensorflow(parameter, module_tree.TABLES[net.kind])
        variables[component].append((variable, layout.to_tensorflow(net.arrays[parameter])))
    kwargs = module_kwargs.stated(kwargs)
    if is_generator:
        return states.generator(name, kwargs, variables)
    return states.discriminator(name, kwargs, variables[''])


def _check_shapes(net, expected):
    for name, shape in expected.items():
        if name not in net.arrays:
            raise net.refusal(f'it has no {name}, which networks with its arguments have')
        if net.arrays[name].shape != shape:
            raise net.refusal(f'{name} has the shape {list(net.arrays[name].shape)}; expected {list(shape)}')
    unknown = [name for name in net.arrays if name not in expected]
    if unknown:
        raise net.refusal(f"TensorFlow's StyleGAN2-ADA with its arguments has no {arrays.shown(unknown[0])}")
