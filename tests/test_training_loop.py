"""Test whole training runs: golden runs, their files, and how they stop."""

import pathlib
import pickle
import shutil
import signal
import types

import numpy as np
import PIL.Image
import pytest
import tensorflow.compat.v1 as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import dnnlib
import dnnlib.tflib as tflib
from dnnlib.tflib import network_pickle
from dnnlib.util import UserError
from tests.golden_figures import (
    QUICK,
    arrays,
    figures,
    fresh_session,
    one_hot,
    replaced_randomness,
    set_golden_values,
)
from tests.golden_recipe import golden_input, golden_value
from tests.resumed_runs import ADAM, TINY_D, TINY_G
from training import misc, training_loop
from training.data import class_names
from training.data.export import TFRecordExporter
from training.dataset import TFRecordDataset
from training.loop import graph
from training.loop.reporting import Reporter
from training.loop.trainer import Trainer
from training.training_loop import process_reals

NO_SNAPSHOTS = dict(image_snapshot_ticks=None, network_snapshot_ticks=None)


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
    """Write the data set of the golden runs."""
    path = tmp_path_factory.mktemp('data')
    images = np.clip(golden_input('dataset/images', [24, 3, 16, 16]) * 40 + 128, 0, 255).astype(np.uint8)
    _export(path / 'tiny', images)
    # The golden runs computed the lowest resolution from rounded images, so it is written separately.
    halves = images.reshape(24, 3, 8, 2, 8, 2).mean(axis=(3, 5))  # [N,C,H,W] -> [N,C,H/2,W/2]
    _export(path / 'halves' / 'tiny', np.rint(halves).astype(np.uint8))
    shutil.copy(path / 'halves' / 'tiny' / 'tiny-r02.tfrecords', path / 'tiny')
    class_names.write(path / 'tiny' / 'tiny.classes.json', ['cat', 'dog', 'wild'])
    return path


def _export(path, images):
    with TFRecordExporter(str(path), len(images), print_progress=False) as exporter:
        for image in images:
            exporter.add_image(image)
        exporter.add_labels(one_hot(len(images), 3))


def _submit(data_dir, result_dir, session_config=None, **kwargs):
    """Run the training loop as run_training.py does. -> run directory."""
    sc = dnnlib.SubmitConfig()
    sc.run_dir_root = str(result_dir)
    sc.run_desc = 'test'
    sc.num_gpus = kwargs.pop('num_gpus', 1)
    sc.local.do_not_copy_source_files = True
    args = dict(data_dir=str(data_dir), dataset_args=dict(tfrecord_dir='tiny', shuffle_mb=0),
                G_opt_args=ADAM, D_opt_args=ADAM, grid_args=dict(size='1080p', layout='random'))
    with fresh_session(session_config):
        dnnlib.submit_run(sc, 'training.training_loop.training_loop', **{**args, **kwargs})
    return pathlib.Path(sorted(pathlib.Path(result_dir).glob('0*-test'))[-1])


def _data(resolution, **kwargs):
    return dict(tfrecord_dir='tiny', resolution=resolution, shuffle_mb=0, **kwargs)


def _small_run(data_dir, result_dir, **kwargs):
    """Run on 24 images with short ticks. -> run directory."""
    args = dict(
        G_args=TINY_G, D_args=TINY_D, G_loss_args=dict(func_name='training.loss.G_logistic_ns_pathreg'),
        D_loss_args=dict(func_name='training.loss.D_logistic_r1'), total_kimg=0.024, minibatch_repeats=1,
        sched_args=dict(minibatch_size_base=4, minibatch_gpu_base=4, tick_kimg_base=0.008, tick_kimg_dict={}),
        grid_args=dict(size='one', layout='random'), image_snapshot_ticks=1, network_snapshot_ticks=1)
    return _submit(data_dir, result_dir, QUICK, **{**args, **kwargs})


def _network_values(pkl):
    """Read {'G/<variable>': value, ...} from a pickle of (G, D, Gs)."""
    with fresh_session():
        nets = misc.load_pkl(str(pkl))
        return {f'{net.name}/{name}': value for net in nets
                for name, value in zip(net.vars, tflib.run(list(net.vars.values())), strict=True)}


def _golden_start(case, folder):
    """Write the initial networks of a golden run to a pickle."""
    path = str(folder / 'start.pkl')
    shape = dict(num_channels=3, resolution=16, label_size=0)
    with fresh_session():
        G = tflib.Network('G', **shape, **case['G_args'])
        D = tflib.Network('D', **shape, **case['D_args'])
        set_golden_values(G, 'G:')
        set_golden_values(D, 'D:')
        misc.save_pkl((G, D, G.clone('Gs')), path)
    return path


