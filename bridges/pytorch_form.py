"""Networks as stylegan2-ada-pytorch has them: class, arguments and tensors, from a blueprint.

Only networks that this code can compute are converted: StyleGAN2's configs E and F without labels, and
StyleGAN2-ADA's without comparison methods. All tensors are checked against the arguments, so that
`load_state_dict` takes them as they are.
"""

import math
import numbers
from dataclasses import dataclass

import numpy as np

from bridges import pytorch_shapes
from dnnlib.pickles import inspection, origin, tensor_files
from dnnlib.pickles.arrays import shown
from dnnlib.pickles.pytorch import names
from dnnlib.pickles.stored_state import LIMITS
from dnnlib.util import UserError

_MODULES = {origin.STYLEGAN2: 'training.networks_stylegan2', origin.ADA: 'training.networks_stylegan2_ada'}
GENERATORS = tuple(f'{module}.G_main' for module in _MODULES.values())
DISCRIMINATORS = ('training.networks_stylegan2.D_stylegan2', 'training.networks_stylegan2_ada.D_main')

_COMMON = dict(label_size=0, resolution=1024, num_channels=3, fmap_base=16384, fmap_max=512, num_fp16_res=0,
               conv_clamp=None, resample_kernel=[1, 3, 3, 1], nonlinearity='lrelu', mapping_fmaps=None)
_G_DEFAULTS = dict(_COMMON, architecture='skip', latent_size=512, dlatent_size=512, dlatent_avg_beta=0.995,
                   mapping_layers=8, mapping_lrmul=0.01, mapping_nonlinearity='lrelu', label_fmaps=None,
                   use_noise=True)
_D_DEFAULTS = dict(_COMMON, architecture='resnet', mapping_layers=0, mapping_lrmul=0.1, mbstd_group_size=None,
                   mbstd_num_features=1, freeze_layers=0)
# Defaults that differ in StyleGAN2, and arguments that its functions ignore.
_STYLEGAN2_DEFAULTS = dict(mapping_fmaps=512, mbstd_group_size=4)
_STYLEGAN2_IGNORES = ('label_fmaps', 'use_noise', 'freeze_layers')

# {argument: the only values that PyTorch's networks stand for}
_FIXED = dict(base_shape=[None, [4, 4]], dtype=['float32'], normalize_latents=[True], is_training=[False],
              is_validation=[False], return_dlatents=[False], use_pagan=[False], score_size=[1],
              score_max=[1], use_spectral_norm=[False], adaptive_dropout=[0],
              half_dtype=['float16', 'bfloat16'])
_PARTS = dict(mapping=['G_mapping'], synthesis=['G_synthesis', 'G_synthesis_stylegan2'])
_COUNTS = ('latent_size', 'dlatent_size', 'resolution', 'num_channels', 'mapping_layers', 'label_size',
           'fmap_max', 'num_fp16_res', 'mbstd_num_features', 'freeze_layers')
_OPTIONAL_COUNTS = ('mapping_fmaps', 'label_fmaps', 'mbstd_group_size')
_MAX_COUNT = 1 << 20
_CHOICES = dict(architecture=('orig', 'skip', 'resnet'), nonlinearity=pytorch_shapes.ACTIVATIONS,
                mapping_nonlinearity=pytorch_shapes.ACTIVATIONS)
_MAX_TAPS = 32
_RESOLUTIONS = [2 ** i for i in range(3, LIMITS['resolution'].bit_length())]


@dataclass(frozen=True)
class Converted:
    """A network in PyTorch."""
    class_name: str    # In the module training.networks.
    init_kwargs: dict  # All that matters, even where it is the default there.
    tensors: dict      # {name in its state dict: array}


def converted(network: inspection.Blueprint) -> Converted:
    """Convert a network. Raises UserError, which says why, for one that PyTorch's code cannot be."""
    who = f'network {shown(network.state["name"])}'
    if network.func not in GENERATORS + DISCRIMINATORS:
        raise UserError(f'{who}: {_why_not(network)}; stylegan2-ada-pytorch has networks of StyleGAN2 '
                        '(configs E and F) and StyleGAN2-ADA only')
    is_generator = network.func in GENERATORS
    kwargs = _arguments(network, who, is_generator)
    init = _generator_init(kwargs) if is_generator else _discriminator_init(kwargs)
    shapes = pytorch_shapes.generator(init) if is_generator else pytorch_shapes.discriminator(init)
    tensors = _tensors(network, who, names.GENERATOR if is_generator else names.DISCRIMINATOR, shapes)
    filters = pytorch_shapes.filters(init, shapes)
    return Converted('Generator' if is_generator else 'Discriminator', init, {**tensors, **filters})


