"""Translates the flags of run_training.py to arguments of the training loop."""

import os
import re

from dnnlib import cli
from dnnlib.pickles.stored_state import LIMITS
from dnnlib.util import UserError, is_url
from training.augmentation import named_pipelines
from training.data import folders
from training.data.official_files import KEY_PREFIXES, OFFICIAL_URLS
from training.misc.pickles import check_path, network_snapshots
from training.settings import ada_configs, ada_flags, precision
from training.settings.configs import GROUP_SIZE, config_settings, makes_groups, merged

WHOLE = cli.int_at_least(1)
SIDE = cli.power_of_two
REAL = cli.float_at_least(0)
KIMG = cli.float_at_least(0.001)

# Flags beyond the published ones: type or words to choose from, default in the help, help, and the settings
# that get the value. A flag that is not given changes nothing. A `..._base` applies to all resolutions
# without an entry in -by-res.
OWN_FLAGS = {
    'fmap-base':      (WHOLE, "the config's", 'multiplier of the number of feature maps of G and D',
                       ['G_args.fmap_base', 'D_args.fmap_base']),
    'fmap-max':       (WHOLE, '512', 'maximum number of feature maps per layer of G and D',
                       ['G_args.fmap_max', 'D_args.fmap_max']),
    'mapping-layers': (cli.int_between(1, LIMITS['mapping_layers']), '8',
                       'number of layers of the mapping network', ['G_args.mapping_layers']),
    'style-mixing-prob': (cli.float_between(0, 1), '0.9',
                       'probability of mixing two styles in a training image', ['G_args.style_mixing_prob']),
    'noise':          (cli.boolean, 'true', 'false = train a generator without noise inputs', ['use_noise']),
    'labels':         (cli.labels, 'none', 'train with labels: full = all components, N = the first N',
                       ['dataset_args.max_label_size']),
    'subset':         (WHOLE, 'all', 'number of images to train on, the first ones of the data set',
                       ['dataset_args.max_images']),
    'resolution':     (SIDE, "the data set's", 'resolution to train at', ['dataset_args.resolution']),
    'minibatch-size': (WHOLE, "the config's", 'images per update, on all devices together',
                       ['sched_args.minibatch_size_base']),
    'minibatch-size-by-res': (cli.by_resolution(WHOLE), "the config's", '--minibatch-size by resolution, '
                       'such as 8:256,16:128', ['sched_args.minibatch_size_dict']),
    'minibatch-gpu':  (WHOLE, "the config's", 'images that a device processes at once',
                       ['sched_args.minibatch_gpu_base']),
    'minibatch-gpu-by-res': (cli.by_resolution(WHOLE), "the config's", '--minibatch-gpu by resolution, '
                       'such as 8:32,16:16', ['sched_args.minibatch_gpu_dict']),
    'lrate':          (REAL, "the config's", 'learning rate of G and D',
                       ['sched_args.G_lrate_base', 'sched_args.D_lrate_base']),
    'lrate-by-res':   (cli.by_resolution(REAL), "the config's", '--lrate by resolution, such as '
                       '8:0.001,16:0.0015', ['sched_args.G_lrate_dict', 'sched_args.D_lrate_dict']),
    'lrate-rampup-kimg': (REAL, '0', 'thousands of images over which the learning rate rises from 0',
                       ['sched_args.lrate_rampup_kimg']),
    'lod-initial-resolution': (SIDE, "the config's", 'resolution at which progressive growing starts',
                       ['sched_args.lod_initial_resolution']),
    'lod-training-kimg': (REAL, '600', 'thousands of images per resolution before the next one fades in',
                       ['sched_args.lod_training_kimg']),
    'lod-transition-kimg': (REAL, '600', 'thousands of images over which a resolution fades in',
                       ['sched_args.lod_transition_kimg']),
    'lazy-regularization': (cli.boolean, "the config's", 'regularize in separate steps',
                       ['lazy_regularization']),
    'tick-kimg':      (KIMG, 'by resolution', 'thousands of images per tick', ['sched_args.tick_kimg_base']),
    'smoothing-kimg': (REAL, '10', "half-life of the average of the generator's weights",
                       ['G_smoothing_kimg']),
    'snapshot-ticks': (WHOLE, "the config's", 'ticks between snapshots of images and networks',
                       ['image_snapshot_ticks', 'network_snapshot_ticks']),
    'snapshot-kimg':  (KIMG, 'by ticks', 'thousands of images between snapshots; overrides '
                       '--snapshot-ticks', ['snapshot_kimg']),
    'grid-size':      (('1080p', '4k', '8k'), "the config's, reduced on CPUs",
                       'size of the snapshot images', ['grid_args.size']),
    'grid-layout':    (('random', 'row_per_class', 'col_per_class', 'class4x4'), 'random',
                       'snapshot images at random, or sorted by their class', ['grid_args.layout']),
    'seed':           (cli.seed, '1000', 'seed of all random numbers', ['tf_config.rnd.np_random_seed']),
    'resume':         (str, 'none', 'run to resume: its directory, one of its training states, or latest '
                       '(in --result-dir); or a network pickle (G, D, Gs) whose weights to start from: a '
                       'path, a URL or a key such as stylegan2-ada:ffhq256', []),
    'resume-with-new-nets': (cli.boolean, 'false', 'build the networks of this config and copy the variables '
                       'of --resume that fit', ['resume_with_new_nets']),
    'worker-timeout': (cli.float_at_least(1), '300', 'seconds without a message of another worker after '
                       'which the run ends; it can be resumed', ['worker_timeout']),
    'resume-kimg':    (REAL, '0; for a run directory, that of its snapshot',
                       'thousands of images that count as shown at the start', ['resume_kimg']),
    'keep-states':    (WHOLE, '3', 'number of training states to keep', ['keep_states']),
    'state-kimg':     (KIMG, 'at network snapshots', 'thousands of images between additional training states',
                       ['state_kimg']),
    'aug':            (ada_configs.AUGS, 'ada for ada-*, otherwise noaug', 'augmentation of '
                       'what the discriminator sees: ada and adarv adapt its strength, fixed keeps that of '
                       '--p', []),
    'p':              (cli.float_between(0, 1), 'none', 'probability of each transform for --aug=fixed', []),
    'target':         (cli.float_between(0, 1), '0.6 for ada, 0.5 for adarv', 'target of the adaptation', []),
    'augpipe':        ((*named_pipelines.PIPELINES,), ada_configs.DEFAULT_PIPELINE,
                       'transforms to apply', []),
    'aug-kimg':       (KIMG, f'{ada_configs.TUNE_KIMG}; {ada_configs.TUNE_KIMG_RESUMED} with a network in '
                       '--resume', 'thousands of images in which the strength can rise from 0 to 1', []),
    'dcap':           (cli.float_at_least(0.001), '1', 'multiplier of the capacity of the discriminator', []),
    'cmethod':        (ada_configs.CMETHODS, 'nocmethod', 'comparison method of an ada-* config', []),
    'freezed':        (cli.int_at_least(0), '0', 'number of layers of the discriminator of an ada-* config '
                       'that are not trained, counted from the image', ['D_args.freeze_layers']),
    'precision':      (precision.NAMES, 'float32; of ada-* mixed on GPUs', precision.HELP,
                       ['precision']),
    'fp16':           (precision.FP16, 'auto', 'of an ada-* config: true = '
                       '--precision=mixed, false = float32, auto = mixed on GPUs only', []),
    'max-skipped-steps': (WHOLE, '100', 'consecutive steps without finite gradients that end training',
                       ['max_skipped_steps']),
}