def _by_resolution(value):
    """Convert the keys of a table, which JSON stores as strings."""
    return {int(key): item for key, item in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize(('name', 'xla'), [
    ('config-f', 'off'), ('config-f-accumulate', 'off'), ('config-a-growing', 'off'),
    *(pytest.param(*case, marks=pytest.mark.long) for case in (
        ('config-c-growing', 'off'), ('config-f', 'on'), ('config-f-accumulate', 'on'),
        ('config-a-growing', 'on'), ('config-c-growing', 'on')))])
def test_golden_run_ends_with_the_same_variables(name, xla, data_dir, tmp_path):
    case = figures(f'training_loop_{name}')['cases'][name]
    expected = case['variables']
    kwargs = {key: value for key, value in case.items() if key != 'variables'}
    kwargs['sched_args'] = {key: _by_resolution(value) for key, value in case['sched_args'].items()}
    with replaced_randomness():
        run_dir = _submit(data_dir, tmp_path, resume_pkl=_golden_start(case, tmp_path), xla=xla, **kwargs)
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
    # Adam amplifies rounding errors. A correct loop stays within these limits; a wrong order or beta does
    # not.
    assert np.median(list(errors.values())) < 0.04
    assert max(errors.values()) < 0.20, max(errors, key=errors.get)


@pytest.fixture(scope='module')
def finished_run(data_dir, tmp_path_factory):
    """Complete a small run and return its directory."""
    return _small_run(data_dir, tmp_path_factory.mktemp('results'), dataset_args=_data(8))


@pytest.fixture(scope='module')
def final_values(finished_run):
    return _network_values(finished_run / 'network-final.pkl')


def test_a_run_leaves_the_published_files(finished_run):
    names = {path.name for path in finished_run.iterdir()}
    assert {'submit_config.pkl', 'submit_config.txt', 'log.txt', 'run.txt', '_finished.txt', 'reals.png',
            'fakes_init.png', 'fakes000000.png', 'network-snapshot-000000.pkl', 'network-final.pkl'} <= names
    assert any(name.startswith('events.out.tfevents.') for name in names)
    assert PIL.Image.open(finished_run / 'fakes000000.png').size == (8, 8)


def test_tick_lines_have_the_published_form(finished_run):
    lines = [line for line in (finished_run / 'log.txt').read_text().splitlines() if line.startswith('tick ')]
    assert len(lines) == 4
    assert lines[1].startswith('tick 1     kimg 0.0      lod 0.00  minibatch 4    time ')
    for part in (' sec/tick ', ' sec/kimg ', ' maintenance ', ' gpumem 0.0'):
        assert part in lines[1]


def _events(run_dir):
    events = EventAccumulator(str(run_dir))
    events.Reload()
    return events


def test_tensorboard_reads_progress_and_losses(finished_run):
    events = _events(finished_run)
    tags = set(events.Tags()['scalars'])
    assert {'Progress/tick', 'Progress/kimg', 'Progress/lod', 'Progress/minibatch', 'Timing/total_sec',
            'Timing/sec_per_tick', 'Timing/sec_per_kimg', 'Timing/maintenance_sec', 'Timing/total_hours',
            'Timing/total_days', 'Resources/peak_gpu_mem_gb', 'Loss/scores/real', 'Loss/scores/fake',
            'Loss/G/loss', 'Loss/D/loss', 'Loss/gradient_penalty', 'Loss/pl_lengths', 'Loss/pl_penalty',
            'TrainG/learning_rate', 'RegG/learning_rate', 'TrainD/learning_rate', 'RegD/learning_rate',
            } <= tags
    assert [event.value for event in events.Scalars('Progress/tick')] == [0, 1, 2, 3]
    assert np.isfinite([event.value for event in events.Scalars('Loss/scores/real')]).all()


def test_the_last_snapshot_holds_what_was_trained(finished_run, final_values):
    average = {key: value for key, value in final_values.items() if key.startswith('Gs/')}
    assert any(np.abs(value - final_values['G/' + key.removeprefix('Gs/')]).max() > 0
               for key, value in average.items()), 'the average is not G itself'
    snapshot = _network_values(sorted(finished_run.glob('network-snapshot-*.pkl'))[-1])
    assert all(np.array_equal(snapshot[key], value) for key, value in final_values.items())


@pytest.fixture(scope='module')
def labelled_run(data_dir, tmp_path_factory):
    """Run with all options that `finished_run` does not use, and return the run directory."""
    return _small_run(
        data_dir, tmp_path_factory.mktemp('results'), dataset_args=_data(4, max_label_size='full'),
        grid_args=dict(size='1080p', layout='row_per_class'), num_gpus=2,
        sched_args=dict(minibatch_size_base=8, minibatch_gpu_base=4, tick_kimg_base=0.008, tick_kimg_dict={}),
        lazy_regularization=False, mirror_augment=True, save_weight_histograms=True, save_tf_graph=True,
        use_noise=False, **NO_SNAPSHOTS)


def test_two_devices_train_labelled_networks_on_labelled_images(labelled_run):
    values = _network_values(labelled_run / 'network-final.pkl')
    assert values['G/G_mapping/LabelConcat/weight'].shape[0] == 3
    assert all(np.isfinite(value).all() for value in values.values())
    assert np.abs(values['D/Output/bias']).max() > 0, 'it starts at 0'


def test_a_run_with_labels_keeps_the_names_of_their_classes(labelled_run, finished_run):
    assert class_names.read(labelled_run / 'classes.json') == ['cat', 'dog', 'wild']
    assert not (finished_run / 'classes.json').exists(), 'it has no labels'


def test_without_noise_its_inputs_and_strengths_stay_zero(labelled_run):
    with fresh_session():
        G, _, Gs = misc.load_pkl(str(labelled_run / 'network-final.pkl'))
        for net in (G, Gs):
            noise = [net.get_var(name) for name in net.vars if '/noise' in name]
            assert len(noise) == 2, 'input and strength of the one layer at 4x4'
            assert not any(np.any(value) for value in noise)
            latents = np.random.RandomState(1).randn(2, 4)
            images = [net.run(latents, None, is_validation=True) for _ in range(2)]
            np.testing.assert_array_equal(images[0], images[1], err_msg='no fresh noise by default')


def test_a_grid_by_classes_shows_real_images_of_each_class(labelled_run, data_dir):
    with fresh_session():
        grid = np.asarray(PIL.Image.open(labelled_run / 'reals.png'))
        data = TFRecordDataset(str(data_dir / 'tiny'), resolution=4, max_label_size='full', shuffle_mb=0)
        images, labels = data.get_minibatch_np(24)
    for row in range(3):
        of_class = {image.tobytes() for image, label in zip(images, labels, strict=True) if label[row] == 1}
        cells = grid[row * 4:(row + 1) * 4].reshape(4, 32, 4, 3).transpose(1, 3, 0, 2)  # -> [N,C,H,W]
        assert {cell.tobytes() for cell in cells} == of_class


def test_tensorboard_has_graph_and_weights_on_request_and_regularizers_without_steps(labelled_run):
    tags = _events(labelled_run).Tags()
    assert tags['graph']
    assert {'G_weight/G_synthesis_4x4_Conv', 'D_weight/Output'} <= set(tags['histograms'])
    assert {'Loss/pl_penalty', 'Loss/gradient_penalty', 'TrainG/learning_rate'} <= set(tags['scalars'])
    assert 'RegG/learning_rate' not in tags['scalars']


@pytest.mark.parametrize(('rates', 'G_rate', 'D_rate'), [
    (dict(G_lrate_base=0.004, D_lrate_base=0.0), 0.004, 0.0),
    (dict(G_lrate_base=0.0, D_lrate_base=0.1, D_lrate_dict={4: 0.008}), 0.0, 0.008),
    (dict(G_lrate_base=0.004), 0.004, 0.004)])
def test_each_network_learns_at_its_own_rate(rates, G_rate, D_rate, data_dir, tmp_path):
    sched = dict(minibatch_size_base=4, minibatch_gpu_base=4, tick_kimg_base=0.004, tick_kimg_dict={})
    run_dir = _small_run(
        data_dir, tmp_path, dataset_args=_data(4), sched_args={**sched, **rates}, lazy_regularization=False,
        G_loss_args=dict(func_name='training.loss.G_logistic_ns'),
        D_loss_args=dict(func_name='training.loss.D_logistic'), total_kimg=0.008, **NO_SNAPSHOTS)
    values = _network_values(run_dir / 'network-final.pkl')
    for name, rate in (('G', G_rate), ('D', D_rate)):
        shown = [event.value for event in _events(run_dir).Scalars(f'Train{name}/learning_rate')]
        np.testing.assert_allclose(shown, rate, rtol=1e-6)
        biases = [values[key] for key in values if key.startswith(f'{name}/') and key.endswith('bias')]
        assert any(np.any(bias) for bias in biases) == (rate > 0), 'they start at 0'


# Behaviour that does not depend on the losses: runs that only read data

IDLE = dict(G_args=TINY_G, D_args=TINY_D, dataset_args=_data(4), grid_args=dict(size='one'),
            total_kimg=10, minibatch_repeats=1, sched_args=dict(
                minibatch_size_base=1000, minibatch_gpu_base=1000, tick_kimg_base=3, tick_kimg_dict={}))


@pytest.fixture
def idle_run(data_dir, tmp_path, monkeypatch):
    """Return a function that runs 10 iterations of 1000 images without training. -> run directory."""
    def build(G, D, Gs, training_set, *_args):
        optimizer = types.SimpleNamespace(reset_optimizer_state=lambda: None)
        no_op = tf.no_op()
        return graph.TrainGraph(
            graph.make_inputs(), optimizer, optimizer, G_train=no_op, G_reg=no_op, D_train=no_op,
            D_reg=no_op, data_put=tf.group(*training_set.get_minibatch_tf()), data_fetch=tf.no_op(),
            Gs_update=no_op,
            state_variables=tf.global_variables())

    monkeypatch.setattr(training_loop, 'build_train_graph', build)
    return lambda **kwargs: _submit(**{'data_dir': data_dir, 'result_dir': tmp_path / 'results',
                                       'session_config': QUICK, **IDLE, **kwargs})


def _run_dir(tmp_path):
    """Return the directory of a run that raised an error."""
    return next(tmp_path.glob('results/0*-test'))


def _names(run_dir, pattern):
    return sorted(path.name for path in run_dir.glob(pattern))


def _kimg_of_ticks(run_dir):
    lines = (run_dir / 'log.txt').read_text().splitlines()
    return [float(line.split()[3]) for line in lines if line.startswith('tick ')]


def test_ticks_and_snapshots_come_at_their_intervals_and_at_the_end(idle_run):
    run_dir = idle_run(image_snapshot_ticks=2, network_snapshot_ticks=3, total_kimg=11)
    assert _kimg_of_ticks(run_dir) == [1, 4, 7, 10, 11]
    assert _names(run_dir, 'fakes0*') == ['fakes000001.png', 'fakes000007.png', 'fakes000011.png']
    assert _names(run_dir, '*.pkl') == [
        'network-final.pkl', 'network-snapshot-000001.pkl', 'network-snapshot-000010.pkl',
        'network-snapshot-000011.pkl', 'submit_config.pkl']


def test_snapshots_come_after_so_many_images_where_that_is_asked_for(idle_run):
    run_dir = idle_run(snapshot_kimg=5, image_snapshot_ticks=1, network_snapshot_ticks=None, total_kimg=17)
    assert _kimg_of_ticks(run_dir) == [1, 4, 7, 10, 13, 16, 17]
    kimg = [int(name[5:11]) for name in _names(run_dir, 'fakes0*')]
    assert kimg == [7, 10, 16, 17], 'the ticks that reach 5, 10 and 15 kimg, and the end'


def test_a_resumed_run_counts_from_where_it_is_told(idle_run):
    run_dir = idle_run(resume_kimg=8, resume_time=3600, **NO_SNAPSHOTS)
    assert _kimg_of_ticks(run_dir) == [9, 10]
    assert ' time 1h 00m ' in (run_dir / 'log.txt').read_text()


def test_resuming_with_new_nets_copies_what_fits(finished_run, final_values, idle_run):
    deeper = dict(TINY_G, mapping_layers=2)
    run_dir = idle_run(resume_pkl=str(finished_run / 'network-final.pkl'), resume_with_new_nets=True,
                       G_args=deeper, total_kimg=0)
    after = _network_values(run_dir / 'network-final.pkl')
    assert 'G/G_mapping/Dense1/weight' in set(after) - set(final_values)
    np.testing.assert_array_equal(after['D/Output/weight'], final_values['D/Output/weight'])
    log = (run_dir / 'log.txt').read_text()
    assert 'G -> G: ' in log
    assert '2 not in the source, kept as they are: G_mapping/Dense1/weight, G_mapping/Dense1/bias' in log
    assert ' only in the source, left out: ' in log, 'the data set has a lower resolution'


def test_networks_that_do_not_go_with_the_data_are_refused(finished_run, idle_run, tmp_path):
    path = finished_run / 'network-final.pkl'
    with pytest.raises(UserError, match=rf'^{path}: .* \[\[3, 8, 8\], \[0\]\], .* \[\[3, 4, 4\], \[0\]\];'):
        idle_run(resume_pkl=str(path))
    (tmp_path / 'other.pkl').write_bytes(pickle.dumps({'no': 'networks'}))
    with pytest.raises(UserError, match='other.pkl: expected three networks'):
        idle_run(resume_pkl=str(tmp_path / 'other.pkl'))


def test_ctrl_c_finishes_the_iteration_saves_and_stops(idle_run, tmp_path, monkeypatch, capsys):
    original = Trainer.train_minibatch

    def interrupt_at_the_third(trainer, sched):
        original(trainer, sched)
        if trainer.minibatch_counter == 3:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Trainer, 'train_minibatch', interrupt_at_the_third)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        idle_run(**NO_SNAPSHOTS)
    assert 'network-snapshot-000003.pkl; --resume=' in capsys.readouterr().out
    assert _names(_run_dir(tmp_path), 'network-*') == ['network-snapshot-000003.pkl']
    assert len(_network_values(_run_dir(tmp_path) / 'network-snapshot-000003.pkl')) > 0
    assert signal.getsignal(signal.SIGINT) is handler


