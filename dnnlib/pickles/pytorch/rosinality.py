"""Checkpoints of rosinality's StyleGAN2 for PyTorch, as StyleGAN2-ADA's TensorFlow networks.

A checkpoint is a dictionary with the state dicts `g_ema`, `g` and `d`, or the state dict of one generator.
No settings of the networks are stored: they follow from the shapes.
"""

import functools
import re

import numpy as np

from dnnlib.pickles.arrays import DAMAGE, reason, shown
from dnnlib.pickles.pytorch import rosinality_names as names
from dnnlib.pickles.pytorch import states
from dnnlib.pickles.stored_network import StoredNetwork
from dnnlib.util import UserError

NUM_LATENTS = 4096      # To find the mean dlatent.
MAX_DOUBLINGS = 9       # Of the resolution, from 4 to 2048.
MAX_FMAPS = 1 << 12
MAX_MAPPING_LAYERS = 100
_WHO = {True: "rosinality's generator", False: "rosinality's discriminator"}


def is_checkpoint(found) -> bool:
    """Return whether an object, inert data, holds state dicts of these networks."""
    return bool(_state_dicts(found))


def networks(found):
    """Return (G, D, Gs) as stand-ins, or one network if a checkpoint lacks G or D.

    found: dictionaries of arrays, as they are stored. The states are found when somebody asks for them, and
    raise UserError for networks of another structure.
    """
    states = _state_dicts(found)
    average = found.get('latent_avg') if 'input.input' not in _plain_names(found) else None
    D = _Converted(_discriminator, states.get('d'))
    if len(states) == 1 and 'd' in states:
        return D
    G, Gs = (_Converted(_generator, name, states.get(key) or states[other], average)
             for name, key, other in (('G', 'g', 'g_ema'), ('Gs', 'g_ema', 'g')))
    return (G, D, Gs) if 'd' in states else Gs


class _Converted(StoredNetwork):
    """A network that `function(*arguments)` converts: -> its state, and notes."""

    writer = "rosinality's stylegan2-pytorch"

    def __init__(self, function, *arguments):
        self._function, self._arguments = function, arguments

    @functools.cached_property
    def _converted(self):
        try:
            with np.errstate(all='ignore'):  # A file may hold anything.
                return self._function(*self._arguments)
        except DAMAGE as error:
            raise UserError(f'a damaged checkpoint ({reason(error)}); copy or download it again') from error

    @property
    def state(self):
        return self._converted[0]

    @property
    def notes(self):
        return tuple(self._converted[1])


def _state_dicts(found):
    """Return {'g', 'd', 'g_ema': {name: array}} of those that there are; a generator alone is 'g_ema'."""
    if not isinstance(found, dict):
        return {}
    kinds = {'g': 'input.input', 'g_ema': 'input.input', 'd': 'final_linear.0.weight'}
    plain = {key: _plain_names(found.get(key)) for key in kinds}
    states = {key: plain[key] for key, name in kinds.items() if name in plain[key]}
    alone = _plain_names(found)
    return states or ({'g_ema': alone} if {'input.input', 'conv1.conv.weight'} <= set(alone) else {})


def _plain_names(state):
    """Return a state dict without the prefix `module.` of networks that trained on several GPUs."""
    if not isinstance(state, dict):
        return {}
    return {key.removeprefix('module.'): value for key, value in state.items() if isinstance(key, str)}


def _generator(name, state, average):
    arrays = _Arrays(state, is_generator=True)
    kwargs = _generator_kwargs(arrays)
    variables, notes = {'': [], 'mapping': [], 'synthesis': []}, []
    drawn = np.random.RandomState(0)
    for parameter in names.generator(kwargs):
        if parameter.component == 'synthesis' and parameter.name.startswith('noises.'):
            value = arrays.take(parameter, default=lambda shape: drawn.randn(*shape).astype(np.float32))
        else:
            value = arrays.take(parameter)
        variables[parameter.component].append((parameter.variable, parameter.layout.to_tensorflow(value)))
    if arrays.num_defaults:
        notes.append('the file has no noise images: those with randomize_noise=False are drawn')
    average = _latent_avg(average, kwargs, variables['mapping'], notes)
    arrays.check_rest(kwargs['resolution'])
    variables[''].append(('dlatent_avg', average))
    return states.generator(name, kwargs, variables), notes


