"""Whole training runs: golden ones, what they leave behind, and how they stop."""

import pathlib
import shutil
import signal

import numpy as np
import PIL.Image
import pytest
import tensorflow.compat.v1 as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import dnnlib
import dnnlib.tflib as tflib
from dnnlib.util import UserError
from tests.golden_figures import arrays, figures, fresh_session, replaced_randomness, set_golden_values
from tests.golden_recipe import golden_input, golden_value
from training import misc, training_loop
from training.reporting import Reporter
from training.tfrecord_export import TFRecordExporter
from training.training_loop import process_reals

TINY_G = dict(func_name='training.networks_stylegan2.G_main', fmap_base=32, fmap_max=4, latent_size=4,
              dlatent_size=4, mapping_fmaps=4, mapping_layers=1)
TINY_D = dict(func_name='training.networks_stylegan2.D_stylegan2', fmap_base=32, fmap_max=4)
REGULARIZED = dict(G_loss_args=dict(func_name='training.loss.G_logistic_ns_pathreg'),
                   D_loss_args=dict(func_name='training.loss.D_logistic_r1'))
NO_SNAPSHOTS = dict(image_snapshot_ticks=None, network_snapshot_ticks=None)


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
    """The data set of the golden runs."""
    path = tmp_path_factory.mktemp('data')
    images = np.clip(golden_input('dataset/images', [24, 3, 16, 16]) * 40 + 128, 0, 255).astype(np.uint8)
    with TFRecordExporter(str(path / 'tiny'), len(images), print_progress=False) as exporter:
        for image in images:
            exporter.add_image(image)
    return path


def _submit(data_dir, result_dir, **kwargs):
    """Run the training loop as run_training.py does. -> run directory."""
    sc = dnnlib.SubmitConfig()
    sc.run_dir_root = str(result_dir)
    sc.run_desc = 'test'
    sc.local.do_not_copy_source_files = True
    adam = dict(beta1=0.0, beta2=0.99, epsilon=1e-8)
    args = dict(data_dir=str(data_dir), dataset_args=dict(tfrecord_dir='tiny', shuffle_mb=0),
                G_opt_args=adam, D_opt_args=adam, grid_args=dict(size='1080p', layout='random'))
    with fresh_session():
        dnnlib.submit_run(sc, 'training.training_loop.training_loop', **{**args, **kwargs})
    return pathlib.Path(sorted(pathlib.Path(result_dir).glob('0*-test'))[-1])


def _small_run(data_dir, result_dir, **kwargs):
    """A run of 24 images with short ticks, small enough to look at what it leaves behind."""
    args = dict(
        G_args=TINY_G, D_args=TINY_D, G_loss_args=dict(func_name='training.loss.G_logistic_ns'),
        D_loss_args=dict(func_name='training.loss.D_logistic'), total_kimg=0.024, minibatch_repeats=1,
        sched_args=dict(minibatch_size_base=4, minibatch_gpu_base=4, tick_kimg_base=0.008, tick_kimg_dict={}),
        grid_args=dict(size='one', layout='random'), image_snapshot_ticks=1, network_snapshot_ticks=1)
    return _submit(data_dir, result_dir, **{**args, **kwargs})


def _network_values(pkl):
    """{'G/<variable>': value, ...} of a pickle (G, D, Gs)."""
    with fresh_session():
        nets = misc.load_pkl(str(pkl))
        return {f'{net.name}/{name}': value for net in nets
                for name, value in zip(net.vars, tflib.run(list(net.vars.values())), strict=True)}


def _golden_start(case, folder):
    """Pickle of the networks from which the golden runs start."""
    path = str(folder / 'start.pkl')
    shape = dict(num_channels=3, resolution=16, label_size=0)
    with fresh_session():
        G = tflib.Network('G', **shape, **case['G_args'])
        D = tflib.Network('D', **shape, **case['D_args'])
        set_golden_values(G, 'G:')
        set_golden_values(D, 'D:')
        misc.save_pkl((G, D, G.clone('Gs')), path)
    return path


