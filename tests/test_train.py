"""Test train.py: the published options of StyleGAN2-ADA, descriptions of runs, checks, and small runs."""

import json
import pathlib

import numpy as np
import pytest

import dnnlib
import train
from dnnlib import cli
from dnnlib.util import EasyDict, UserError
from metrics.features import feature_networks
from metrics.metric_defaults import metric_defaults
from tests import image_sets, metric_stand_ins
from training.augmentation.named_pipelines import PIPELINES
from training.settings import ada_configs, ada_loop, submission, train_flags, train_options

RESOLUTIONS = (32, 64, 128, 256, 512, 1024, 2048)

# {resolution: for 1, 2, 4, 8 devices (minibatch, minibatch_gpu, mbstd, gamma, half-life of Gs)}, as measured
AUTO = {
    32: [(32, 32, 4, 0.0064, 10), (64, 32, 4, 0.0032, 20), (64, 16, 4, 0.0032, 20), (64, 8, 4, 0.0032, 20)],
    64: [(32, 32, 4, 0.0256, 10), (64, 32, 4, 0.0128, 20), (64, 16, 4, 0.0128, 20), (64, 8, 4, 0.0128, 20)],
    128: [(32, 32, 4, 0.1024, 10), (64, 32, 4, 0.0512, 20), (64, 16, 4, 0.0512, 20), (64, 8, 4, 0.0512, 20)],
    256: [(16, 16, 4, 0.8192, 5), (32, 16, 4, 0.4096, 10), (64, 16, 4, 0.2048, 20), (64, 8, 4, 0.2048, 20)],
    512: [(8, 8, 4, 6.5536, 2.5), (16, 8, 4, 3.2768, 5), (32, 8, 4, 1.6384, 10), (64, 8, 4, 0.8192, 20)],
    1024: [(4, 4, 4, 52.4288, 1.25), (8, 4, 4, 26.2144, 2.5), (16, 4, 4, 13.1072, 5), (32, 4, 4, 6.5536, 10)],
    2048: [(2, 2, 2, 419.4304, 0.625), (4, 2, 2, 209.7152, 1.25), (8, 2, 2, 104.8576, 2.5),
           (16, 2, 2, 52.4288, 5)],
}

# {cfg: (kimg, minibatch, minibatch_gpu, mbstd, fmap_base, learning rate, gamma, half-life, ramp-up, mapping)}
FIXED = {
    'stylegan2': (25000, 32, 4, 4, 16384, 0.002, 10, 10, None, 8),
    'paper256': (25000, 64, 8, 8, 8192, 0.0025, 1, 20, None, 8),
    'paper512': (25000, 64, 8, 8, 16384, 0.0025, 0.5, 20, None, 8),
    'paper1024': (25000, 32, 4, 4, 16384, 0.002, 2, 10, None, 8),
    'cifar': (100000, 64, 32, 32, 8192, 0.0025, 0.01, 500, 0.05, 2),
    'cifarbaseline': (100000, 64, 32, 32, 8192, 0.0025, 0.01, 500, 0.05, 8),
}

KEYS = ['G_args', 'D_args', 'G_opt_args', 'D_opt_args', 'loss_args', 'augment_args', 'num_gpus',
        'image_snapshot_ticks', 'network_snapshot_ticks', 'train_dataset_args', 'metric_arg_list',
        'metric_dataset_args', 'total_kimg', 'minibatch_size', 'minibatch_gpu', 'G_smoothing_kimg',
        'G_smoothing_rampup']
PIPELINE = 'training.augment.augment_pipeline'
SWITCHES = {'blit': 'xflip rotate90 xint', 'geom': 'scale rotate aniso xfrac',
            'color': 'brightness contrast lumaflip hue saturation', 'filter': 'imgfilter', 'noise': 'noise',
            'cutout': 'cutout'}