def _discriminator(state):
    arrays = _Arrays(state, is_generator=False)
    kwargs = _discriminator_kwargs(arrays)
    variables = [(parameter.variable, parameter.layout.to_tensorflow(arrays.take(parameter)))
                 for parameter in names.discriminator(kwargs)]
    arrays.check_rest(kwargs['resolution'])
    kwargs |= {'architecture': 'resnet', 'mbstd_group_size': 4, 'mbstd_num_features': 1}
    return states.discriminator('D', kwargs, variables), []


class _Arrays:
    """The arrays of a state dict, which are taken one by one."""

    def __init__(self, state, is_generator):
        self._who, self._is_generator = _WHO[is_generator], is_generator
        self._left = {}  # {key: (name, array)}
        self.num_defaults = 0
        for name, value in state.items():
            array = getattr(value, 'numpy', value)
            if not isinstance(array, np.ndarray) or not np.issubdtype(array.dtype, np.floating):
                raise UserError(f'{self._who}: {shown(name)} should be an array of floats')
            self._left[self._key(name)] = name, array
        if len(self._left) < len(state):
            raise UserError(f'{self._who}: there are parameters of the same name')

    def _key(self, name):
        """Return what identifies a parameter: forks number the modules of a layer of D in their own ways."""
        if self._is_generator or name.startswith('final_linear.'):
            return name
        return re.sub(r'\.\d+\.(weight|bias)$', r'.\1', name)

    def count(self, pattern):
        """Return how many parameters have a name of this pattern."""
        return sum(re.fullmatch(pattern, key) is not None for key in self._left)

    def size(self, name, axis):
        """Return the size of a parameter along one of its last axes."""
        shape = self._found(name)[1].shape
        if len(shape) < -axis or not 1 <= shape[axis] <= MAX_FMAPS:
            raise UserError(f'{self._who}: {name} is {list(shape)}, which is not expected')
        return shape[axis]

    def take(self, parameter, default=None):
        """Return the array of a parameter in its shape, float32, or what `default` returns for the shape."""
        if default is not None and self._key(parameter.name) not in self._left:
            self.num_defaults += 1
            return default(parameter.shape)
        name, array = self._found(parameter.name)
        if _without_ones(array.shape) != _without_ones(parameter.shape):
            raise UserError(f'{self._who}: {name} is {list(array.shape)}; expected {list(parameter.shape)}')
        del self._left[self._key(name)]
        return np.asarray(array, np.float32).reshape(parameter.shape)

    def _found(self, name):
        if self._key(name) not in self._left:
            raise UserError(f'{self._who}: there is no {name}')
        return self._left[self._key(name)]

    def check_rest(self, resolution):
        """Raise UserError if anything is left but filters [1,3,3,1]."""
        known = names.filters(self._is_generator, resolution)
        for name, array in self._left.values():
            if not name.endswith('.kernel'):
                raise UserError(f'{self._who}: {shown(name)} is not a parameter of StyleGAN2')
            expected = names.FILTER * known.get(name, array.sum())
            if array.shape != (4, 4) or not np.allclose(array, expected, atol=1e-3):
                raise UserError(f'{self._who}: {shown(name)} is not the filter [1, 3, 3, 1]')


def _without_ones(shape):
    return [size for size in shape if size != 1]