def _why_not(network):
    if network.problem is not None or network.func is None:
        return 'its structure is unknown'
    if network.code not in _MODULES:
        return f'a network of {network.code}' if network.code else f'a network of {network.func}'
    return f'{network.func.rpartition(".")[2]} is not a generator or discriminator of configs E and F'


def _arguments(network, who, is_generator):
    """Return the arguments of the build function with its defaults, as it sees them."""
    given = {}
    for key, part in network.components.items():
        if part.func is None or part.func.rpartition('.')[2] not in _PARTS[key]:
            func = shown(part.state['build_func_name'])[1:-1]
            raise UserError(f'{who}: its {key} network is {func}, which stylegan2-ada-pytorch does not have')
        given |= part.kwargs
    given |= network.kwargs  # What the whole is given counts for its parts.
    for name, allowed in _FIXED.items():
        value = given.get(name, allowed[0])
        value = list(value) if isinstance(value, tuple) else value
        if isinstance(value, np.ndarray) or value not in allowed:
            raise UserError(f'{who}: {name}={shown(value)}, which stylegan2-ada-pytorch does not have')
    defaults = dict(_G_DEFAULTS if is_generator else _D_DEFAULTS)
    if network.code == origin.STYLEGAN2:
        defaults |= {name: value for name, value in _STYLEGAN2_DEFAULTS.items() if name in defaults}
        given = {name: value for name, value in given.items() if name not in _STYLEGAN2_IGNORES}
    kwargs = {name: given.get(name, value) for name, value in defaults.items()}
    if given.get('half_dtype') == 'bfloat16':  # Layers compute in float32 or float16 there.
        kwargs['num_fp16_res'] = 0
    _check(kwargs, who)
    if network.code == origin.STYLEGAN2:
        _adapt_to_stylegan2(kwargs, who)
    return kwargs


def _adapt_to_stylegan2(kwargs, who):
    if kwargs['label_size']:
        raise UserError(f'{who}: label_size={kwargs["label_size"]}; StyleGAN2 uses labels in another way '
                        'than stylegan2-ada-pytorch')
    if kwargs.get('mbstd_group_size', 2) in (None, 0, 1):
        kwargs['mbstd_num_features'] = 0  # There, a group of one means no such layer.


def _check(kwargs, who):
    """Turn whole numbers into int and taps into lists. Raises UserError for values that no network has."""
    kwargs |= {name: value.item() for name, value in kwargs.items() if isinstance(value, np.generic)}
    sound = {name: _is_count(kwargs[name]) for name in _COUNTS if name in kwargs}
    sound |= {name: kwargs[name] is None or _is_count(kwargs[name])
              for name in _OPTIONAL_COUNTS if name in kwargs}
    sound |= {name: _is_number(kwargs[name]) for name in ('fmap_base', 'mapping_lrmul')}
    sound |= {name: kwargs[name] is None or _is_number(kwargs[name])
              for name in ('conv_clamp', 'dlatent_avg_beta') if name in kwargs}
    sound |= {name: isinstance(kwargs[name], str) and kwargs[name] in values
              for name, values in _CHOICES.items() if name in kwargs}
    sound['use_noise'] = isinstance(kwargs.get('use_noise', True), bool)
    sound['resolution'] = sound['resolution'] and kwargs['resolution'] in _RESOLUTIONS
    sound['mapping_layers'] = sound['mapping_layers'] and kwargs['mapping_layers'] <= LIMITS['mapping_layers']
    taps = _taps(kwargs['resample_kernel'])
    sound['resample_kernel'] = taps is not None
    for name, is_sound in sound.items():
        if not is_sound:
            raise UserError(f'{who}: {name}={shown(kwargs[name])} is not possible in stylegan2-ada-pytorch')
    kwargs |= {name: int(kwargs[name]) for name in (*_COUNTS, *_OPTIONAL_COUNTS)
               if kwargs.get(name) is not None}
    kwargs['resample_kernel'] = taps


def _is_number(value):
    return isinstance(value, numbers.Real) and math.isfinite(value)


def _is_count(value):
    return _is_number(value) and 0 <= value <= _MAX_COUNT and value == int(value)