# Flags that may change when a run is resumed.
MAY_CHANGE = ('data-dir', 'total-kimg', 'metrics', 'snapshot-ticks', 'snapshot-kimg', 'keep-states',
              'state-kimg', 'max-skipped-steps', 'worker-timeout', 'report', 'xla')

REPORT = 'reports.report.write'  # what --report calls after every snapshot

# Flags without a meaning for a preset.
NOT_IN = {'progan': ('mapping-layers', 'style-mixing-prob', 'noise'),
          **dict.fromkeys(ada_flags.CONFIGS, ('lod-initial-resolution', 'lod-training-kimg',
                                              'lod-transition-kimg'))}


def given(args, name):
    """Return the value of a flag; None if it is not given."""
    return getattr(args, name.replace('-', '_'))


def run_settings(args, num_workers=1):
    """Return the arguments of the training loop, except metrics, for a command line and number of processes.

    Raises UserError for flags that contradict each other.
    """
    num_devices = args.num_gpus * num_workers
    _check_labels(args)
    ada_flags.check(args)
    from_config = ada_flags.config_settings if ada_flags.is_ada(args) else _config_settings
    settings = merged(from_config(args, num_devices), {
        'data_dir': args.data_dir,
        'dataset_args': {'tfrecord_dir': args.dataset},
        'mirror_augment': args.mirror_augment,
        **resume_settings(args.resume),
    })
    if args.total_kimg is not None:
        settings['total_kimg'] = args.total_kimg
    if args.report:
        settings['after_snapshot'] = REPORT
    if args.xla is not None:
        settings['xla'] = args.xla
    for name, (*_, places) in OWN_FLAGS.items():
        value = given(args, name)
        if value is not None and name in NOT_IN.get(args.config, ()):
            raise UserError(f'--{name} does not apply to --config={args.config}')
        for place in places if value is not None else []:
            _set(settings, place, value)
    if args.gamma is not None:
        _set_gamma(settings, args)
    if given(args, 'grid-size') is not None:
        settings['cpu_grid_seconds'] = None  # the requested size, however long it takes
    settings = ada_flags.with_changes(settings, args)
    default = None if ada_flags.is_ada(args) else precision.FLOAT32
    settings = precision.in_settings(
        settings, precision.chosen(args.precision, args.fp16) or default, args.config)
    least = 2 if settings.get('G_loss_args', {}).get('func_name', '').endswith('_pathreg') else 1
    _share_minibatches(settings, args, least, num_devices)
    return settings


