"""Test run_training.py: the settings that flags produce, and errors before anything runs."""

import inspect
import json
import pathlib
import re

import pytest

import dnnlib
import run_training
import train
from dnnlib import cli
from dnnlib.submission import submit
from metrics.features import feature_networks
from metrics.metric_defaults import metric_defaults
from tests import image_sets, metric_stand_ins
from training.augmentation.named_pipelines import PIPELINES
from training.loop.schedule import training_schedule
from training.resuming import command
from training.settings import ada_loop, flags, submission
from training.settings.configs import CONFIGS, PRESETS, config_settings
from training.settings.from_flags import OWN_FLAGS
from training.training_loop import training_loop


@pytest.fixture
def data_dir(tmp_path):
    """Create a folder with a data set of one empty file."""
    (tmp_path / 'ffhq').mkdir()
    (tmp_path / 'ffhq' / 'ffhq-r08.tfrecords').touch()
    return tmp_path


@pytest.fixture
def submitted(monkeypatch):
    """Collect the submissions of main() instead of running them: [(SubmitConfig, function name, settings),
    ...]."""
    calls = []
    monkeypatch.setattr(run_training, 'check_files', lambda args, settings: None)
    monkeypatch.setattr(dnnlib, 'submit_run', lambda sc, func, **kwargs: calls.append((sc, func, kwargs)))
    monkeypatch.setattr(submission, 'show_memory', lambda *args: None)
    return calls


def _main(data_dir, *flags):
    cli.run_script(lambda: run_training.main([f'--data-dir={data_dir}', '--dataset=ffhq', *flags]))


def test_published_flags_give_the_published_settings(data_dir, submitted):
    _main(data_dir, '--config=config-f', '--num-gpus=8', '--mirror-augment=true', '--metrics=none',
          '--result-dir=out')
    [(sc, func, settings)] = submitted
    assert func == 'training.training_loop.training_loop'
    assert settings == {
        **config_settings('config-f'), 'data_dir': str(data_dir), 'dataset_args': {'tfrecord_dir': 'ffhq'},
        'mirror_augment': True, 'metric_arg_list': [], 'precision': 'float32'}
    assert settings['total_kimg'] == 25000
    assert (sc.num_gpus, sc.run_dir_root, sc.run_desc) == (8, 'out', 'stylegan2-ffhq-8gpu-config-f')
    assert sc.local.do_not_copy_source_files


@pytest.mark.parametrize('words', [
    ['--dataset={folder}/my photos.zip'], ['--data-dir={folder}', '--dataset=my photos.zip'],
    ['--data-dir=elsewhere', '--dataset={folder}/my photos.zip'], ['--dataset=my photos.zip'],
    ['--dataset=../mine/my photos.zip']])
def test_a_data_set_may_be_named_by_its_path(tmp_path, submitted, monkeypatch, words):
    folder = tmp_path / 'mine'
    (folder / 'elsewhere').mkdir(parents=True)
    monkeypatch.chdir(folder)
    image_sets.zipped(pathlib.Path(image_sets.write_folder(tmp_path / 'a', image_sets.pixels(2))),
                      folder / 'my photos.zip')
    words = [word.format(folder=folder) for word in words]
    run_training.main([*words, '--config=config-f', '--metrics=none'])
    [(sc, _, settings)] = submitted
    assert settings['data_dir'] == str(folder)
    assert settings['dataset_args'] == {'tfrecord_dir': 'my photos.zip'}
    assert sc.run_desc == 'stylegan2-my-photos-1gpu-config-f'


def test_a_path_on_the_command_line_of_a_resumed_run_is_where_the_data_set_is_now():
    parser = flags.make_parser('', [])
    found = flags.those_given(parser, ['--resume=latest', '--dataset=/new/photos.zip'])
    assert found == {'resume': 'latest', 'data-dir': '/new', 'dataset': 'photos.zip'}
    assert flags.those_given(parser, ['--dataset=photos.zip']) == {'dataset': 'photos.zip'}