def _taps(kernel):
    """Return the taps of a filter as numbers; None unless it is a vector of them."""
    taps = [1, 1] if kernel is None else kernel.tolist() if isinstance(kernel, np.ndarray) else kernel
    is_vector = isinstance(taps, (list, tuple)) and 1 < len(taps) <= _MAX_TAPS and all(map(_is_number, taps))
    return np.asarray(taps).tolist() if is_vector and sum(taps) != 0 else None


def _generator_init(kwargs):
    labels = kwargs['label_size']
    return dict(
        z_dim=kwargs['latent_size'], c_dim=labels, w_dim=kwargs['dlatent_size'],
        img_resolution=kwargs['resolution'], img_channels=kwargs['num_channels'],
        mapping_kwargs=dict(
            num_layers=kwargs['mapping_layers'],
            embed_features=(kwargs['label_fmaps'] or kwargs['latent_size']) if labels else None,
            layer_features=kwargs['mapping_fmaps'] or kwargs['dlatent_size'],
            activation=kwargs['mapping_nonlinearity'], lr_multiplier=kwargs['mapping_lrmul'],
            w_avg_beta=1 if kwargs['dlatent_avg_beta'] is None else kwargs['dlatent_avg_beta']),
        synthesis_kwargs=dict(
            channel_base=int(2 * kwargs['fmap_base']), channel_max=kwargs['fmap_max'],
            num_fp16_res=kwargs['num_fp16_res'], conv_clamp=kwargs['conv_clamp'],
            architecture=kwargs['architecture'], resample_filter=kwargs['resample_kernel'],
            use_noise=kwargs['use_noise'], activation=kwargs['nonlinearity']))


def _discriminator_init(kwargs):
    labels, activation = kwargs['label_size'], kwargs['nonlinearity']
    width = (kwargs['mapping_fmaps'] or min(int(kwargs['fmap_base']), kwargs['fmap_max'])) if labels else None
    return dict(
        c_dim=labels, img_resolution=kwargs['resolution'], img_channels=kwargs['num_channels'],
        architecture=kwargs['architecture'], channel_base=int(2 * kwargs['fmap_base']),
        channel_max=kwargs['fmap_max'], num_fp16_res=kwargs['num_fp16_res'], conv_clamp=kwargs['conv_clamp'],
        cmap_dim=width,
        block_kwargs=dict(activation=activation, resample_filter=kwargs['resample_kernel'],
                          freeze_layers=kwargs['freeze_layers']),
        mapping_kwargs=dict(num_layers=kwargs['mapping_layers'], embed_features=width, layer_features=width,
                            activation=activation, lr_multiplier=kwargs['mapping_lrmul']),
        epilogue_kwargs=dict(mbstd_group_size=kwargs['mbstd_group_size'],
                             mbstd_num_channels=kwargs['mbstd_num_features'], activation=activation))


def _tensors(network, who, table, shapes):
    """Return {name in PyTorch: array} of all variables, which must be those of `shapes`, or UserError."""
    tensors = {}
    for key, part in {'': network, **network.components}.items():
        for variable, value in part.state['variables']:
            if (key, variable) == ('', 'lod'):  # Has no effect in configs E and F.
                continue
            found = names.to_pytorch(key, variable, table)
            if found is None or found[0] not in shapes:
                raise UserError(f'{who}: stylegan2-ada-pytorch has no variable {shown(variable)}')
            name, layout = found
            tensors[name] = _tensor(value, layout, shapes[name], f'{who}: the variable {shown(variable)}')
    missing = sorted(set(shapes) - set(tensors))
    if missing:
        raise UserError(f'{who}: there is no variable for {", ".join(missing[:3])}, which '
                        'stylegan2-ada-pytorch has with these arguments')
    return {name: tensors[name] for name in shapes}


def _tensor(value, layout, shape, what):
    stored = array = np.asarray(value if isinstance(value, tensor_files.NUMBERS) else str(value))
    fits = stored.dtype.kind in 'biuf'
    try:
        array = layout.to_pytorch(stored.astype(np.float32)) if fits else stored
    except (IndexError, ValueError):  # As many axes as the layout expects?
        fits = False
    if not fits or list(array.shape) != shape:
        raise UserError(f'{what} is stored as {stored.dtype} {list(stored.shape)}; stylegan2-ada-pytorch '
                        f'expects {shape} with these arguments')
    return np.array(array, order='C')