PARTS = {'b': 'blit', 'g': 'geom', 'c': 'color', 'f': 'filter', 'n': 'noise'}


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Write data sets: 16x16 images without and with labels and with a validation set. -> {name: path}."""
    folder = tmp_path_factory.mktemp('data')
    images = image_sets.pixels(40, height=16, width=16)
    labels = np.eye(2, dtype=np.float32)[np.arange(40) % 2]
    paths = {
        'plain': image_sets.write_records(folder / 'mydata', images, 'raw'),
        'labels': image_sets.write_records(folder / 'classes', images, 'raw', labels),
        'valid': image_sets.write_records(folder / 'halves', images, 'raw'),
        'small': image_sets.write_records(folder / 'small', image_sets.pixels(4), 'raw'),
        'wide': image_sets.write_records(folder / 'wide', image_sets.pixels(4, height=8, width=16), 'raw'),
        'folder': image_sets.write_folder(folder / 'photos', images),
    }
    other = pathlib.Path(image_sets.write_records(folder / 'validation-halves', images[:9], 'raw'))
    for path in other.iterdir():
        path.rename(folder / 'halves' / path.name)
    other.rmdir()
    paths['zip'] = image_sets.zipped(folder / 'photos', folder / 'my photos.zip')
    return paths


def options(paths, **flags):
    """Return the options for flags and the data set `plain`, or another one of these paths."""
    return train.setup_training_options(**{'data': paths['plain'], **flags})[1]


def cfg_options(name, gpus, resolution):
    """Return the options of a base configuration without a data set."""
    cfg = ada_configs.cfg_named(name, gpus, resolution)
    return ada_configs.cfg_options(name, cfg, ada_configs.minibatch_gpu(name, gpus, resolution))


@pytest.mark.parametrize('resolution', RESOLUTIONS)
def test_auto_has_the_measured_settings_at_every_resolution_and_number_of_devices(resolution):
    for gpus, row in zip((1, 2, 4, 8), AUTO[resolution], strict=True):
        found = cfg_options('auto', gpus, resolution)
        assert (found['minibatch_size'], found['minibatch_gpu'],
                found['D_args']['mbstd_group_size']) == row[:3]
        assert found['loss_args']['r1_gamma'] == pytest.approx(row[3], rel=1e-12)
        assert found['G_smoothing_kimg'] == row[4]
        assert found['G_args']['fmap_base'] == found['D_args']['fmap_base'] == (
            16384 if resolution >= 512 else 8192)
        lrate = 0.002 if resolution >= 1024 else 0.0025
        assert found['G_opt_args'] == found['D_opt_args'] == {
            'beta1': 0.0, 'beta2': 0.99, 'learning_rate': lrate}
        assert (found['total_kimg'], found['G_smoothing_rampup'], found['G_args']['mapping_layers']) == (
            25000, 0.05, 2)


@pytest.mark.parametrize('cfg', FIXED)
def test_a_fixed_configuration_has_the_published_settings(cfg):
    kimg, mb, mb_gpu, mbstd, fmap_base, lrate, gamma, ema, ramp, layers = FIXED[cfg]
    found = cfg_options(cfg, 1, 256)
    common = {'fmap_base': fmap_base, 'fmap_max': 512, 'num_fp16_res': 4, 'conv_clamp': 256}
    G_args = {'func_name': 'training.networks.G_main', 'mapping_layers': layers, **common}
    D_args = {'func_name': 'training.networks.D_main', 'mbstd_group_size': mbstd, **common}
    loss_args = {'func_name': 'training.loss.stylegan2', 'r1_gamma': gamma}
    if cfg == 'cifar':
        G_args |= {'style_mixing_prob': None}
        D_args |= {'architecture': 'orig'}
        loss_args |= {'pl_weight': 0}
    adam = {'beta1': 0.0, 'beta2': 0.99, 'learning_rate': lrate}
    assert found == {
        'G_args': G_args, 'D_args': D_args, 'G_opt_args': adam, 'D_opt_args': adam, 'loss_args': loss_args,
        'total_kimg': kimg, 'minibatch_size': mb, 'minibatch_gpu': mb_gpu, 'G_smoothing_kimg': ema,
        'G_smoothing_rampup': ramp}


def test_options_have_the_published_keys_in_their_order_and_are_valid_json(data):
    found = options(data)
    assert isinstance(found, EasyDict) and isinstance(found.G_args, EasyDict)
    assert list(found) == KEYS
    assert list(found.train_dataset_args) == ['path', 'max_label_size', 'resolution', 'mirror_augment']
    assert found.train_dataset_args == {
        'path': data['plain'], 'max_label_size': 'full', 'resolution': 16, 'mirror_augment': False}
    assert found.metric_dataset_args == found.train_dataset_args
    assert [metric['name'] for metric in found.metric_arg_list] == ['fid50k_full']
    assert (found.num_gpus, found.image_snapshot_ticks, found.network_snapshot_ticks) == (1, 50, 50)
    found = options(data, resume='ffhq256', aug='noaug', cmethod='wgangp', metrics=[*metric_defaults])
    assert list(found) == [*KEYS, 'lazy_regularization', 'resume_pkl']
    assert json.loads(json.dumps(found)) == found, 'a range would become a list'


def test_flags_of_the_training_set_and_the_metrics_reach_their_options(data):
    found = options(data, res=8, mirror=True, metrics=[], metricdata=data['folder'], snap=3, kimg=7,
                    gamma=0.5)
    assert found.train_dataset_args == {
        'path': data['plain'], 'max_label_size': 'full', 'resolution': 8, 'mirror_augment': True}
    assert found.metric_dataset_args == {**found.train_dataset_args, 'path': data['folder']}
    assert (found.metric_arg_list, found.image_snapshot_ticks, found.network_snapshot_ticks) == ([], 3, 3)
    assert (found.total_kimg, found.loss_args.r1_gamma) == (7, 0.5)


@pytest.mark.parametrize(('flags', 'expected'), [
    ({}, {'tune_heuristic': 'rt', 'tune_target': 0.6}),
    ({'aug': 'ada', 'target': 0.7}, {'tune_heuristic': 'rt', 'tune_target': 0.7}),
    ({'aug': 'adarv'}, {'tune_heuristic': 'rv', 'tune_target': 0.5}),
    ({'aug': 'adarv', 'target': 0.4}, {'tune_heuristic': 'rv', 'tune_target': 0.4}),
    ({'aug': 'fixed', 'p': 0.2}, {'initial_strength': 0.2}),
    ({'aug': 'fixed', 'p': 0}, {'initial_strength': 0}),
    ({'resume': 'ffhq512'}, {'tune_heuristic': 'rt', 'tune_target': 0.6, 'tune_kimg': 100}),
    ({'aug_kimg': 20, 'resume': 'ffhq512'}, {'tune_heuristic': 'rt', 'tune_target': 0.6, 'tune_kimg': 20}),
])
def test_augmentation_has_the_published_arguments(flags, expected, data):
    bgc = ' '.join(SWITCHES[part] for part in ('blit', 'geom', 'color'))
    assert options(data, data=data['valid'], **flags).augment_args == {
        'class_name': 'training.augment.AdaptiveAugment', 'apply_func': PIPELINE,
        'apply_args': dict.fromkeys(bgc.split(), 1), **expected}


def test_without_augmentation_there_is_a_controller_that_does_nothing(data):
    assert options(data, aug='noaug').augment_args == {'class_name': 'training.augment.AdaptiveAugment'}


@pytest.mark.parametrize('name', PIPELINES)
def test_a_pipeline_switches_on_what_its_name_says(name, data):
    parts = [name] if name in SWITCHES else [PARTS[letter] for letter in name[:5]]
    parts += ['cutout'] if name == 'bgcfnc' else []
    names = ' '.join(SWITCHES[part] for part in parts).split()
    assert options(data, augpipe=name).augment_args.apply_args == dict.fromkeys(names, 1)


BCR = {'func_name': PIPELINE, 'xint': 1, 'xint_max': 1 / 32}
FLOAT32 = {'num_fp16_res': 0, 'conv_clamp': None}
CMETHODS = 'training.loss.cmethods'
NOAUG = {'aug': 'noaug', 'cfg': 'paper256'}


@pytest.mark.parametrize(('method', 'flags', 'changes'), [
    ('nocmethod', {}, {}),
    ('bcr', {}, {'loss_args': {'func_name': CMETHODS, 'bcr_real_weight': 10, 'bcr_fake_weight': 10,
                               'bcr_augment': BCR}}),
    ('zcr', {}, {'loss_args': {'func_name': CMETHODS, 'zcr_gen_weight': 0.02, 'zcr_dis_weight': 0.2},
                 'G_args': FLOAT32, 'D_args': FLOAT32}),
    ('pagan', NOAUG, {'D_args': {'use_pagan': True},
                      'augment_args': {'tune_heuristic': 'rt', 'tune_target': 0.95}}),
    ('auxrot', {}, {'loss_args': {'func_name': CMETHODS, 'auxrot_alpha': 10, 'auxrot_beta': 5},
                    'D_args': {'score_max': 5}}),
    ('spectralnorm', {}, {'D_args': {'use_spectral_norm': True}}),
    ('shallowmap', {'cfg': 'stylegan2'}, {'G_args': {'mapping_layers': 2}}),
    ('adropout', NOAUG, {'D_args': {'adaptive_dropout': 1},
                         'augment_args': {'tune_heuristic': 'rt', 'tune_target': 0.6}}),
])
def test_a_comparison_method_changes_what_is_published(method, flags, changes, data):
    without, found = options(data, **flags), options(data, cmethod=method, **flags)
    for group, values in changes.items():
        without[group].update(values)
    assert found == without


def test_wgangp_replaces_the_loss_and_the_learning_rates(data):
    found = options(data, cmethod='wgangp', aug='noaug', cfg='cifar')
    assert found.loss_args == {'func_name': 'training.loss.wgangp'}
    assert found.G_opt_args.learning_rate == found.D_opt_args.learning_rate == 0.001
    assert {**FLOAT32, **found.G_args} == found.G_args | FLOAT32 == found.G_args
    assert found.D_args | FLOAT32 == found.D_args and found.lazy_regularization is False


def test_capacity_freezing_and_resuming_reach_their_options(data):
    found = options(data, dcap=0.3, freezed=4, resume='https://example.com/x.pkl')
    assert (found.D_args.fmap_base, found.D_args.fmap_max, found.G_args.fmap_base) == (2457, 153, 8192)
    assert (found.D_args.freeze_layers, found.resume_pkl) == (4, 'https://example.com/x.pkl')
    assert found.G_smoothing_rampup is None
    assert options(data, resume='elsewhere/x.pkl').resume_pkl == 'elsewhere/x.pkl'
    folder = 'https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada/pretrained/transfer-learning-source-nets/'
    assert options(data, resume='lsundog256').resume_pkl == (
        folder + 'lsundog-res256-paper256-kimg100000-noaug.pkl')
    assert 'resume_pkl' not in options(data, resume='noresume')
    assert options(data, dcap=1e-9).D_args.fmap_base == 1


def test_own_flags_reach_their_options(data):
    found = options(data, subset=10, cond=False, batch=8, fmap_base=256, fmap_max=16, fp16='false')
    assert found.train_dataset_args == {'path': data['plain'], 'max_label_size': 0, 'resolution': 16,
                                        'mirror_augment': False, 'max_images': 10}
    assert 'max_images' not in found.metric_dataset_args
    assert (found.minibatch_size, found.minibatch_gpu, found.D_args.mbstd_group_size) == (8, 8, 4)
    assert (found.loss_args.r1_gamma, found.G_smoothing_kimg) == (0.0002 * 16 ** 2 / 8, 2.5)
    for args in (found.G_args, found.D_args):
        assert (args.fmap_base, args.fmap_max, args.num_fp16_res) == (256, 16, 0)
    large = options(data, batch=128, gpus=2, cfg='cifar')
    assert (large.minibatch_size, large.minibatch_gpu) == (128, 32), 'in two rounds'


@pytest.mark.parametrize(('flags', 'desc'), [
    ({}, 'mydata-auto1'),
    ({'mirror': True, 'cfg': 'paper1024', 'resume': 'ffhq1024'}, 'mydata-mirror-paper1024-resumeffhq1024'),
    ({'aug': 'fixed', 'p': 0.2, 'augpipe': 'bgcfnc'}, 'mydata-auto1-fixed-p0.2-bgcfnc'),
    ({'aug': 'noaug', 'cmethod': 'pagan'}, 'mydata-auto1-noaug-pagan'),
    ({'gamma': 0.5, 'kimg': 3000, 'dcap': 0.5, 'resume': 'https://x.org/a.pkl', 'freezed': 4},
     'mydata-auto1-gamma0.5-kimg3000-dcap0.5-resumecustom-freezed4'),
    ({'res': 8}, 'mydata-res8-auto1'),
    ({'aug': 'ada', 'augpipe': 'bgc', 'cmethod': 'nocmethod', 'mirror': False, 'resume': 'noresume',
      'freezed': 0}, 'mydata-auto1-ada-bgc-nocmethod-noresume-freezed0'),
    ({'gpus': 4, 'target': 0.4, 'snap': 3, 'metrics': []}, 'mydata-auto4-target0.4'),
    ({'gpus': 4, 'cfg': 'stylegan2', 'gamma': 1e-5}, 'mydata-stylegan2-gamma1e-05'),
    ({'subset': 20, 'cond': False, 'batch': 8, 'fmap_base': 64}, 'mydata-subset20-nocond-auto1-batch8'),
])
def test_the_description_of_a_run_is_the_published_one(flags, desc, data):
    assert train.setup_training_options(**{'data': data['plain'], **flags})[0] == desc


def test_descriptions_of_other_data_sets(data):
    assert train.setup_training_options(data=data['valid'], aug='adarv', target=0.4)[0] == (
        'halves-auto1-adarv-target0.4')
    assert train.setup_training_options(data=data['labels'] + '/', cond=True)[0] == 'classes-cond-auto1'
    assert train.setup_training_options(data=data['zip'])[0] == 'my photos-auto1'


# In the published order: what is wrong with a line of this table is named before what follows it.
REFUSED = [
    ({'gpus': 3}, '--gpus=3: expected a power of two'),
    ({'snap': 0}, '--snap=0: expected a whole number of at least 1'),
    ({'data': '/nowhere'}, '--data=/nowhere: there is no such folder or zip file'),
    ({'res': 20}, '--res=20: expected a power of two of at least 4'),
    ({'res': 32}, '--res=32: the data set has resolution 16; choose at most that'),
    ({'metrics': ['fid51k']}, "unknown metric 'fid51k'; did you mean fid50k. --metrics takes .*, none"),
    ({'metricdata': '/nowhere'}, '--metricdata=/nowhere: there is no such folder or zip file'),
    ({'gamma': -1.0}, '--gamma=-1: expected a number of at least 0'),
    ({'kimg': 0}, '--kimg=0: expected a whole number of at least 1'),
    ({'aug': 'fixed'}, '--aug=fixed: expected --p=P'),
    ({'aug': 'adarv'}, '--aug=adarv: the data set has no validation set; .* dataset_tool.py pack'),
    ({'p': 0.5}, '--p=0.5 applies to --aug=fixed only'),
    ({'aug': 'fixed', 'p': 1.5}, '--p=1.5: expected a number from 0 to 1'),
    ({'aug': 'noaug', 'target': 0.5}, '--target=0.5 applies to --aug=ada and --aug=adarv only'),
    ({'target': -0.1}, '--target=-0.1: expected a number from 0 to 1'),
    ({'aug': 'noaug', 'augpipe': 'bg'}, '--augpipe=bg does not apply without augmentation'),
    ({'cmethod': 'shallowmap'}, '--cmethod=shallowmap: .* have 2 mapping layers already'),
    ({'dcap': 0.0}, '--dcap=0: expected a number above 0'),
    ({'freezed': -1}, '--freezed=-1: expected a whole number of at least 0'),
    ({'cfg': 'cifar', 'gpus': 4}, '--gpus=4: --cfg=cifar shares its minibatch among at most 2'),
]


@pytest.mark.parametrize(('flags', 'message'), REFUSED)
def test_flags_are_checked_in_the_published_order(flags, message, data):
    index = REFUSED.index((flags, message))
    later = {name: value for others, _ in REFUSED[index + 1:] for name, value in others.items()
             if name not in ('aug', 'p', 'target', 'gpus')}  # whose faults depend on each other
    with pytest.raises(UserError, match=message):
        options(data, **{**later, **flags})


@pytest.mark.parametrize(('flags', 'message'), [
    ({'cmethod': 'pagan'}, '--cmethod=pagan cannot be combined with augmentation; add --aug=noaug'),
    ({'cmethod': 'adropout', 'aug': 'ada'}, '--cmethod=adropout cannot be combined with augmentation'),
    ({'cmethod': 'wgangp'}, '--cmethod=wgangp cannot be combined with augmentation'),
    ({'cmethod': 'wgangp', 'aug': 'noaug', 'gamma': 1.0}, '--cmethod=wgangp trains without R1; omit --gamma'),
    ({'cmethod': 'auxrot', 'data': 'labels'}, '--cmethod=auxrot does not work with labels'),
    ({'cmethod': 'auxrot', 'data': 'wide'}, '--cmethod=auxrot turns images .* needs squares, not 16x8'),
    ({'cmethod': 'shallowmap', 'cfg': 'cifar'}, 'have 2 mapping layers already'),
    ({'gamma': float('nan')}, '--gamma=nan: expected a number of at least 0'),
    ({'aug': 'fixed', 'p': float('nan')}, '--p=nan: expected a number from 0 to 1'),
    ({'cfg': 'paper256', 'gpus': 16}, '--gpus=16: --cfg=paper256 shares its minibatch among at most 8'),
    ({'metricdata': 'small'}, r'--metricdata=.*small: has images of shape \[3, 8, 8\] .* expected those of'),
    ({'metricdata': 'labels'}, 'with labels of 2 components'),
    ({'freezed': 10}, '--freezed=10: a discriminator of resolution 16 has only 9 layers'),
    ({'subset': 41}, '--subset=41: the data set holds 40 images; choose at most that'),
    ({'cond': True}, '--cond: .*mydata has no labels'),
    ({'batch': 9, 'gpus': 2}, '--batch=9 cannot be shared evenly by 2 devices'),
])
def test_flags_that_do_not_go_together_are_refused(flags, message, data):
    flags = {name: data.get(value, value) if name in ('data', 'metricdata') else value
             for name, value in flags.items()}
    with pytest.raises(UserError, match=message):
        options(data, **flags)


def test_rotations_are_allowed_if_labels_are_ignored(data):
    assert options(data, data=data['labels'], cmethod='auxrot', cond=False).D_args.score_max == 5


def test_labels_that_are_ignored_may_be_missing_in_the_data_set_of_the_metrics(data):
    found = options(data, data=data['labels'], cond=False, metricdata=data['plain'])
    assert found.metric_dataset_args == {**found.train_dataset_args, 'path': data['plain']}


def test_the_groups_of_the_help_have_the_published_order():
    parser = train_flags.make_parser('', [])
    assert [group.title for group in parser._action_groups[2:]] == [
        'general options', 'training dataset', 'metrics', 'base config', 'discriminator augmentation',
        'comparison methods', 'transfer learning', 'flags beyond the published ones']


def test_options_become_arguments_of_the_training_loop(data):
    found = options(data, data=data['labels'], mirror=True, resume='ffhq256', subset=12, batch=8,
                    metrics=['fid50k_full', 'pr50k3'], metricdata=data['labels'])
    settings = ada_loop.loop_settings(found, train_options.has_labels(found), seed=5)
    folder, name = data['labels'].rsplit('/', 1)
    assert (settings['data_dir'], settings['dataset_args'], settings['mirror_augment']) == (
        folder, {'tfrecord_dir': name, 'max_label_size': 'full', 'resolution': 16, 'max_images': 12}, True)
    assert settings['sched_args'] == {
        'G_lrate_base': 0.0025, 'D_lrate_base': 0.0025, 'minibatch_size_base': 8, 'minibatch_gpu_base': 8,
        'tick_kimg_base': 4, 'tick_kimg_dict': {}}
    assert settings['G_opt_args'] == settings['D_opt_args'] == {'beta1': 0.0, 'beta2': 0.99}
    assert settings['grid_args'] == {'size': '8k', 'layout': 'row_per_class'}
    assert settings['tf_config'] == {'rnd.np_random_seed': 5}
    assert settings['resume_with_new_nets'] is True and settings['resume_pkl'] == found.resume_pkl
    assert settings['run_options'] == found and found.G_opt_args.learning_rate == 0.0025
    for metric in settings['metric_arg_list']:
        assert metric['force_dataset_args']['max_images'] is None, 'metrics see the whole data set'
    other = options(data, metricdata=data['folder'])
    [metric] = ada_loop.loop_settings(other, False, seed=5)['metric_arg_list']
    assert metric['force_dataset_args'] == {**metric_defaults.fid50k_full['force_dataset_args'],
                                            'tfrecord_dir': data['folder']}
    same = options(data)
    assert ada_loop.loop_settings(same, False, 5)['metric_arg_list'] == same.metric_arg_list


@pytest.fixture
def submitted(monkeypatch):
    """Collect the submissions of main() instead of running them: [(SubmitConfig, function, settings)]."""
    calls = []
    monkeypatch.setattr(dnnlib, 'submit_run', lambda sc, func, **kwargs: calls.append((sc, func, kwargs)))
    monkeypatch.setattr(submission, 'show_memory', lambda *args: None)
    return calls


def _main(*argv):
    cli.run_script(lambda: train.main([*argv]))


def test_a_dry_run_prints_the_options_and_creates_nothing(data, submitted, tmp_path, capsys):
    (tmp_path / 'out' / '00006-x').mkdir(parents=True)
    _main(f'--outdir={tmp_path}/out', f'--data={data["plain"]}', '--mirror=1', '--kimg=100', '--dry-run')
    start, _, rest = capsys.readouterr().out.partition('{')
    printed, end = json.JSONDecoder().raw_decode('{' + rest)
    run_dir = f'{tmp_path}/out/00007-mydata-mirror-auto1-kimg100'
    assert start.strip() == 'Training options:'
    assert list(printed) == [*KEYS, 'run_dir'] and printed['run_dir'] == run_dir
    assert ('{' + rest)[:end] == json.dumps(printed, indent=2)
    assert ('{' + rest)[end:].strip().splitlines() == [
        f'Output directory:  {run_dir}', f'Training data:     {data["plain"]}', 'Training length:   100 kimg',
        'Resolution:        16', 'Number of GPUs:    1', '', 'Dry run; exiting.']
    assert not submitted and [path.name for path in (tmp_path / 'out').iterdir()] == ['00006-x']


def test_the_default_metric_is_left_out_with_a_line_where_its_network_is_not_at_hand(
        data, submitted, monkeypatch, tmp_path, capsys):
    source = metric_stand_ins.StandIn(metric_stand_ins.inception_features, why_missing='x.pkl is not trusted')
    monkeypatch.setitem(feature_networks.SOURCES, 'inception_v3_features', (source,))
    flags = [f'--outdir={tmp_path}', f'--data={data["zip"]}', '--seed=7', '--fp16=true']
    _main(*flags)
    [(sc, func, settings)] = submitted
    assert func == 'training.training_loop.training_loop'
    assert (sc.run_dir_root, sc.run_desc, sc.num_gpus) == (str(tmp_path), 'my-photos-auto1', 1)
    assert settings['metric_arg_list'] == [] and settings['tf_config'] == {'rnd.np_random_seed': 7}
    assert settings['fp16_on_cpu'] is True
    assert 'without the default metric, fid50k_full: x.pkl is not trusted.' in capsys.readouterr().out
    with pytest.raises(SystemExit):
        _main(*flags, '--metrics=fid50k_full')
    assert capsys.readouterr().err == 'Error: x.pkl is not trusted\n'
    assert len(submitted) == 1