def test_gamma_overrides_the_weight_of_the_config(data_dir, submitted):
    _main(data_dir, '--config=config-e', '--metrics=none', '--gamma=3.5', '--total-kimg=7')
    settings = submitted[0][2]
    assert settings['D_loss_args'] == {'func_name': 'training.loss.D_logistic_r1', 'gamma': 3.5}
    assert settings['total_kimg'] == 7


def _stand_in(monkeypatch, why_missing):
    source = metric_stand_ins.StandIn(metric_stand_ins.inception_features, why_missing=why_missing)
    monkeypatch.setitem(feature_networks.SOURCES, 'inception_v3_features', (source,))


def test_the_default_metric_is_left_out_with_a_line_where_its_network_is_not_at_hand(
        data_dir, submitted, monkeypatch, capsys):
    _stand_in(monkeypatch, 'x.pkl is not trusted')
    _main(data_dir, '--config=config-f')
    assert submitted.pop()[2]['metric_arg_list'] == []
    assert 'without the default metric, fid50k: x.pkl is not trusted.' in capsys.readouterr().out
    _stand_in(monkeypatch, None)
    _main(data_dir, '--config=config-f')
    assert submitted[0][2]['metric_arg_list'] == [metric_defaults.fid50k]
    assert not capsys.readouterr().out


def test_a_metric_that_is_asked_for_must_be_there_before_training_starts(
        data_dir, submitted, monkeypatch, capsys):
    _stand_in(monkeypatch, 'x.pkl is not trusted')
    with pytest.raises(SystemExit):
        _main(data_dir, '--config=config-f', '--metrics=fid50k')
    assert capsys.readouterr().err == 'Error: x.pkl is not trusted\n'
    assert not submitted
    _stand_in(monkeypatch, None)
    _main(data_dir, '--config=config-f', '--metrics=fid50k')
    assert submitted[0][2]['metric_arg_list'] == [metric_defaults.fid50k]


def test_own_flags_reach_their_settings(data_dir, submitted):
    _main(data_dir, '--config=config-f', '--metrics=None', '--fmap-base=512', '--fmap-max=64',
          '--mapping-layers=4', '--minibatch-size=16', '--minibatch-gpu=8', '--lrate=0.003',
          '--tick-kimg=0.5', '--smoothing-kimg=1', '--snapshot-ticks=2', '--grid-size=4k', '--seed=5',
          '--resume-kimg=3')
    settings = submitted[0][2]
    assert settings['G_args'] == {
        'func_name': 'training.networks_stylegan2.G_main', 'fmap_base': 512, 'fmap_max': 64,
        'mapping_layers': 4}
    assert settings['D_args'] == {
        'func_name': 'training.networks_stylegan2.D_stylegan2', 'fmap_base': 512, 'fmap_max': 64}
    assert settings['sched_args'] == {'G_lrate_base': 0.003, 'D_lrate_base': 0.003, 'minibatch_size_base': 16,
                                      'minibatch_gpu_base': 8, 'tick_kimg_base': 0.5, 'tick_kimg_dict': {},
                                      'G_lrate_dict': {}, 'D_lrate_dict': {}, 'minibatch_size_dict': {},
                                      'minibatch_gpu_dict': {}}
    assert settings['tf_config'] == {'rnd.np_random_seed': 5}
    assert settings['grid_args'] == {'size': '4k', 'layout': 'random'}
    assert settings['image_snapshot_ticks'] == settings['network_snapshot_ticks'] == 2
    assert (settings['G_smoothing_kimg'], settings['resume_kimg']) == (1.0, 3.0)


def test_every_own_flag_names_a_setting_that_the_training_loop_has():
    known = set(inspect.signature(training_loop).parameters)
    schedule = set(inspect.signature(training_schedule).parameters)
    for *_, places in OWN_FLAGS.values():
        for group, _, key in (place.partition('.') for place in places):
            assert group in known
            assert group != 'sched_args' or key in schedule


def _settings(data_dir, submitted, *flags):
    _main(data_dir, '--metrics=none', *flags)
    return submitted.pop()[2]


