"""The modules of one network in a file of PyTorch code, by their paths. Only known ones are taken."""

import re

import numpy as np

from dnnlib.pickles.arrays import StoredArray, shown
from dnnlib.pickles.pytorch import names
from dnnlib.pickles.pytorch.streams import MAX_NAME, StoredModule
from dnnlib.util import UserError

MAX_MODULES = 400  # Those of 16384x16384 pixels are fewer.
GENERATOR, DISCRIMINATOR = 'Generator', 'Discriminator'
TABLES = {GENERATOR: names.GENERATOR, DISCRIMINATOR: names.DISCRIMINATOR}

_CLASSES = {  # {class of the network: {pattern of the path: class}}
    GENERATOR: {
        'mapping': 'MappingNetwork',
        r'mapping\.(embed|fc\d+)': 'FullyConnectedLayer',
        'synthesis': 'SynthesisNetwork',
        r'synthesis\.b\d+': 'SynthesisBlock',
        r'synthesis\.b\d+\.conv[01]': 'SynthesisLayer',
        r'synthesis\.b\d+\.torgb': 'ToRGBLayer',
        r'synthesis\.b\d+\.skip': 'Conv2dLayer',
        r'synthesis\.b\d+\.(conv[01]|torgb)\.affine': 'FullyConnectedLayer'},
    DISCRIMINATOR: {
        'mapping': 'MappingNetwork',
        r'mapping\.(embed|fc\d+)': 'FullyConnectedLayer',
        'b4': 'DiscriminatorEpilogue',
        r'b4\.(fromrgb|conv)': 'Conv2dLayer',
        r'b4\.mbstd': 'MinibatchStdLayer',
        r'b4\.(fc|out)': 'FullyConnectedLayer',
        r'b\d+': 'DiscriminatorBlock',
        r'b\d+\.(fromrgb|conv[01]|skip)': 'Conv2dLayer'},
}
_RESAMPLING = {GENERATOR: r'synthesis\.b\d+(\.conv0|\.skip)?', DISCRIMINATOR: r'b\d+(\.conv1|\.skip)?'}
_ALIAS_FREE = r'(SynthesisInput|.*\bL\d+_\d+_\d+)'  # Class and paths of layers of StyleGAN3's own generator.


def plain(value):
    """Return a scalar of NumPy as a number, and anything else as it is."""
    is_scalar = isinstance(value, StoredArray) and np.ndim(value.numpy) == 0
    return value.numpy.item() if is_scalar else value


class ModuleTree:
    """A network. `who`: its name for messages."""

    def __init__(self, module: StoredModule, who: str):
        self.who, self.kind = who, module.class_name
        self._states = {}     # {path: attributes}
        self.arrays = {}      # {name: array}, parameters and buffers but for constant filters
        self.filters = {}     # {path: filter} of what changes the resolution
        self.is_stylegan3 = False  # Are its layers those of stylegan3? They know the number of inputs.
        self.frozen = set()   # Paths of layers whose weights are no parameters, and so are not trained.
        if self.kind not in _CLASSES:
            raise self.refusal(f'it is of class {shown(self.kind)}; expected {GENERATOR} or {DISCRIMINATOR}')
        self._add(module, path='')

    def refusal(self, text) -> UserError:
        """Return the error that says this of the network."""
        return UserError(f'network {shown(self.who)} of PyTorch: {text}')

    def _add(self, module, path):
        """Add a module and those in it, which cannot be itself: no class is at two depths of known paths."""
        self._check_class(module, path)
        self._states[path] = module.state
        self.is_stylegan3 |= 'in_features' in module.state
        if len(self._states) > MAX_MODULES:
            raise self.refusal(f'it has more than {MAX_MODULES} modules')
        for group in ('_parameters', '_buffers'):
            for name, value in self._items(module, path, group):
                self._add_array(path, name, value, group)
        for name, child in self._items(module, path, '_modules'):
            if not isinstance(child, StoredModule):
                raise self.refusal(f'{shown(name)} in {path or "it"} is no module')
            self._add(child, f'{path}.{name}' if path else name)

    def _items(self, module, path, group):
        """Return the (name, value) of parameters, buffers or modules that there are."""
        items = module.state.get(group)
        if not isinstance(items, dict) or not all(
                isinstance(name, str) and len(name) <= MAX_NAME for name in items):
            raise self.refusal(f'{path or module.class_name} has no {group}; the file is damaged')
        return [(name, value) for name, value in items.items() if value is not None]

    def _check_class(self, module, path):
        if path:
            expected = next((found for pattern, found in _CLASSES[self.kind].items()
                             if re.fullmatch(pattern, path)), None)
            if module.class_name != expected:
                raise self._unknown_layer(module.class_name, path)

    def _unknown_layer(self, class_name, path):
        if re.fullmatch(_ALIAS_FREE, class_name) or re.fullmatch(_ALIAS_FREE, path):
            return self.refusal('a network of StyleGAN3 (alias-free layers), which TensorFlow has no code '
                                'for; expected one of StyleGAN2, as stylegan2-ada-pytorch and '
                                '--cfg=stylegan2 of stylegan3 train it')
        return self.refusal(f'{shown(path)[1:-1]} is of class {shown(class_name)}; StyleGAN2-ADA in '
                            'TensorFlow has no such layer')

    def _add_array(self, path, name, value, group):
        full = f'{path}.{name}' if path else name
        if not isinstance(value, StoredArray) or value.numpy.dtype.kind != 'f':
            raise self.refusal(f'{shown(full)} is no array of floats')
        if names.BUFFERS.fullmatch(full):
            if re.fullmatch(_RESAMPLING[self.kind], path):
                self.filters[path] = value.numpy
            return
        self.arrays[full] = value.numpy
        if name == 'weight' and group == '_buffers':
            self.frozen.add(path)

    def paths(self, pattern) -> list:
        """Return the paths of modules with this pattern."""
        return [path for path in self._states if re.fullmatch(pattern, path)]

    def arguments(self, path: str, names=()) -> dict:
        """Return the arguments that a module was built with. names: those of positional ones."""
        state = self._states.get(path, {})
        args, kwargs = state.get('_init_args', ()), state.get('_init_kwargs', {})
        if not isinstance(args, (tuple, list)) or not isinstance(kwargs, dict):
            raise self.refusal(f'{path or self.kind} has no readable arguments')
        return {**{name: plain(value) for name, value in zip(names, args, strict=False)},
                **{name: plain(value) for name, value in kwargs.items()}}

    def attribute(self, path: str, name: str, default=None):
        """Return an attribute of a module, or what it was built with, or the default."""
        state = self._states.get(path, {})
        return plain(state[name]) if name in state else self.arguments(path).get(name, default)

    def common(self, pattern: str, name: str, default=None):
        """Return the attribute that all modules with this pattern of path share; the default if there are no
        modules."""
        found = {path: self.attribute(path, name, default) for path in self.paths(pattern)}
        first = next(iter(found), None)
        for path, value in found.items():
            if type(value) not in (int, float, str, bool, type(None)) or value != found[first]:
                raise self.refusal(f"{name}={shown(value)} in {path} and {shown(found[first])} in {first}; "
                                   "TensorFlow's networks have one value for all layers")
        return found[first] if found else default

    def require(self, pattern: str, name: str, value) -> None:
        """Raise UserError unless modules with this pattern of path have this value of an attribute."""
        for path in self.paths(pattern):
            found = self.attribute(path, name, value)
            if found != value:
                raise self.refusal(f"{path} has {name}={shown(found)}; TensorFlow's networks have {value}")