def _generator_kwargs(arrays):
    depth = arrays.count(r'style\.\d+\.weight')
    if not 1 <= depth <= MAX_MAPPING_LAYERS:
        raise UserError(f"rosinality's generator: {depth} mapping layers; expected 1 to {MAX_MAPPING_LAYERS}")
    last = f'style.{depth}.weight'
    resolution = _resolution(arrays.count(r'to_rgbs\.\d+\.bias'), is_generator=True)
    fmaps = {4: arrays.size('conv1.conv.weight', -4)}
    for idx, res in enumerate(names.levels(resolution)):
        fmaps[res] = arrays.size(f'convs.{2 * idx}.conv.weight', -4)
    base, limit = _fmap_limits(fmaps, is_generator=True)
    return {'latent_size': arrays.size('style.1.weight', -1), 'dlatent_size': arrays.size(last, -2),
            'resolution': resolution, 'num_channels': arrays.size('to_rgb1.conv.weight', -4),
            'mapping_layers': depth, 'mapping_fmaps': arrays.size('style.1.weight', -2),
            'fmap_base': base, 'fmap_max': limit, 'architecture': 'skip'}


def _discriminator_kwargs(arrays):
    resolution = _resolution(arrays.count(r'convs\.\d+\.conv1\.weight'), is_generator=False)
    fmaps = {resolution: arrays.size('convs.0.0.weight', -4)}
    for idx, res in enumerate(reversed(names.levels(resolution)), 1):
        fmaps[res // 2] = arrays.size(f'convs.{idx}.conv2.1.weight', -4)
    base, limit = _fmap_limits(fmaps, is_generator=False)
    return {'resolution': resolution, 'num_channels': arrays.size('convs.0.0.weight', -3),
            'fmap_base': base, 'fmap_max': limit}


def _resolution(num_doublings, is_generator):
    if not 1 <= num_doublings <= MAX_DOUBLINGS:
        raise UserError(f'{_WHO[is_generator]}: {num_doublings} doublings of the resolution 4; expected 1 to '
                        f'{MAX_DOUBLINGS}')
    return 4 << num_doublings


def _fmap_limits(fmaps, is_generator):
    """Return the smallest fmap_base and fmap_max that give {resolution: feature maps}."""
    base, limit = max(count * res // 2 for res, count in fmaps.items()), max(fmaps.values())
    found = {res: names.channels({'fmap_base': base, 'fmap_max': limit}, res) for res in fmaps}
    if found != fmaps:
        counts = ', '.join(f'{fmaps[res]} at {res}x{res}' for res in sorted(fmaps))
        raise UserError(f'{_WHO[is_generator]}: the feature maps ({counts}) are not min(fmap_base * 2 / '
                        'resolution, fmap_max) for any fmap_base and fmap_max; such networks cannot be read')
    return base, limit


def _latent_avg(average, kwargs, variables, notes):
    """Return the mean dlatent [dlatent_size], as stored or as the mean of mapped latents."""
    size = kwargs['dlatent_size']
    if average is None:
        notes.append(f'the file has no latent_avg: dlatent_avg is the mean of {NUM_LATENTS} mapped latents')
        return _mean_dlatent(kwargs, dict(variables))
    array = getattr(average, 'numpy', average)
    if not isinstance(array, np.ndarray) or _without_ones(np.shape(array)) != _without_ones([size]):
        raise UserError(f'latent_avg is {list(np.shape(array))}; expected [{size}], as of the generator')
    return np.asarray(array, np.float32).reshape(size)


def _mean_dlatent(kwargs, variables):
    """Map latents with the mapping network, whose learning rate is 0.01, and return the mean dlatent."""
    x = np.random.RandomState(0).randn(NUM_LATENTS, kwargs['latent_size']).astype(np.float32)  # [N,size]
    x /= np.sqrt(np.mean(np.square(x), axis=1, keepdims=True) + 1e-8)
    for idx in range(kwargs['mapping_layers']):
        weight, bias = variables[f'Dense{idx}/weight'], variables[f'Dense{idx}/bias']
        x = x @ (weight * np.float32(0.01 / np.sqrt(len(weight)))) + bias * np.float32(0.01)
        x = np.where(x < 0, x * np.float32(0.2), x) * np.float32(np.sqrt(2))
    return x.mean(axis=0)