@pytest.mark.parametrize('name', ['config-f', 'config-f-accumulate'])
def test_golden_run_ends_with_the_same_variables(name, data_dir, tmp_path):
    case = figures(f'training_loop_{name}')['cases'][name]
    expected = case['variables']
    kwargs = {key: value for key, value in case.items() if key != 'variables'}
    with replaced_randomness():
        run_dir = _submit(data_dir, tmp_path, resume_pkl=_golden_start(case, tmp_path), **kwargs)
    actual = _network_values(run_dir / 'network-final.pkl')
    assert set(actual) == set(expected)
    errors = {}
    for key, figure in expected.items():
        net, local_name = key.split('/', 1)
        start = golden_value(f'{"D" if net == "D" else "G"}:{local_name}', actual[key].shape)
        final = arrays(f'training_loop_{name}').get(f'{name}:{key}', start)
        if figure['update_norm'] == 0:
            np.testing.assert_array_equal(actual[key], start, err_msg=key)
        else:
            errors[key] = np.linalg.norm(actual[key].astype(np.float64) - final) / figure['update_norm']
    # Adam amplifies rounding: these are the limits of a correct loop; a wrong order or beta gives far more.
    assert np.median(list(errors.values())) < 0.04
    assert max(errors.values()) < 0.20, max(errors, key=errors.get)


@pytest.fixture(scope='module')
def finished_run(data_dir, tmp_path_factory):
    """Run directory of a small run that went through."""
    return _small_run(data_dir, tmp_path_factory.mktemp('results'), **REGULARIZED)


def test_a_run_leaves_the_published_files(finished_run):
    names = {path.name for path in finished_run.iterdir()}
    assert {'submit_config.pkl', 'submit_config.txt', 'log.txt', 'run.txt', '_finished.txt', 'reals.png',
            'fakes_init.png', 'fakes000000.png', 'network-snapshot-000000.pkl', 'network-final.pkl'} <= names
    assert any(name.startswith('events.out.tfevents.') for name in names)
    assert PIL.Image.open(finished_run / 'fakes000000.png').size == (16, 16)


def test_tick_lines_have_the_published_form(finished_run):
    lines = [line for line in (finished_run / 'log.txt').read_text().splitlines() if line.startswith('tick ')]
    assert len(lines) == 4
    assert lines[1].startswith('tick 1     kimg 0.0      lod 0.00  minibatch 4    time ')
    for part in (' sec/tick ', ' sec/kimg ', ' maintenance ', ' gpumem 0.0'):
        assert part in lines[1]


def test_tensorboard_reads_progress_and_losses(finished_run):
    events = EventAccumulator(str(finished_run))
    events.Reload()
    tags = set(events.Tags()['scalars'])
    assert {'Progress/tick', 'Progress/kimg', 'Progress/lod', 'Progress/minibatch', 'Timing/total_sec',
            'Timing/sec_per_tick', 'Timing/sec_per_kimg', 'Timing/maintenance_sec', 'Timing/total_hours',
            'Timing/total_days', 'Resources/peak_gpu_mem_gb', 'Loss/scores/real', 'Loss/scores/fake',
            'Loss/gradient_penalty', 'Loss/pl_lengths', 'Loss/pl_penalty', 'TrainG/learning_rate'} <= tags
    assert [event.value for event in events.Scalars('Progress/tick')] == [0, 1, 2, 3]
    assert np.isfinite([event.value for event in events.Scalars('Loss/scores/real')]).all()


def test_the_last_snapshot_holds_what_was_trained(finished_run):
    final = _network_values(finished_run / 'network-final.pkl')
    average = {key: value for key, value in final.items() if key.startswith('Gs/')}
    assert any(np.abs(value - final['G/' + key.removeprefix('Gs/')]).max() > 0
               for key, value in average.items()), 'the average is not G itself'
    snapshot = _network_values(sorted(finished_run.glob('network-snapshot-*.pkl'))[-1])
    assert all(np.array_equal(snapshot[key], value) for key, value in final.items())


def test_resuming_with_new_nets_copies_what_fits(finished_run, data_dir, tmp_path):
    wider = dict(TINY_G, mapping_layers=2)
    run_dir = _small_run(data_dir, tmp_path, resume_pkl=str(finished_run / 'network-final.pkl'),
                         resume_with_new_nets=True, G_args=wider, total_kimg=0, image_snapshot_ticks=None)
    before = _network_values(finished_run / 'network-final.pkl')
    after = _network_values(run_dir / 'network-final.pkl')
    assert 'G/G_mapping/Dense1/weight' in set(after) - set(before)
    np.testing.assert_array_equal(after['D/Output/weight'], before['D/Output/weight'])


def test_regularizing_in_every_step_trains_too(data_dir, tmp_path):
    run_dir = _small_run(data_dir, tmp_path, lazy_regularization=False, mirror_augment=True,
                         save_weight_histograms=True, save_tf_graph=True, **NO_SNAPSHOTS, **REGULARIZED)
    assert all(np.isfinite(value).all() for value in _network_values(run_dir / 'network-final.pkl').values())


