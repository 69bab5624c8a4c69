"""run_training.py: what the flags mean, and what is refused before anything runs."""

import inspect

import pytest

import dnnlib
import run_training
from dnnlib import cli
from training.configs import config_settings
from training.schedule import training_schedule
from training.training_loop import training_loop


@pytest.fixture
def data_dir(tmp_path):
    """A folder with an empty data set."""
    (tmp_path / 'ffhq').mkdir()
    return tmp_path


@pytest.fixture
def submitted(monkeypatch):
    """What main() hands over, instead of a run: [(SubmitConfig, function name, settings), ...]."""
    calls = []
    monkeypatch.setattr(dnnlib, 'submit_run', lambda sc, func, **kwargs: calls.append((sc, func, kwargs)))
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
        'total_kimg': 25000, 'mirror_augment': True, 'metric_arg_list': []}
    assert (sc.num_gpus, sc.run_dir_root, sc.run_desc) == (8, 'out', 'stylegan2-ffhq-8gpu-config-f')
    assert sc.local.do_not_copy_source_files


def test_gamma_overrides_the_weight_of_the_config(data_dir, submitted):
    _main(data_dir, '--config=config-e', '--metrics=none', '--gamma=3.5', '--total-kimg=7')
    settings = submitted[0][2]
    assert settings['D_loss_args'] == {'func_name': 'training.loss.D_logistic_r1', 'gamma': 3.5}
    assert settings['total_kimg'] == 7


def test_the_default_metric_is_named_and_left_out(data_dir, submitted, capsys):
    _main(data_dir, '--config=config-f')
    assert submitted[0][2]['metric_arg_list'] == []
    assert 'fid50k' in capsys.readouterr().out


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
                                      'minibatch_gpu_base': 8, 'tick_kimg_base': 0.5, 'tick_kimg_dict': {}}
    assert settings['tf_config'] == {'rnd.np_random_seed': 5}
    assert settings['grid_args'] == {'size': '4k', 'layout': 'random'}
    assert settings['image_snapshot_ticks'] == settings['network_snapshot_ticks'] == 2
    assert (settings['G_smoothing_kimg'], settings['resume_kimg']) == (1.0, 3.0)


def test_every_own_flag_names_a_setting_that_the_training_loop_has():
    known = set(inspect.signature(training_loop).parameters)
    schedule = set(inspect.signature(training_schedule).parameters)
    for *_, places in run_training.OWN_FLAGS.values():
        for group, _, key in (place.partition('.') for place in places):
            assert group in known
            assert group != 'sched_args' or key in schedule


@pytest.mark.parametrize(('flags', 'message'), [
    (['--config=config-z'], '--config value must be one of:  config-e, config-f, '),
    (['--config=config-f', '--metrics=fid51k'], "unknown metric 'fid51k'"),
    (['--config=config-f', '--metrics=none', '--num-gpus=3'], '--num-gpus must be 1, 2, 4 or 8, not 3'),
    (['--config=config-f', '--metrics=none', '--dataset=cats'], '--dataset=cats: there is no such folder'),
    (['--config=config-f', '--metrics=none', '--data-dir=/nowhere'], 'dataset root directory does not exist'),
    (['--config=config-f', '--metrics=none', '--minibatch-size=10'], '=10 must be a multiple of 4'),
    (['--config=config-f', '--metrics=none', '--resume-pkl=gone.pkl'], '--resume-pkl=gone.pkl: no such file'),
    (['--config=config-f', '--gamma=-1'], 'expected a number of at least 0'),
    (['--config=config-f', '--total-kimg=many'], 'expected a whole number'),
    (['--config=config-f', '--mirror-augment=perhaps'], 'Boolean value expected.'),
    (['--config=config-f', '--seed=4294967296'], 'argument --seed: expected a seed of at most'),
    (['--config=config-f', '--dataset=ffhq/'], 'argument --dataset: expected the name of a folder'),
    (['--config=config-f', '--grid-size=16k'], 'expected one of 1080p, 4k, 8k'),
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
    for part in ('config-e-Gskip-Dresnet', 'flags beyond the published ones', '--fmap-base'):
        assert part in text