def test_ctrl_c_twice_exits_at_once(idle_run, tmp_path, monkeypatch):
    def interrupt_twice(trainer, sched):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Trainer, 'train_minibatch', interrupt_twice)
    with pytest.raises(KeyboardInterrupt):
        idle_run()
    assert not _names(_run_dir(tmp_path), 'network-*')


def test_abort_txt_ends_the_run_at_the_next_tick(idle_run, monkeypatch):
    original = Reporter.print_line

    def abort_at_the_first(reporter):
        pathlib.Path(dnnlib.make_run_dir_path('abort.txt')).touch()
        original(reporter)

    monkeypatch.setattr(Reporter, 'print_line', abort_at_the_first)
    run_dir = idle_run(**NO_SNAPSHOTS)
    assert _kimg_of_ticks(run_dir) == [1]
    assert (run_dir / 'network-final.pkl').exists()


def test_a_full_disk_during_a_snapshot_leaves_earlier_snapshots_whole(idle_run, tmp_path, monkeypatch):
    original = network_pickle.dump
    calls = []

    def fill_the_disk(obj, stream):
        calls.append(stream.name)
        if len(calls) < 2:
            original(obj, stream)
            return
        stream.write(b'half of')
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(network_pickle, 'dump', fill_the_disk)
    with pytest.raises(OSError, match='No space left.*network-snapshot-000004.pkl'):
        idle_run(image_snapshot_ticks=None, network_snapshot_ticks=1)
    run_dir = _run_dir(tmp_path)
    assert _names(run_dir, 'network-*') == ['network-snapshot-000001.pkl']
    assert len(_network_values(run_dir / 'network-snapshot-000001.pkl')) > 0
    assert not _names(run_dir, '.tmp*')


