"""The published settings of StyleGAN2-ADA: base configurations, augmentation, comparison methods.

They are arguments of its own training loop, by its own names; `ada_loop` translates them to ours.
"""

import dataclasses
from dataclasses import dataclass

from dnnlib.util import UserError
from training.augmentation import named_pipelines
from training.settings.configs import makes_groups, merged
from training.settings.precision import HALF

MAX_MINIBATCH_GPU = 32  # of `auto`


@dataclass(frozen=True)
class Cfg:
    """A base configuration: a row of the published table."""
    ref_gpus: int       # Devices that it was made for, which process one round each.
    kimg: int           # Length of the training.
    mb: int             # Images per update, on all devices together.
    mbstd: int          # Samples per group of the minibatch standard deviation.
    fmaps: float        # Multiplier of the number of feature maps.
    lrate: float        # Learning rate of G and D.
    gamma: float        # Weight of R1.
    ema: float          # Half-life of Gs in thousands of images.
    ramp: float | None  # Limits that to this share of the images shown so far.
    map: int            # Layers of the mapping network.


_FIXED = {
    'stylegan2':     Cfg(8, 25000, 32, 4, 1, 0.002, 10, 10, None, 8),
    'paper256':      Cfg(8, 25000, 64, 8, 0.5, 0.0025, 1, 20, None, 8),
    'paper512':      Cfg(8, 25000, 64, 8, 1, 0.0025, 0.5, 20, None, 8),
    'paper1024':     Cfg(8, 25000, 32, 4, 1, 0.002, 2, 10, None, 8),
    'cifar':         Cfg(2, 100000, 64, 32, 0.5, 0.0025, 0.01, 500, 0.05, 2),
    'cifarbaseline': Cfg(2, 100000, 64, 32, 0.5, 0.0025, 0.01, 500, 0.05, 8),
}
CFGS = ('auto', *_FIXED)

# Changes that belong to a base configuration beside its row.
_CHANGES = {'cifar': {'loss_args': {'pl_weight': 0}, 'G_args': {'style_mixing_prob': None},
                      'D_args': {'architecture': 'orig'}}}

AUGS = ('noaug', 'ada', 'fixed', 'adarv')
TARGETS = {'ada': 0.6, 'adarv': 0.5}  # tune_target
_HEURISTICS = {'ada': 'rt', 'adarv': 'rv'}
DEFAULT_PIPELINE = 'bgc'
TUNE_KIMG = 500       # The default of AdaptiveAugment: p rises from 0 to 1 in no less.
TUNE_KIMG_RESUMED = 100

_FLOAT32 = {'num_fp16_res': 0, 'conv_clamp': None}
_PIPELINE = 'training.augment.augment_pipeline'
_CMETHODS_LOSS = 'training.loss.cmethods'

# Changes of a comparison method. Those in REPLACED take the place of a whole group.
_METHODS = {
    'nocmethod': {},
    'bcr': {'loss_args': {
        'func_name': _CMETHODS_LOSS, 'bcr_real_weight': 10, 'bcr_fake_weight': 10,
        'bcr_augment': {'func_name': _PIPELINE, 'xint': 1, 'xint_max': 1 / 32}}},
    'zcr': {'loss_args': {'func_name': _CMETHODS_LOSS, 'zcr_gen_weight': 0.02, 'zcr_dis_weight': 0.2},
            'G_args': _FLOAT32, 'D_args': _FLOAT32},
    'pagan': {'D_args': {'use_pagan': True},
              'augment_args': {'tune_heuristic': 'rt', 'tune_target': 0.95}},
    'wgangp': {'G_args': _FLOAT32, 'D_args': _FLOAT32, 'G_opt_args': {'learning_rate': 0.001},
               'D_opt_args': {'learning_rate': 0.001}, 'lazy_regularization': False},
    'auxrot': {'loss_args': {'func_name': _CMETHODS_LOSS, 'auxrot_alpha': 10, 'auxrot_beta': 5},
               'D_args': {'score_max': 5}},
    'spectralnorm': {'D_args': {'use_spectral_norm': True}},
    'shallowmap': {'G_args': {'mapping_layers': 2}},
    'adropout': {'D_args': {'adaptive_dropout': 1},
                 'augment_args': {'tune_heuristic': 'rt', 'tune_target': 0.6}},
}
_REPLACED = {'wgangp': {'loss_args': {'func_name': 'training.loss.wgangp'}}}
CMETHODS = tuple(_METHODS)


