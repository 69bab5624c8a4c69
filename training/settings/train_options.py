"""The options of train.py in their published form, from its flags."""

import os

from dnnlib.util import EasyDict, UserError, is_url
from training.data import summary
from training.data.official_files import OFFICIAL_URLS
from training.settings import ada_checks, ada_configs, freezing, precision
from training.settings.configs import merged
from training.settings.train_flags import NO_RESUME, SOURCES, run_desc


def setup(flags, metric_args):
    """Return the description of a run and the options of StyleGAN2-ADA's training loop, an EasyDict.

    flags: train_flags.Flags. metric_args: function from the names of metrics, None = the default one, to
    their arguments. Raises UserError for the first flag that cannot be used, in the published order.
    """
    gpus, snap = _default(flags.gpus, 1), _default(flags.snap, 50)
    aug, cmethod, cfg_name = flags.aug or 'ada', flags.cmethod or 'nocmethod', flags.cfg or 'auto'
    data = _check_general(flags, gpus, snap)
    resolution = _default(flags.res, data.resolution)
    metrics = metric_args(flags.metrics)
    if flags.metricdata is not None:
        _check_metricdata(flags, data, resolution)
    ada_checks.check_numbers(flags.gamma, flags.kimg)
    cfg = ada_configs.cfg_named(cfg_name, gpus, resolution, flags.batch)
    ada_checks.check_augmentation(aug, flags.p, flags.target, flags.augpipe, data.has_validation_set)
    ada_checks.check_cmethod(cmethod, aug, flags.gamma, data.shape, data.label_size, cfg.map)
    ada_checks.check_capacity(flags.dcap, flags.freezed)
    ada_checks.check_devices(cfg_name, cfg, gpus)
    if flags.freezed:
        freezing.check(flags.freezed, resolution, ada_configs.architecture_of_D(cfg_name))
    _check_own(flags, data)

    from_cfg = ada_configs.cfg_options(
        cfg_name, cfg, ada_configs.minibatch_gpu(cfg_name, gpus, resolution, flags.batch))
    networks = {name: from_cfg.pop(name) for name in ('G_args', 'D_args', 'G_opt_args', 'D_opt_args',
                                                      'loss_args')}
    dataset_args = {'path': flags.data, 'max_label_size': flags.max_label_size, 'resolution': resolution,
                    'mirror_augment': bool(flags.mirror)}
    subset = {} if flags.subset is None else {'max_images': flags.subset}
    args = {
        **networks,
        'augment_args': ada_configs.augment_options(aug, flags.p, flags.target, flags.augpipe),
        'num_gpus': gpus,
        'image_snapshot_ticks': snap,
        'network_snapshot_ticks': snap,
        'train_dataset_args': {**dataset_args, **subset},
        'metric_arg_list': metrics,
        'metric_dataset_args': {**dataset_args, 'path': _default(flags.metricdata, flags.data)},
        **from_cfg,
    }
    args = _with_changes(args, flags, cmethod)
    return run_desc(flags, gpus, flags.data), _nested_easy_dict(args)


def _default(value, default):
    return default if value is None else value


def _check_general(flags, gpus, snap):
    """Raise UserError for general flags that cannot be used. -> Summary of the data set."""
    if not ada_checks.is_power_of_two(gpus):
        raise UserError(f'--gpus={gpus}: expected a power of two')
    _check_snap(snap)
    _require_path('data', flags.data)
    data = summary.of(flags.data, max_label_size=flags.max_label_size)
    ada_checks.check_resolution(flags.res, data.resolution)
    return data


def _require_path(flag, path):
    """Raise UserError unless a path is that of a folder or file."""
    if path is None or not os.path.exists(path):
        raise UserError(f'--{flag}={path or ""}: there is no such folder or zip file; expected the folder of '
                        '*.tfrecords files, or a folder or zip file of images')


