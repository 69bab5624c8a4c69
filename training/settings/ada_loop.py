"""Translates options of StyleGAN2-ADA's training loop to arguments of ours."""

import copy
import os

TICK_KIMG = 4


def training_settings(options):
    """Return what a base configuration and its changes say, as arguments of training_loop().

    options: those of `ada_configs.cfg_options`. Learning rates become part of the schedule.
    """
    options = copy.deepcopy(options)
    lrates = {name: options[f'{name}_opt_args'].pop('learning_rate') for name in 'GD'}
    names = ('G_args', 'D_args', 'G_opt_args', 'D_opt_args', 'loss_args', 'augment_args', 'total_kimg',
             'G_smoothing_kimg', 'G_smoothing_rampup', 'lazy_regularization', 'precision')
    return {
        **{name: options[name] for name in names if name in options},
        'sched_args': {
            'G_lrate_base': lrates['G'],
            'D_lrate_base': lrates['D'],
            'minibatch_size_base': options['minibatch_size'],
            'minibatch_gpu_base': options['minibatch_gpu'],
            'tick_kimg_base': TICK_KIMG,
            'tick_kimg_dict': {},
        },
    }


def shown(has_labels, seed=1000):
    """Return the arguments of training_loop() that StyleGAN2-ADA does not vary."""
    return {
        'grid_args': {'size': '8k', 'layout': 'row_per_class' if has_labels else 'random'},
        'tf_config': {'rnd.np_random_seed': seed},
        'image_snapshot_ticks': 50,
        'network_snapshot_ticks': 50,
    }


def loop_settings(options, has_labels, seed):
    """Return the arguments of training_loop() for all options of train.py."""
    dataset_args = dict(options['train_dataset_args'])
    data_dir, name = os.path.split(os.path.abspath(dataset_args.pop('path')))
    mirror_augment = dataset_args.pop('mirror_augment')
    settings = {
        **training_settings(options),
        'data_dir': data_dir,
        'dataset_args': {'tfrecord_dir': name, **dataset_args},
        'mirror_augment': mirror_augment,
        **shown(has_labels, seed),
        'metric_arg_list': _metrics(options),
        'image_snapshot_ticks': options['image_snapshot_ticks'],
        'network_snapshot_ticks': options['network_snapshot_ticks'],
        'run_options': options,
    }
    if 'resume_pkl' in options:
        settings.update(resume_pkl=options['resume_pkl'], resume_with_new_nets=True)
    return settings


def _metrics(options):
    """Return the metrics of a run, for which all images of their data set are read."""
    train, other = options['train_dataset_args'], options['metric_dataset_args']
    changes = {}
    if other['path'] != train['path']:
        changes['tfrecord_dir'] = os.path.abspath(other['path'])
    if 'max_images' in train:
        changes['max_images'] = None
    return on_data(options['metric_arg_list'], changes)


def on_data(metrics, changes):
    """Return metrics that read real images with other arguments of their data set."""
    return [dict(metric, force_dataset_args={**metric.get('force_dataset_args', {}), **changes})
            if changes else metric for metric in metrics]