def cfg_named(name, gpus, resolution, mb=None):
    """Return the Cfg of a name for a number of devices and a resolution.

    mb: images per update in place of the configuration's; `auto` derives the weight of R1 and the half-life
    of Gs from it.
    """
    if name != 'auto':
        return _FIXED[name] if mb is None else dataclasses.replace(_FIXED[name], mb=mb)
    if mb is None:
        mb = max(min(gpus * min(4096 // resolution, MAX_MINIBATCH_GPU), 64), gpus)
    return Cfg(
        ref_gpus=gpus, kimg=25000, mb=mb, mbstd=min(mb // gpus, 4), fmaps=1 if resolution >= 512 else 0.5,
        lrate=0.002 if resolution >= 1024 else 0.0025, gamma=0.0002 * resolution ** 2 / mb, ema=mb * 10 / 32,
        ramp=0.05, map=2)


def minibatch_gpu(name, gpus, resolution, batch=None):
    """Return how many images a device processes at a time: the published number.

    With another minibatch it is the largest one up to that, so that devices share the minibatch evenly and
    whole groups are made. Raises UserError if they cannot share it.
    """
    cfg = cfg_named(name, gpus, resolution)
    most = max(cfg.mb // cfg.ref_gpus, 1)
    if batch is None:
        return most
    share, rest = divmod(batch, gpus)
    if rest or not share:
        raise UserError(f'--batch={batch} cannot be shared evenly by {gpus} devices; expected a multiple of '
                        f'{gpus}')
    group = min(share, cfg.mbstd)
    return max(n for n in range(1, min(share, most) + 1) if share % n == 0 and makes_groups(n, group))


def cfg_options(name, cfg, minibatch_gpu):
    """Return the options of a base configuration, except those of its augmentation."""
    fmaps = {'fmap_base': int(cfg.fmaps * 16384), 'fmap_max': 512}
    adam = {'beta1': 0.0, 'beta2': 0.99, 'learning_rate': cfg.lrate}
    return merged({
        'G_args': {'func_name': 'training.networks.G_main', **fmaps, 'mapping_layers': cfg.map, **HALF},
        'D_args': {'func_name': 'training.networks.D_main', 'mbstd_group_size': cfg.mbstd, **fmaps, **HALF},
        'G_opt_args': dict(adam),
        'D_opt_args': dict(adam),
        'loss_args': {'func_name': 'training.loss.stylegan2', 'r1_gamma': cfg.gamma},
        'total_kimg': cfg.kimg,
        'minibatch_size': cfg.mb,
        'minibatch_gpu': minibatch_gpu,
        'G_smoothing_kimg': cfg.ema,
        'G_smoothing_rampup': cfg.ramp,
    }, _CHANGES.get(name, {}))


def augment_options(aug, p=None, target=None, augpipe=None):
    """Return the controller of the augmentation (class_name) and its arguments. None = the default."""
    args = {'class_name': 'training.augment.AdaptiveAugment'}
    if aug in TARGETS:
        args |= {'tune_heuristic': _HEURISTICS[aug],
                 'tune_target': TARGETS[aug] if target is None else target}
    elif aug == 'fixed':
        args['initial_strength'] = p
    if aug != 'noaug':
        args |= {'apply_func': _PIPELINE,
                 'apply_args': named_pipelines.multipliers(augpipe or DEFAULT_PIPELINE)}
    return args


def with_cmethod(options, name):
    """Return options with the changes of a comparison method."""
    return merged(options, _METHODS[name]) | _REPLACED.get(name, {})


def architecture_of_D(name):
    """Return the architecture of the discriminator of a base configuration."""
    return _CHANGES.get(name, {}).get('D_args', {}).get('architecture', 'resnet')


def with_capacity(D_args, factor):
    """Return arguments of D, which contain fmap_base and fmap_max, with its capacity multiplied."""
    return {**D_args, **{key: max(int(D_args[key] * factor), 1) for key in ('fmap_base', 'fmap_max')}}


def aug_of(augment_args):
    """Return the value of --aug that gives these arguments."""
    if 'apply_func' not in augment_args:
        return 'noaug'
    heuristics = {heuristic: aug for aug, heuristic in _HEURISTICS.items()}
    return heuristics.get(augment_args.get('tune_heuristic'), 'fixed')


def pipeline_of(augment_args):
    """Return the name of the pipeline that gives these arguments; None for another one or none."""
    switches = set(augment_args.get('apply_args', ()))
    return next((name for name, parts in named_pipelines.PIPELINES.items() if set(parts) == switches), None)


def cmethod_matches(name, settings):
    """Return whether settings have what a comparison method changes in networks and losses."""
    changes = _METHODS[name] | _REPLACED.get(name, {})
    return all(settings.get(group, {}).get(key) == value
               for group in ('G_args', 'D_args', 'loss_args', 'augment_args')
               for key, value in changes.get(group, {}).items())