def _check_metricdata(flags, data, resolution):
    """Raise UserError for a data set that the metrics cannot use. data: Summary of that of the training."""
    path = flags.metricdata
    _require_path('metricdata', path)
    there = summary.of(path, max_label_size=flags.max_label_size)
    alike = (there.shape[0], there.label_size) == (data.shape[0], data.label_size)
    if there.resolution < resolution or not alike:
        raise UserError(
            f'--metricdata={path}: has images of shape {list(there.shape)} with labels of '
            f'{there.label_size} components; expected those of --data, {list(data.shape)} and '
            f'{data.label_size}')


def check_changes(flags, data):
    """Raise UserError for flags that a resumed run cannot change to these values. data: path of its data
    set."""
    if flags.snap is not None:
        _check_snap(flags.snap)
    ada_checks.check_numbers(kimg=flags.kimg)
    if flags.metricdata is None:
        return
    if not flags.metrics:
        raise UserError('--metricdata: add --metrics; without it, a resumed run keeps its metrics and their '
                        'data set')
    there = summary.of(data, max_label_size=flags.max_label_size)
    _check_metricdata(flags, there, there.resolution)


def _check_snap(snap):
    if snap < 1:
        raise UserError(f'--snap={snap}: expected a whole number of at least 1')


def _check_own(flags, data):
    """Raise UserError for flags beyond the published ones that do not fit the data set."""
    if flags.subset is not None and flags.subset > data.num_images:
        raise UserError(f'--subset={flags.subset}: the data set holds {data.num_images} images; choose at '
                        'most that')
    if flags.cond and data.label_size == 0:
        raise UserError(f'--cond: {flags.data} has no labels; omit the flag, or create a data set with '
                        'classes')


def check_source(resume):
    """Raise UserError unless --resume is None, a URL, a file or the name or key of a published one."""
    known = resume in (None, NO_RESUME, *SOURCES) or resume in OFFICIAL_URLS
    if not known and not is_url(resume) and not os.path.isfile(resume):
        raise UserError(f'--resume={resume}: expected {", ".join(SOURCES)}, the path or URL of a network '
                        'pickle, or a run with training states')


def _with_changes(args, flags, cmethod):
    """Return options of a configuration with the changes of single flags."""
    fmaps = {name: value for name, value in (('fmap_base', flags.fmap_base), ('fmap_max', flags.fmap_max))
             if value is not None}
    args = merged(args, {'G_args': fmaps, 'D_args': fmaps})
    if flags.gamma is not None:
        args['loss_args']['r1_gamma'] = flags.gamma
    if flags.kimg is not None:
        args['total_kimg'] = flags.kimg
    args = ada_configs.with_cmethod(args, cmethod)
    chosen = precision.chosen(flags.precision, flags.fp16)
    if chosen is not None:
        args = {**precision.in_networks(args, chosen), 'precision': chosen}
    if flags.dcap is not None:
        args['D_args'] = ada_configs.with_capacity(args['D_args'], flags.dcap)
    if flags.freezed is not None:
        args['D_args']['freeze_layers'] = flags.freezed
    if flags.resume not in (None, NO_RESUME):
        args['resume_pkl'] = SOURCES.get(flags.resume) or OFFICIAL_URLS.get(flags.resume, flags.resume)
        args['augment_args']['tune_kimg'] = ada_configs.TUNE_KIMG_RESUMED
        args['G_smoothing_rampup'] = None
    if flags.aug_kimg is not None:
        args['augment_args']['tune_kimg'] = flags.aug_kimg
    return args


def _nested_easy_dict(value):
    """Copy nested dicts as EasyDicts, and ranges as lists, which JSON has."""
    if isinstance(value, dict):
        return EasyDict({key: _nested_easy_dict(item) for key, item in value.items()})
    return [_nested_easy_dict(item) for item in value] if isinstance(value, (list, tuple, range)) else value


def has_labels(options):
    """Return whether networks with these options are trained with labels."""
    dataset_args = options['train_dataset_args']
    return dataset_args['max_label_size'] != 0 and summary.of(dataset_args['path']).label_size > 0