def test_a_value_for_all_resolutions_takes_the_tables_away(data_dir, submitted):
    flags = ('--config=config-a', '--minibatch-size=64', '--lrate=0.001')
    sched = _settings(data_dir, submitted, *flags)['sched_args']
    assert (sched['minibatch_size_base'], sched['minibatch_size_dict']) == (64, {})
    assert sched['G_lrate_dict'] == sched['D_lrate_dict'] == {}
    sched = _settings(data_dir, submitted, '--config=config-a', '--minibatch-size-by-res=8:128,16:64',
                      '--lrate-by-res=64:0.002')['sched_args']
    assert (sched['minibatch_size_base'], sched['minibatch_size_dict']) == (32, {8: 128, 16: 64})
    assert sched['G_lrate_dict'] == sched['D_lrate_dict'] == {64: 0.002}
    assert sched['G_lrate_base'] == 0.001


@pytest.mark.parametrize(('flags', 'base', 'by_resolution'), [
    (['--config=config-f', '--num-gpus=8'], (32, 4), {}),
    (['--config=config-f', '--num-gpus=16'], (32, 2), {}),
    (['--config=config-f', '--num-gpus=3', '--minibatch-size=24'], (24, 4), {}),
    (['--config=config-f', '--minibatch-size=10'], (10, 2), {}),
    (['--config=config-a', '--num-gpus=8'], (32, 4), {8: (256, 32), 16: (128, 16), 32: (64, 8), 64: (32, 4)}),
    (['--config=config-a', '--num-gpus=16'], (32, 2), {8: (256, 16), 16: (128, 8), 32: (64, 4), 64: (32, 2)}),
    (['--config=stylegan', '--num-gpus=3'], (6, 2), {
        4: (252, 84), 8: (252, 84), 16: (120, 40), 32: (60, 20), 64: (24, 8), 128: (12, 4), 256: (6, 2)}),
])
def test_devices_share_the_minibatch_evenly_at_every_resolution(
        flags, base, by_resolution, data_dir, submitted):
    sched = _settings(data_dir, submitted, *flags)['sched_args']
    assert (sched['minibatch_size_base'], sched['minibatch_gpu_base']) == base
    assert {resolution: (size, sched['minibatch_gpu_dict'][resolution])
            for resolution, size in sched.get('minibatch_size_dict', {}).items()} == by_resolution


def test_a_grid_that_is_asked_for_is_drawn_however_long_it_takes(data_dir, submitted):
    assert 'cpu_grid_seconds' not in _settings(data_dir, submitted, '--config=config-f')
    settings = _settings(data_dir, submitted, '--config=config-f', '--grid-size=8k')
    assert (settings['grid_args']['size'], settings['cpu_grid_seconds']) == ('8k', None)


def test_flags_of_experiments_reach_their_settings(data_dir, submitted):
    (data_dir / 'ffhq' / 'ffhq-rxx.labels').touch()
    settings = _settings(
        data_dir, submitted, '--config=stylegan', '--gamma=3', '--style-mixing-prob=0.5', '--noise=no',
        '--labels=full', '--grid-layout=row_per_class', '--resolution=256', '--snapshot-kimg=100',
        '--lod-initial-resolution=4', '--lod-training-kimg=300', '--lod-transition-kimg=200',
        '--lrate-rampup-kimg=5', '--lazy-regularization=yes', '--total-kimg=9')
    assert settings['D_loss_args'] == {'func_name': 'training.loss.D_logistic_simplegp', 'r1_gamma': 3.0}
    assert settings['G_args']['style_mixing_prob'] == 0.5
    assert settings['use_noise'] is False
    assert settings['lazy_regularization'] is True
    assert settings['dataset_args'] == {'tfrecord_dir': 'ffhq', 'max_label_size': 'full', 'resolution': 256}
    assert settings['grid_args'] == {'size': '4k', 'layout': 'row_per_class'}
    assert (settings['snapshot_kimg'], settings['total_kimg']) == (100, 9)
    sched = settings['sched_args']
    growing = ('lod_initial_resolution', 'lod_training_kimg', 'lod_transition_kimg', 'lrate_rampup_kimg')
    assert [sched[key] for key in growing] == [4, 300, 200, 5]