def _damaged(data_dir, tmp_path, change):
    """Copy the data set and change bytes in the file of resolution 4."""
    shutil.copytree(data_dir / 'tiny', tmp_path / 'data' / 'tiny')
    path = tmp_path / 'data' / 'tiny' / 'tiny-r02.tfrecords'
    content = bytearray(path.read_bytes())
    change(content)
    path.write_bytes(content)
    return tmp_path / 'data'


def test_a_data_file_that_is_cut_off_is_found_before_training(idle_run, data_dir, tmp_path):
    def cut_in_half(content):
        del content[len(content) // 2 + 10:]

    with pytest.raises(UserError, match='tiny-r02.tfrecords: record 12 is damaged or cut off'):
        idle_run(data_dir=_damaged(data_dir, tmp_path, cut_in_half))
    assert not list(tmp_path.glob('results/*')), 'nothing had been drawn'


def test_damage_inside_a_data_file_ends_training_with_one_line(idle_run, data_dir, tmp_path):
    def spoil_a_bit(content):
        content[-30] ^= 1

    sched = dict(minibatch_size_base=4, minibatch_gpu_base=4)
    with pytest.raises(UserError, match='tiny-r02.tfrecords: record 23 is damaged or cut off'):
        idle_run(data_dir=_damaged(data_dir, tmp_path, spoil_a_bit), sched_args=sched)
    assert _kimg_of_ticks(_run_dir(tmp_path)) == [0], 'the first images were whole'


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
    # The stand-in draws about 0.2 and 0.9. Images with values below 0.5 are not mirrored.
    keep = [np.allclose(mirrored[i], expected[i], atol=1e-5) for i in range(2)]
    flip = [np.allclose(mirrored[i], expected[i, :, :, ::-1], atol=1e-5) for i in range(2)]
    assert all(k != f for k, f in zip(keep, flip, strict=True))
