"""StyleGAN2-ADA in run_training.py: the ada-* configurations, and augmentation of any configuration."""

import os

from dnnlib.util import UserError
from training.data import summary
from training.settings import ada_checks, ada_configs, ada_loop, freezing, precision
from training.settings.configs import merged

PREFIX = 'ada-'
CONFIGS = tuple(PREFIX + name for name in ada_configs.CFGS)
IN_RUN = ('aug', 'p', 'target', 'augpipe', 'aug-kimg', 'dcap', 'cmethod', 'fp16')  # flags for `in_run`
ADA_ONLY = ('cmethod', 'freezed', 'fp16')
_ADAPTIVE = ('pagan', 'adropout')  # methods with a controller of their own
_FMAP_BASES = {'training.networks_stylegan2': 16384}  # defaults of discriminators; 8192 of others


def is_ada(args):
    """Return whether --config is one of StyleGAN2-ADA's."""
    return args.config in CONFIGS


def check(args):
    """Raise UserError for flags of StyleGAN2-ADA that do not go together."""
    for name in () if is_ada(args) else ADA_ONLY:
        if getattr(args, name) is not None:
            raise UserError(f'--{name} does not apply to --config={args.config}; choose one of '
                            f'StyleGAN2-ADA, such as --config={CONFIGS[0]}')
    aug = _aug(args)
    has_validation_set = aug == 'adarv' and summary.of(_data_set(args)).has_validation_set
    ada_checks.check_augmentation(aug, args.p, args.target, args.augpipe, has_validation_set)
    if args.aug_kimg is not None and aug not in ada_configs.TARGETS and args.cmethod not in _ADAPTIVE:
        raise UserError(f'--aug-kimg={args.aug_kimg:g} applies to --aug=ada and --aug=adarv only')
    if args.freezed and args.resume_with_new_nets is False:
        raise UserError(f'--freezed={args.freezed} needs new networks; omit --resume-with-new-nets')


def config_settings(args, num_devices):
    """Return all settings of an ada-* configuration, with its augmentation and comparison method.

    Raises UserError for a data set that cannot be trained on.
    """
    name = args.config.removeprefix(PREFIX)
    data = summary.of(_data_set(args), args.resolution)
    resolution = data.resolution
    cfg = ada_configs.cfg_named(name, num_devices, resolution, args.minibatch_size)
    cmethod = args.cmethod or 'nocmethod'
    ada_checks.check_cmethod(cmethod, _aug(args), args.gamma, data.shape, bool(args.labels), cfg.map)
    if args.freezed:
        freezing.check(args.freezed, resolution, ada_configs.architecture_of_D(name))
    options = ada_configs.cfg_options(name, cfg, ada_configs.minibatch_gpu(name, num_devices, resolution))
    options['augment_args'] = _augment_args(args)
    settings = ada_loop.training_settings(ada_configs.with_cmethod(options, cmethod))
    return {**settings, **ada_loop.shown(has_labels=bool(args.labels))}


def with_changes(settings, args):
    """Return settings, in which flags with a place of their own are set, with those of StyleGAN2-ADA."""
    if not is_ada(args) and _aug(args) != 'noaug':
        settings = {**settings, 'augment_args': _augment_args(args)}
    if is_ada(args) and args.resume is not None:
        settings = {'resume_with_new_nets': True, **settings, 'G_smoothing_rampup': None}
    if settings.get('augment_args') and (args.resume or args.aug_kimg) is not None:
        tune_kimg = ada_configs.TUNE_KIMG_RESUMED if args.aug_kimg is None else args.aug_kimg
        settings = merged(settings, {'augment_args': {'tune_kimg': tune_kimg}})
    if args.dcap is not None:
        D_args = settings['D_args']
        default = _FMAP_BASES.get(D_args['func_name'].rpartition('.')[0], 8192)
        D_args = {'fmap_base': default, 'fmap_max': 512, **D_args}
        settings = {**settings, 'D_args': ada_configs.with_capacity(D_args, args.dcap)}
    return settings


def in_run(name, value, settings):
    """Return the value of a flag with which a run was started: `value` if nothing contradicts that.

    settings: all arguments of its training loop, with defaults.
    """
    augment_args = settings.get('augment_args') or {}
    if name == 'cmethod':
        methods = [method for method in ada_configs.CMETHODS if method != 'shallowmap'
                   and ada_configs.cmethod_matches(method, settings)]
        return value if ada_configs.cmethod_matches(value, settings) and value != 'nocmethod' else methods[-1]
    if name == 'dcap':
        expected = ada_configs.with_capacity(settings['G_args'], value)
        alike = all(settings['D_args'][key] == expected[key] for key in ('fmap_base', 'fmap_max'))
        return value if alike else settings['D_args']['fmap_base'] / settings['G_args']['fmap_base']
    if name == 'fp16':
        return precision.fp16_of(settings['precision'])
    return {
        'aug': ada_configs.aug_of(augment_args),
        'p': augment_args.get('initial_strength'),
        'target': augment_args.get('tune_target'),
        'augpipe': ada_configs.pipeline_of(augment_args),
        'aug-kimg': augment_args.get('tune_kimg', ada_configs.TUNE_KIMG),
    }[name]


def _aug(args):
    return args.aug or ('ada' if is_ada(args) else 'noaug')


def _augment_args(args):
    return ada_configs.augment_options(_aug(args), args.p, args.target, args.augpipe)


def _data_set(args):
    return os.path.join(args.data_dir, args.dataset)