def test_a_run_directory_is_resumed_at_its_newest_snapshot(data_dir, submitted, tmp_path):
    for name in ('network-snapshot-000020.pkl', 'network-snapshot-000140.pkl', 'network-final.pkl'):
        (tmp_path / name).touch()
    settings = _settings(data_dir, submitted, '--config=config-f', f'--resume={tmp_path}')
    newest = str(tmp_path / 'network-snapshot-000140.pkl')
    assert (settings['resume_pkl'], settings['resume_kimg']) == (newest, 140)
    settings = _settings(data_dir, submitted, '--config=config-f', f'--resume={tmp_path}', '--resume-kimg=7')
    assert settings['resume_kimg'] == 7
    final = str(tmp_path / 'network-final.pkl')
    settings = _settings(data_dir, submitted, '--config=config-f', f'--resume={final}')
    assert settings['resume_pkl'] == final
    assert 'resume_kimg' not in settings, 'a pickle alone says nothing about progress'


@pytest.fixture
def run_dir(data_dir, submitted, tmp_path):
    """Create the directory of a config-f run with one empty training state."""
    _main(data_dir, '--config=config-f', '--metrics=none', '--seed=7', '--fmap-max=64')
    sc, sc.run_func_name, sc.run_func_kwargs = submitted.pop()
    sc.run_dir = str(tmp_path / 'results' / '00003-stylegan2-ffhq-1gpu-config-f')
    pathlib.Path(sc.run_dir, 'training-state-000012.000').mkdir(parents=True)
    submit._write_config(sc)
    return sc.run_dir


@pytest.fixture
def continued(monkeypatch):
    """Collect the runs that main() would resume: [(run, SubmitConfig), ...]."""
    calls = []
    monkeypatch.setattr(command, 'resume', lambda run, sc: calls.append((run, sc)))
    return calls


def _resume(*flags):
    cli.run_script(lambda: run_training.main([*flags]))


def test_a_run_goes_on_with_its_own_settings_but_for_what_may_change(run_dir, continued):
    root = pathlib.Path(run_dir).parent
    _resume('--resume=latest', f'--result-dir={root}')
    _resume(f'--resume={run_dir}', '--config=config-f', '--num-gpus=1', '--seed=7', '--gamma=10',
            '--fmap-max=64', '--mapping-layers=8', '--total-kimg=30000', '--metrics=none',
            '--snapshot-ticks=5', '--keep-states=9', '--aug=noaug', '--dcap=1')
    _resume(f'--resume={run_dir}/training-state-000012.000')
    (run, sc), (_, changed), (named, _) = continued
    assert (run.run_dir, run.state_path, named.state_path) == (
        run_dir, None, f'{run_dir}/training-state-000012.000')
    assert sc.run_func_kwargs['tf_config'] == {'rnd.np_random_seed': 7}
    before = sc.run_func_kwargs
    different = {key for key, value in changed.run_func_kwargs.items() if before.get(key) != value}
    assert different == {'total_kimg', 'image_snapshot_ticks', 'network_snapshot_ticks', 'keep_states'}
    assert changed.run_func_kwargs['total_kimg'] == 30000


@pytest.mark.parametrize(('flag', 'message'), [
    ('--gamma=11', '--gamma=11.0 contradicts the run in .*, which has 10; leave it out'),
    ('--seed=8', '--seed=8 contradicts the run in .*, which has 7'),
    ('--config=config-e', '--config=config-e contradicts .*, which is stylegan2-ffhq-1gpu-config-f'),
    ('--num-gpus=2', '--num-gpus=2 contradicts .*, which has 1'),
    ('--minibatch-size=16', '--minibatch-size=16 contradicts .*, which has 32'),
    ('--resume-kimg=3', '--resume-kimg=3.0 contradicts'),
    ('--mirror-augment=yes', '--mirror-augment=True contradicts'),
    ('--aug=ada', '--aug=ada contradicts the run in .*, which has noaug; leave it out'),
    ('--dcap=0.5', '--dcap=0.5 contradicts the run in .*, which has 1.0'),
    ('--metrics=fid51k', "unknown metric 'fid51k'")])