def _config_settings(args, num_devices):
    return config_settings(args.config, num_devices)


def _set_gamma(settings, args):
    """Set the weight of R1. Raises UserError for a loss without R1."""
    places = [(group, name) for group in ('loss_args', 'D_loss_args') for name in ('gamma', 'r1_gamma')
              if name in settings.get(group, {})]
    if not places:
        raise UserError(f'--gamma does not apply to --config={args.config}, which is trained without R1')
    group, name = places[0]
    settings[group][name] = args.gamma


def _check_labels(args):
    """Raise UserError for labels that the data set lacks, and for a grid that needs them."""
    folder = os.path.join(args.data_dir, args.dataset)
    path, there = folders.label_components(folder) if args.labels else (None, None)
    if args.labels and path is None:
        file = 'dataset.json with labels' if folders.holds_images(folder) else '*.labels file'
        raise UserError(f'--labels={args.labels}: {folder} has no {file}; create a data set '
                        'with classes')
    if there is not None and args.labels not in (None, 'full') and args.labels > there:
        raise UserError(f'--labels={args.labels}: the labels in {path} have {there} components; choose at '
                        'most that, or --labels=full')
    if args.grid_layout not in (None, 'random') and not args.labels:
        raise UserError(f'--grid-layout={args.grid_layout} sorts by labels; add --labels=full')


def resume_settings(resume):
    """Return the settings of --resume: a pickle, a URL, or the newest snapshot in a run directory.

    Raises UserError if there is none.
    """
    if resume is None:
        return {}
    resume = OFFICIAL_URLS.get(resume, resume)
    if is_url(resume) or os.path.isfile(resume):
        return {'resume_pkl': resume}
    if resume.startswith(KEY_PREFIXES):
        check_path(resume)
    if not os.path.isdir(resume):
        raise UserError(f'--resume={resume}: no such file or run directory')
    snapshots = network_snapshots(resume)
    if not snapshots:
        raise UserError(f'--resume={resume}: the directory holds no network-snapshot-*.pkl '
                        'and no training-state-*')
    kimg = re.fullmatch(r'network-snapshot-(\d+)\.pkl', os.path.basename(snapshots[-1]))
    return {'resume_pkl': snapshots[-1], 'resume_kimg': float(kimg[1]) if kimg else 0.0}


def _set(settings, place, value):
    """Put a value at 'key' or 'group.key'. A value of a ..._base removes its table by resolution."""
    group, _, key = place.partition('.')
    if not key:
        settings[group] = value
        return
    target = settings.setdefault(group, {})
    target[key] = value
    if group == 'sched_args' and key.endswith('_base'):
        target[key.removesuffix('_base') + '_dict'] = {}


def _share_minibatches(settings, args, least, num_devices):
    """Limit what a device processes at once to its share of the minibatch, at every resolution.

    Flags are not changed. `least`: images that the losses need at once. Raises UserError if the devices
    cannot share the minibatch evenly.
    """
    sched, group_size = settings['sched_args'], settings['D_args'].get('mbstd_group_size', GROUP_SIZE)
    fixed = args.minibatch_gpu is not None or args.minibatch_gpu_by_res is not None
    sizes, rounds = sched.get('minibatch_size_dict', {}), sched.get('minibatch_gpu_dict', {})
    shared = {}
    for resolution in [None, *sorted({*sizes, *rounds})]:
        size = sizes.get(resolution, sched['minibatch_size_base'])
        at_a_time = rounds.get(resolution, sched['minibatch_gpu_base'])
        where = '' if resolution is None else f' at resolution {resolution}'
        if size % num_devices != 0 or size == 0:
            raise UserError(f'a minibatch of {size}{where} cannot be shared evenly by {num_devices} '
                            'devices; choose another --minibatch-size or --num-gpus')
        if not fixed:
            share = size // num_devices
            at_a_time = max(n for n in range(1, min(share, at_a_time) + 1)
                            if share % n == 0 and makes_groups(n, group_size))
        _check_round(size, at_a_time, num_devices, least, group_size, where)
        shared[resolution] = at_a_time
    sched['minibatch_gpu_base'] = shared.pop(None)
    if shared:
        sched['minibatch_gpu_dict'] = shared


def _check_round(size, at_a_time, num_devices, least, group_size, where):
    """Raise UserError unless the devices can process `size` images in rounds of `at_a_time` each."""
    if size % (at_a_time * num_devices) != 0:
        raise UserError(f'--minibatch-size={size}{where} must be a multiple of {at_a_time * num_devices}, '
                        'which is --minibatch-gpu times --num-gpus, for each worker')
    if at_a_time < least:
        raise UserError(f'path length regularization needs at least {least} images at a time on each '
                        f'device; with {num_devices} devices there are {at_a_time}{where}; choose a larger '
                        '--minibatch-size')
    if not makes_groups(at_a_time, group_size):
        raise UserError(f'--minibatch-gpu={at_a_time}{where}: expected less than {group_size} or a multiple '
                        'of it, the group size of the minibatch standard deviation')