def test_ctrl_c_finishes_the_iteration_saves_and_stops(data_dir, tmp_path, monkeypatch, capsys):
    original = training_loop._Trainer.train_minibatch

    def interrupt_at_the_third(trainer, sched):
        original(trainer, sched)
        if trainer.minibatch_counter == 3:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(training_loop._Trainer, 'train_minibatch', interrupt_at_the_third)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        _small_run(data_dir, tmp_path, **NO_SNAPSHOTS)
    run_dir = next(tmp_path.glob('0*-test'))
    assert 'network-snapshot-000000.pkl holds the networks' in capsys.readouterr().out
    assert len(_network_values(run_dir / 'network-snapshot-000000.pkl')) > 0
    assert not (run_dir / 'network-final.pkl').exists()
    assert signal.getsignal(signal.SIGINT) is handler


def test_abort_txt_ends_the_run_at_the_next_tick(data_dir, tmp_path, monkeypatch):
    original = Reporter.report

    def abort_at_the_first(reporter, *args):
        pathlib.Path(dnnlib.make_run_dir_path('abort.txt')).touch()
        original(reporter, *args)

    monkeypatch.setattr(Reporter, 'report', abort_at_the_first)
    run_dir = _small_run(data_dir, tmp_path, **NO_SNAPSHOTS)
    assert (run_dir / 'log.txt').read_text().count('\ntick ') == 1
    assert (run_dir / 'network-final.pkl').exists()


def test_a_full_disk_during_a_snapshot_leaves_earlier_snapshots_whole(data_dir, tmp_path, monkeypatch):
    original = misc.network_pickle.dump
    calls = []

    def fill_the_disk(obj, stream):
        calls.append(stream.name)
        if len(calls) < 2:
            original(obj, stream)
            return
        stream.write(b'half of')
        raise OSError(28, 'No space left on device', stream.name)

    monkeypatch.setattr(misc.network_pickle, 'dump', fill_the_disk)
    with pytest.raises(OSError, match='No space left'):
        _small_run(data_dir, tmp_path, image_snapshot_ticks=None)
    run_dir = next(tmp_path.glob('0*-test'))
    assert [path.name for path in run_dir.glob('*.pkl')].count('network-snapshot-000000.pkl') == 1
    assert len(_network_values(run_dir / 'network-snapshot-000000.pkl')) > 0
    assert not [path for path in run_dir.iterdir() if 'half of' in path.read_bytes().decode('latin1')[:10]]


def test_a_data_file_that_is_cut_off_ends_training_with_one_line(data_dir, tmp_path):
    shutil.copytree(data_dir / 'tiny', tmp_path / 'tiny')
    records = tmp_path / 'tiny' / 'tiny-r04.tfrecords'
    records.write_bytes(records.read_bytes()[:len(records.read_bytes()) // 2])
    with pytest.raises(UserError, match='tiny-r04.tfrecords'):
        _small_run(tmp_path, tmp_path / 'results', total_kimg=0.1, **NO_SNAPSHOTS)


def test_process_reals_fades_scales_and_mirrors(session):
    x = golden_input('reals', [2, 1, 4, 4]) * 50 + 128
    labels = tf.zeros([2, 0])
    kwargs = dict(drange_data=[0, 255], drange_net=[-1, 1])

    def process(lod, mirror_augment):
        return process_reals(tf.constant(x), labels, tf.constant(lod), mirror_augment, **kwargs)[0]

    plain, faded, coarse = (process(lod, mirror_augment=False) for lod in (0.0, 0.25, 1.0))
    with replaced_randomness():
        mirrored = process(0.0, mirror_augment=True)
    plain, faded, coarse, mirrored = session.run([plain, faded, coarse, mirrored])
    expected = x / 127.5 - 1
    blocks = np.kron(expected.reshape(2, 1, 2, 2, 2, 2).mean(axis=(3, 5)), np.ones([2, 2]))
    np.testing.assert_allclose(plain, expected, atol=1e-5)
    np.testing.assert_allclose(faded, expected * 0.75 + blocks * 0.25, atol=1e-5)
    np.testing.assert_allclose(coarse, np.kron(expected, np.ones([2, 2])), atol=1e-5)
    # The stand-in draws 0.2 and 0.9 or so: what is below 0.5 stays as it is.
    keep = [np.allclose(mirrored[i], expected[i], atol=1e-5) for i in range(2)]
    flip = [np.allclose(mirrored[i], expected[i, :, :, ::-1], atol=1e-5) for i in range(2)]
    assert all(k != f for k, f in zip(keep, flip, strict=True))