def test_a_flag_that_contradicts_a_run_is_refused(flag, message, run_dir, continued, capsys):
    with pytest.raises(SystemExit) as exit_info:
        _resume(f'--resume={run_dir}', flag)
    assert exit_info.value.code == 2
    assert re.search(message, capsys.readouterr().err)
    assert not continued


def test_a_run_goes_on_neither_with_abort_txt_nor_beside_another_process(run_dir, capsys):
    for path in (run_dir, f'{run_dir}/training-state-000012.000'):
        with pytest.raises(SystemExit):
            _resume(f'--resume={path}')
    errors = capsys.readouterr().err
    assert 'none of the training states is intact' in errors
    assert 'state.json is missing or damaged' in errors
    with submit.alone_in(run_dir), pytest.raises(SystemExit):
        _resume(f'--resume={run_dir}')
    assert f'Error: {run_dir}: another process uses this run directory' in capsys.readouterr().err
    pathlib.Path(run_dir, 'abort.txt').touch()
    with pytest.raises(SystemExit):
        _resume(f'--resume={run_dir}')
    assert 'abort.txt: this file ended the run; remove it to resume' in capsys.readouterr().err


def test_latest_needs_a_run_with_a_state(tmp_path, capsys):
    with pytest.raises(SystemExit):
        _resume('--resume=latest', f'--result-dir={tmp_path}')
    assert f'--resume=latest: no run in {tmp_path} has a training state' in capsys.readouterr().err


def test_a_pickle_gives_weights_only_and_a_line_says_so(data_dir, submitted, tmp_path, capsys):
    (tmp_path / 'some.pkl').touch()
    _settings(data_dir, submitted, '--config=config-f', f'--resume={tmp_path}/some.pkl')
    assert 'Only the weights of the networks come from' in capsys.readouterr().out


AUGMENT = 'training.augment.augment_pipeline'
CONTROLLER = {'class_name': 'training.augment.AdaptiveAugment', 'tune_heuristic': 'rt', 'tune_target': 0.6,
              'apply_func': AUGMENT, 'apply_args': dict.fromkeys(PIPELINES['bgc'], 1)}


def test_augmentation_of_any_configuration_is_one_flag(data_dir, submitted):
    for config in ('config-f', 'config-a', 'stylegan', 'progan'):
        plain, augmented = (_settings(data_dir, submitted, f'--config={config}', *flags)
                            for flags in ([], ['--aug=ada']))
        assert augmented == {**plain, 'augment_args': CONTROLLER}
        assert 'augment_args' not in plain
        assert _settings(data_dir, submitted, f'--config={config}', '--aug=noaug') == plain
    fixed = _settings(data_dir, submitted, '--config=config-f', '--aug=fixed', '--p=0.3', '--augpipe=noise')
    assert fixed['augment_args'] == {'class_name': CONTROLLER['class_name'], 'initial_strength': 0.3,
                                     'apply_func': AUGMENT, 'apply_args': {'noise': 1}}


def test_the_pace_of_augmentation_is_faster_from_a_network_that_was_trained(data_dir, submitted, tmp_path):
    (tmp_path / 'some.pkl').touch()
    flags = ['--config=config-f', '--aug=ada', '--target=0.5']
    resumed = _settings(data_dir, submitted, *flags, f'--resume={tmp_path}/some.pkl')['augment_args']
    assert resumed == {**CONTROLLER, 'tune_target': 0.5, 'tune_kimg': 100}
    resumed = _settings(data_dir, submitted, *flags, f'--resume={tmp_path}/some.pkl', '--aug-kimg=20')
    assert resumed['augment_args']['tune_kimg'] == 20
    plain = _settings(data_dir, submitted, '--config=config-f', f'--resume={tmp_path}/some.pkl')
    assert 'augment_args' not in plain


def test_the_capacity_of_the_discriminator_is_multiplied(data_dir, submitted):
    for config, base in (('config-f', 16384), ('config-e', 8192), ('config-a', 8192), ('progan', 8192)):
        settings = _settings(data_dir, submitted, f'--config={config}', '--dcap=0.5')
        assert (settings['D_args']['fmap_base'], settings['D_args']['fmap_max']) == (base // 2, 256)
    settings = _settings(data_dir, submitted, '--config=config-f', '--dcap=2', '--fmap-base=64',
                         '--fmap-max=8')
    assert (settings['D_args']['fmap_base'], settings['D_args']['fmap_max']) == (128, 16)
    assert (settings['G_args']['fmap_base'], settings['G_args']['fmap_max']) == (64, 8)


@pytest.fixture
def small(tmp_path):
    """Write a data set of 16x16 images without labels. -> flags that name it."""
    images = image_sets.pixels(4, height=16, width=16)
    return [f'--dataset={image_sets.write_folder(tmp_path / "small", images)}', '--metrics=none']


def _ada(small, submitted, *flags):
    cli.run_script(lambda: run_training.main([*small, *flags]))
    return submitted.pop()


@pytest.mark.parametrize('name', ['auto', 'stylegan2', 'paper256', 'paper512', 'paper1024', 'cifar',
                                  'cifarbaseline'])
def test_a_configuration_of_stylegan2_ada_is_that_of_train_py(name, small, submitted):
    path = small[0].partition('=')[2]
    _, options = train.setup_training_options(data=path, cfg=name, metrics=[], gpus=2)
    expected = ada_loop.loop_settings(options, has_labels=False, seed=1000)
    sc, _, settings = _ada(small, submitted, f'--config=ada-{name}', '--num-gpus=2')
    assert sc.run_desc == f'stylegan2-small-2gpu-ada-{name}'
    assert expected.pop('run_options') == options
    assert expected.pop('dataset_args') == {**settings['dataset_args'], 'resolution': 16,
                                            'max_label_size': 'full'}
    assert settings == {**expected, 'dataset_args': settings['dataset_args']}


def test_flags_change_a_configuration_of_stylegan2_ada(small, submitted):
    _, _, settings = _ada(
        small, submitted, '--config=ada-auto', '--gamma=3', '--fmap-base=64', '--minibatch-size=16',
        '--mapping-layers=4', '--lrate=0.001', '--tick-kimg=1', '--smoothing-kimg=2', '--snapshot-ticks=5',
        '--cmethod=bcr', '--freezed=3', '--fp16=true', '--dcap=0.5', '--aug=noaug', '--seed=3')
    assert settings['loss_args']['r1_gamma'] == 3 and settings['loss_args']['bcr_real_weight'] == 10
    assert (settings['G_args']['fmap_base'], settings['G_args']['mapping_layers']) == (64, 4)
    assert (settings['D_args']['fmap_base'], settings['D_args']['freeze_layers']) == (32, 3)
    sched = settings['sched_args']
    assert (sched['minibatch_size_base'], sched['minibatch_gpu_base'], sched['tick_kimg_base']) == (16, 16, 1)
    assert sched['G_lrate_base'] == sched['D_lrate_base'] == 0.001
    assert settings['augment_args'] == {'class_name': CONTROLLER['class_name']}
    assert settings['precision'] == 'mixed' and settings['tf_config'] == {'rnd.np_random_seed': 3}
    assert (settings['G_smoothing_kimg'], settings['image_snapshot_ticks']) == (2, 5)
    _, _, settings = _ada(small, submitted, '--config=ada-auto', '--minibatch-size=16', '--fp16=false')
    assert settings['loss_args']['r1_gamma'] == 0.0002 * 16 ** 2 / 16, 'auto follows the minibatch'
    assert (settings['G_smoothing_kimg'], settings['G_args']['num_fp16_res']) == (5, 0)
    _, _, settings = _ada(small, submitted, '--config=ada-cifar', '--num-gpus=4')
    assert settings['sched_args']['minibatch_gpu_base'] == 16


HALF = {'num_fp16_res': 4, 'conv_clamp': 256}


@pytest.mark.parametrize(('flags', 'name', 'layers'), [
    ([], None, HALF), (['--fp16=auto'], None, HALF),
    (['--precision=float32'], 'float32', {**HALF, 'num_fp16_res': 0}),
    (['--precision=tf32'], 'tf32', {**HALF, 'num_fp16_res': 0}),
    (['--precision=tf32', '--fp16=false'], 'tf32', {**HALF, 'num_fp16_res': 0}),
    (['--fp16=false'], 'float32', {**HALF, 'num_fp16_res': 0}),
    (['--precision=mixed'], 'mixed', HALF), (['--fp16=true'], 'mixed', HALF),
    (['--precision=mixed', '--fp16=true'], 'mixed', HALF),
    (['--precision=bfloat16'], 'bfloat16', {**HALF, 'half_dtype': 'bfloat16'})])
def test_the_precision_of_stylegan2_ada_says_which_layers_run_in_half(flags, name, layers, small, submitted):
    _, _, settings = _ada(small, submitted, '--config=ada-auto', *flags)
    assert settings.get('precision') == name
    for args in ('G_args', 'D_args'):
        found = {key: settings[args][key] for key in (*HALF, 'half_dtype') if key in settings[args]}
        assert found == layers
    assert not any('scaling' in key for args in ('G_opt_args', 'D_opt_args') for key in settings[args])


@pytest.mark.parametrize(('name', 'fp16'), [
    ('float32', 'true'), ('tf32', 'true'), ('mixed', 'false'), ('bfloat16', 'true'), ('bfloat16', 'false')])
def test_a_precision_that_contradicts_fp16_is_refused(name, fp16, small, submitted, capsys):
    with pytest.raises(SystemExit) as exit_info:
        _ada(small, submitted, '--config=ada-auto', f'--precision={name}', f'--fp16={fp16}')
    assert exit_info.value.code == 2 and not submitted
    assert capsys.readouterr().err == (
        f'Error: --precision={name} contradicts --fp16={fp16}; omit one of them\n')


def test_a_network_is_copied_into_new_ones_of_stylegan2_ada(small, submitted, tmp_path):
    (tmp_path / 'some.pkl').touch()
    flags = ['--config=ada-auto', f'--resume={tmp_path}/some.pkl']
    settings = _ada(small, submitted, *flags)[2]
    assert settings['resume_with_new_nets'] is True and settings['G_smoothing_rampup'] is None
    assert settings['augment_args']['tune_kimg'] == 100
    assert _ada(small, submitted, *flags, '--resume-with-new-nets=no')[2]['resume_with_new_nets'] is False


def test_a_dry_run_prints_the_augmentation(small, submitted, capsys):
    cli.run_script(lambda: run_training.main([*small, '--config=ada-auto', '--dry-run']))
    printed = json.loads(capsys.readouterr().out)['settings']
    assert printed['augment_args'] == {**CONTROLLER, 'initial_strength': 0, 'stat_decay_kimg': 0,
                                       'tune_kimg': 500}
    assert printed['loss_args']['pl_weight'] == 2 and printed['G_loss_args'] == {}
    assert not submitted


@pytest.mark.parametrize('config', [*CONFIGS, *PRESETS])
def test_a_dry_run_prints_every_setting_and_starts_nothing(config, data_dir, submitted, capsys):
    _main(data_dir, f'--config={config}', '--dry-run', '--num-gpus=2')
    printed = json.loads(capsys.readouterr().out)
    assert not submitted
    assert printed['run_func_name'] == 'training.training_loop.training_loop'
    assert printed['num_gpus'] == 2
    settings = printed['settings']
    assert set(settings) == set(inspect.signature(training_loop).parameters)
    schedule = [*inspect.signature(training_schedule).parameters][2:]
    assert set(settings['sched_args']) == set(schedule)
    assert settings['tf_config'] == {'rnd.np_random_seed': 1000}
    assert settings['dataset_args']['max_label_size'] == 0
    assert settings['G_args']['fmap_max'] == settings['D_args']['fmap_max'] == 512
    for group, given in config_settings(config, 2).items():
        if isinstance(given, dict):
            as_json = json.loads(json.dumps(given))
            assert {key: settings[group][key] for key in as_json} == as_json


@pytest.mark.parametrize(('flags', 'message'), [
    (['--config=config-z'], '--config value must be one of:  config-a, config-b, config-c, '),
    (['--config=config-f', '--metrics=fid51k'], "unknown metric 'fid51k'"),
    (['--config=config-f', '--num-gpus=3'], 'a minibatch of 32 cannot be shared evenly by 3 devices'),
    (['--config=stylegan', '--num-gpus=64'], 'a minibatch of 0 cannot be shared evenly by 64 devices'),
    (['--config=config-f', '--num-gpus=32'], 'path length regularization needs at least 2 images at a time'),
    (['--config=config-f', '--minibatch-size=12', '--minibatch-gpu=6'], '=6: expected less than 4 or a '),
    (['--config=config-a', '--minibatch-size-by-res=8:63', '--num-gpus=2'], 'of 63 at resolution 8'),
    (['--config=progan', '--gamma=1'], '--gamma does not apply to --config=progan'),
    (['--config=progan', '--style-mixing-prob=0'], '--style-mixing-prob does not apply to --config=progan'),
    (['--config=config-a', '--style-mixing-prob=90'], 'expected a number from 0 to 1'),
    (['--config=config-a', '--lrate-by-res=12:0.1'], 'expected resolutions (4, 8, 16, ...) with values'),
    (['--config=config-a', '--lrate-by-res=16'], 'expected resolutions (4, 8, 16, ...) with values'),
    (['--config=config-f', '--labels=full'], 'has no *.labels file'),
    (['--config=config-f', '--grid-layout=class4x4'], '--grid-layout=class4x4 sorts by labels; add --labels'),
    (['--config=config-f', '--labels=some'], "expected a whole number of at least 0, not 'some'"),
    (['--config=config-f', '--grid-layout=rows'], "--grid-layout: invalid choice: 'rows'"),
    (['--config=config-f', '--metrics=none', '--dataset=cats'], '--dataset=cats: there is no such folder'),
    (['--config=config-f', '--metrics=none', '--data-dir=/nowhere'], 'dataset root directory does not exist'),
    (['--config=config-f', '--minibatch-size=10', '--minibatch-gpu=4'], '=10 must be a multiple of 4'),
    (['--config=config-f', '--metrics=none', '--resume=gone.pkl'], '--resume=gone.pkl: no such file'),
    (['--config=config-f', '--metrics=none', '--resume=.'], 'the directory holds no network-snapshot-*.pkl'),
    (['--config=config-f', '--gamma=-1'], 'expected a number of at least 0'),
    (['--config=config-f', '--total-kimg=many'], 'expected a whole number'),
    (['--config=config-f', '--mirror-augment=perhaps'], 'Boolean value expected.'),
    (['--config=config-f', '--seed=4294967296'], 'argument --seed: expected a whole number from 0 to'),
    (['--config=config-f', '--dataset=./ffhq'], '--dataset=./ffhq: expected the name of a folder'),
    (['--config=config-f', '--grid-size=16k'], "--grid-size: invalid choice: '16k'"),
    ([], 'the following arguments are required: --config'),
])
def test_a_bad_flag_gives_one_clear_line_and_status_2(flags, message, data_dir, submitted, capsys):
    with pytest.raises(SystemExit) as exit_info:
        _main(data_dir, *flags)
    assert exit_info.value.code == 2
    assert message in capsys.readouterr().err
    assert not submitted


def test_help_lists_configurations_and_own_flags(capsys):
    with pytest.raises(SystemExit):
        run_training.main(['--help'])
    text = capsys.readouterr().out
    for part in ('config-e-Gskip-Dresnet', 'progan', 'flags beyond the published ones', '--fmap-base'):
        assert part in text
