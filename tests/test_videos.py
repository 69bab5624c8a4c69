"""Test the commands `video` and `training-video` of run_generator.py."""

import contextlib
import os
import subprocess
import sys

import av
import numpy as np
import PIL.Image
import pytest

import dnnlib.tflib as tflib
import pretrained_networks
import run_generator
from dnnlib.util import UserError
from latents import dlatent_files, video_files
from latents.videos import training_progress, walks
from tests.golden_figures import set_golden_values
from tests.test_house import ROOT
from training import generation, misc
from training.data import class_names

G_MAIN = 'training.networks_stylegan2.G_main'
G_ADA = 'training.networks_stylegan2_ada.G_main'
G_STYLE = 'training.networks_stylegan.G_style'
G_PAPER = 'training.networks_progan.G_paper'
SHAPE = dict(num_channels=3, resolution=16, fmap_base=64, fmap_max=8, latent_size=8)
MAPPED = dict(dlatent_size=8, mapping_fmaps=8, **SHAPE)
NETWORKS = {
    'rgb': dict(func_name=G_MAIN, **MAPPED),
    'grey': dict(func_name=G_STYLE, **{**MAPPED, 'num_channels': 1}),
    'ada': dict(func_name=G_ADA, base_shape=[4, 6], **MAPPED),
    'labels': dict(func_name=G_MAIN, label_size=3, **MAPPED),
    'progan': dict(func_name=G_PAPER, label_size=2, **{**SHAPE, 'base_shape': [4, 6]}),
}


@pytest.fixture(scope='module')
def networks(module_session, tmp_path_factory):
    """Write networks to files. -> {name: path}."""
    paths = {}
    for name, kwargs in NETWORKS.items():
        Gs = tflib.Network('Gs', **kwargs)
        set_golden_values(Gs)
        paths[name] = str(tmp_path_factory.mktemp('networks') / f'{name}.pkl')
        misc.save_pkl(Gs, paths[name])
    class_names.write(os.path.join(os.path.dirname(paths['labels']), 'classes.json'), ['cat', 'dog', 'owl'])
    return paths


@pytest.fixture
def recorded(monkeypatch):
    """Collect frames in a list instead of encoding them."""
    frames = []

    @contextlib.contextmanager
    def opened(path, fps=30, crf=18):
        yield frames.append
        with open(path, 'wb') as file:
            file.write(b'video')

    monkeypatch.setattr(video_files, 'opened', opened)
    return frames


def run(networks, name, tmp_path, line):
    """Run the command `video`. -> Gs."""
    run_generator.main(['video', f'--network={networks[name]}', f'--result-dir={tmp_path / "results"}',
                        *line.split()])
    return pretrained_networks.load_generator(networks[name])


def dlatents_of(Gs, seed, psi, label=None):
    """Return the dlatents [layers,dlatent_size] of a seed."""
    label = generation.label_of_class(Gs, None) if label is None else np.float32([label])
    return generation.dlatents_from_seeds(Gs, [seed], label, psi)[seed]


def image_of(Gs, seed, psi, label=None):
    """Draw an image [H,W,C] of a seed with the network's own noise."""
    return image_of_dlatents(Gs, dlatents_of(Gs, seed, psi, label))


def image_of_dlatents(Gs, dlatents):
    return generation.images_from_dlatents(Gs, dlatents[np.newaxis])[0].transpose(1, 2, 0)


def assert_shows(frame, image):
    """Check that a frame is an image, up to rounding."""
    frame = frame.reshape(*frame.shape[:2], -1)
    assert frame.shape == image.shape
    assert np.abs(frame.astype(int) - image).max() <= 1


def differs(frame, other):
    return np.abs(frame.astype(int) - other).max() > 5


# Walks

def test_labels_go_from_class_to_class_and_sum_to_one():
    loop = walks.LabelLoop(4, [2, 0, 3])
    labels = np.stack([loop.at(position) for position in np.arange(300) / 300])
    np.testing.assert_allclose(labels.sum(axis=1), 1)
    np.testing.assert_allclose(labels[[0, 100, 200]], np.eye(4)[[2, 0, 3]], atol=1e-12)
    np.testing.assert_allclose(labels[50], [0.5, 0, 0.5, 0], atol=1e-12)
    np.testing.assert_allclose(loop.at(1), loop.at(0))
    steps = np.roll(labels, -1, axis=0) - labels
    assert np.abs(np.roll(steps, -1, axis=0) - steps).max() < 0.01


@pytest.mark.parametrize('classes, label', [([], [0, 0]), ([1], [0, 1])])
def test_without_other_classes_the_label_stays(classes, label):
    loop = walks.LabelLoop(2, classes)
    assert loop.is_constant
    for position in (0, 0.3, 0.9):
        np.testing.assert_array_equal(loop.at(position), label)


def test_networks_without_labels_have_an_empty_label():
    assert walks.LabelLoop(0, []).at(0.5).shape == (0,)


@pytest.mark.parametrize('classes', [[], [0, 1]], ids=['one label', 'changing labels'])
def test_every_cell_walks_through_its_own_waypoints(classes):
    """Labels change nothing here, so that both ways to compute the loop must agree."""
    waypoints = np.random.RandomState(1).randn(6, 3, 5)
    labels = walks.LabelLoop(2, classes)
    loop = np.stack(list(walks.in_w(lambda label: waypoints, labels, num_cells=2, num_frames=60)))
    assert loop.shape == (60, 2, 3, 5)
    for cell in range(2):
        np.testing.assert_allclose(loop[::20, cell], waypoints[3 * cell:3 * cell + 3], atol=1e-6)
    steps = np.roll(loop, -1, axis=0) - loop
    turns = np.roll(steps, -1, axis=0) - steps
    assert np.abs(turns).max() < 0.2 * np.abs(steps).max()


def test_waypoints_follow_the_label():
    def waypoints(label):
        return np.full([2, 1, 1], label @ [10, 20])

    loop = np.stack(list(walks.in_w(waypoints, walks.LabelLoop(2, [0, 1]), num_cells=1, num_frames=4)))
    np.testing.assert_allclose(loop.ravel(), [10, 15, 20, 15], rtol=1e-6)


def test_layers_that_are_all_the_same_are_walked_once_and_returned_all():
    waypoints = np.repeat(np.random.RandomState(2).randn(3, 1, 4), 18, axis=1)
    loop = list(walks.in_w(lambda label: waypoints, walks.LabelLoop(0, []), num_cells=1, num_frames=3))
    np.testing.assert_allclose(np.concatenate(loop), waypoints, atol=1e-6)


def test_random_walks_depend_on_their_seeds():
    latents = np.stack(list(map(np.stack, walks.in_z(4, [1, 2, 1], num_frames=50, smoothing_frames=5))))
    assert latents.shape == (50, 3, 4)
    np.testing.assert_array_equal(latents[:, 0], latents[:, 2])
    assert np.abs(latents[:, 0] - latents[:, 1]).max() > 0.5


# The command `video`

@pytest.mark.parametrize('name', ['rgb', 'grey', 'ada'])
def test_a_walk_in_w_passes_through_the_images_of_its_seeds(name, networks, recorded, tmp_path):
    Gs = run(networks, name, tmp_path, '--seeds=3,4,5 --frames=4 --truncation-psi=0.7')
    assert len(recorded) == 12
    for idx, seed in enumerate((3, 4, 5)):
        assert_shows(recorded[4 * idx], image_of(Gs, seed, 0.7))
    assert differs(recorded[2], recorded[0])


def test_a_grid_has_a_walk_in_every_cell(networks, recorded, tmp_path):
    Gs = run(networks, 'rgb', tmp_path, '--seeds=1-6 --grid=3x1 --seconds=0.2 --fps=10')
    assert len(recorded) == 2 * 2
    assert recorded[0].shape == (16, 48, 3)
    for frame, seeds in ((recorded[0], (1, 3, 5)), (recorded[2], (2, 4, 6))):
        for column, seed in enumerate(seeds):
            assert_shows(frame[:, 16 * column:16 * column + 16], image_of(Gs, seed, 0.5))


def test_truncation_may_end_at_a_layer(networks, recorded, tmp_path):
    Gs = run(networks, 'rgb', tmp_path, '--seeds=1,2 --frames=1 --truncation-psi=0 --truncation-cutoff=2')
    dlatents = dlatents_of(Gs, 2, 1)
    dlatents[:2] = Gs.get_var('dlatent_avg')
    assert_shows(recorded[1], image_of_dlatents(Gs, dlatents))


def test_projected_dlatents_are_waypoints_that_are_not_truncated(networks, recorded, tmp_path):
    projected = np.random.RandomState(1).randn(3, 6, 8)
    (tmp_path / 'found').mkdir()
    dlatent_files.write(tmp_path / 'found' / 'image0000-projected_w.npz', projected[:1])
    dlatent_files.write(tmp_path / 'found' / 'dlatents.npz', projected[2:], key='dlatents')
    dlatent_files.write(tmp_path / 'w.npz', projected[1:2])
    Gs = run(networks, 'rgb', tmp_path,
             f'--projected-w={tmp_path}/found,{tmp_path}/w.npz --seeds=4 --frames=2')
    assert len(recorded) == 6
    for idx in range(2):
        assert_shows(recorded[2 * idx], image_of_dlatents(Gs, projected[idx]))
    assert_shows(recorded[4], image_of(Gs, 4, 0.5))


def test_w_and_latents_of_others_are_waypoints(networks, recorded, tmp_path):
    rnd = np.random.RandomState(1)
    w, z = rnd.randn(1, 8).astype(np.float32), rnd.randn(1, 8)
    np.save(tmp_path / 'w.npy', w)
    np.save(tmp_path / 'z.npy', z)
    Gs = run(networks, 'rgb', tmp_path,
             f'--projected-w={tmp_path}/w.npy --latents={tmp_path}/z.npy --truncation-psi=1 --frames=1')
    assert_shows(recorded[0], image_of_dlatents(Gs, np.repeat(w, 6, axis=0)))
    assert_shows(recorded[1], image_of_dlatents(Gs, Gs.components.mapping.run(z, None)[0]))


def test_fixed_layers_come_from_one_seed_throughout(networks, recorded, tmp_path):
    Gs = run(networks, 'rgb', tmp_path, '--seeds=1,2 --frames=2 --fixed-layers=2-5 --fixed-seed=9')
    for frame, seed in ((recorded[0], 1), (recorded[2], 2)):
        dlatents = [dlatents_of(Gs, seed, 0.5)[:2], dlatents_of(Gs, 9, 0.5)[2:]]
        assert_shows(frame, image_of_dlatents(Gs, np.concatenate(dlatents)))


@pytest.mark.parametrize('mode', ['const', 'random', 'none'])
def test_noise_stays_changes_or_is_absent(mode, networks, recorded, tmp_path):
    Gs = run(networks, 'rgb', tmp_path,
             f'--seeds=1,2 --frames=2 --fixed-layers=0-5 --fixed-seed=9 --noise-mode={mode}')
    assert differs(recorded[0], recorded[1]) == (mode == 'random')
    assert differs(recorded[0], image_of(Gs, 9, 0.5)) == (mode != 'const')
    for name, var in Gs.components.synthesis.vars.items():
        assert not name.startswith('noise') or np.any(tflib.run(var)), 'the noise is back'


def test_a_video_visits_classes(networks, recorded, tmp_path):
    Gs = run(networks, 'labels', tmp_path, '--seeds=7 --classes=owl,0 --frames=4 --truncation-psi=1')
    assert len(recorded) == 8
    assert_shows(recorded[0], image_of(Gs, 7, 1, [0, 0, 1]))
    assert_shows(recorded[2], image_of(Gs, 7, 1, [0.5, 0, 0.5]))
    assert_shows(recorded[4], image_of(Gs, 7, 1, [1, 0, 0]))


def test_a_video_shows_one_class(networks, recorded, tmp_path):
    Gs = run(networks, 'labels', tmp_path, '--seeds=1,2 --class=dog --frames=1')
    assert_shows(recorded[1], image_of(Gs, 2, 0.5, [0, 1, 0]))


def test_networks_without_styles_walk_in_z(networks, recorded, tmp_path):
    Gs = run(networks, 'progan', tmp_path,
             '--walk=z --seeds=5,6 --grid=1x2 --frames=20 --fps=10 --classes=0,1')
    assert len(recorded) == 20
    latents = [list(walk) for walk in zip(*walks.in_z(8, [5, 6], 20, smoothing_frames=10), strict=True)]
    expected = Gs.run(np.stack([latents[0][10], latents[1][10]]), np.float32([[0, 1]] * 2),
                      **generation.SYNTHESIS)
    assert_shows(recorded[10], np.concatenate(expected.transpose(0, 2, 3, 1)))


def test_networks_with_styles_walk_in_z_too(networks, recorded, tmp_path):
    Gs = run(networks, 'rgb', tmp_path, '--walk=z --seeds=5 --frames=6 --smoothing=0.1 --truncation-psi=0.7')
    latents = np.stack(list(walks.in_z(8, [5], 6, smoothing_frames=3)))[:, 0]
    dlatents = Gs.components.mapping.run(latents, None)
    average = Gs.get_var('dlatent_avg')
    assert_shows(recorded[4], image_of_dlatents(Gs, average + 0.7 * (dlatents[4] - average)))


@pytest.mark.parametrize('name', ['loop.mp4', 'loop.gif'])
def test_the_video_is_in_the_run_directory(name, networks, tmp_path, capsys):
    run(networks, 'rgb', tmp_path, f'--seeds=1,2 --frames=3 --fps=20 --output={name}')
    run_dir, = (tmp_path / 'results').iterdir()
    assert run_dir.name == '00000-video'
    with av.open(str(run_dir / name)) as container:
        assert len(list(container.decode(video=0))) == 6
        assert (container.streams.video[0].width, container.streams.video[0].average_rate) == (16, 20)
    assert f'Saved {run_dir / name}' in capsys.readouterr().out


def test_an_interrupted_video_leaves_nothing(networks, tmp_path, monkeypatch):
    def interrupted(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(misc.pictures, 'create_image_grid', interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(networks, 'rgb', tmp_path, '--seeds=1,2')
    assert not (tmp_path / 'results').exists()


# The command `training-video`

@pytest.fixture
def training_dir(tmp_path):
    """Write pictures as a training run does: the kimg is the brightness. -> path."""
    folder = tmp_path / 'training'
    folder.mkdir()
    for name, value in (('fakes_init', 1), ('fakes000020', 20), ('fakes000100', 100), ('fakes000003', 3),
                        ('reals', 255), ('fakes1000000', 200)):
        PIL.Image.new('L', (90, 60), value).save(folder / f'{name}.png')
    return folder


def run_training_video(training_dir, tmp_path, line=''):
    run_generator.main(['training-video', str(training_dir), f'--result-dir={tmp_path / "results"}',
                        *line.split()])


def test_pictures_of_a_run_come_in_the_order_of_training_with_their_kimg(training_dir):
    found = training_progress.pictures_of(str(training_dir))
    assert [legend for legend, _ in found] == [
        'before training', '3 kimg', '20 kimg', '100 kimg', '1000000 kimg']
    assert found[1][1] == str(training_dir / 'fakes000003.png')


def test_a_run_becomes_a_video_whose_last_picture_stays(training_dir, recorded, tmp_path):
    run_training_video(training_dir, tmp_path, '--fps=4 --hold=1.5')
    assert [frame[0, 0, 0] for frame in recorded] == [1, 3, 20, 100, 200] + 6 * [200]
    assert {frame.shape for frame in recorded} == {(60 + 16, 90, 3)}
    for frame in recorded:
        assert np.all(frame[:60] == frame[0, 0, 0])
        assert frame[60:].max() > 200 and np.mean(frame[60:] > 128) < 0.3
    assert np.any(recorded[1][60:] != recorded[2][60:])


def test_large_pictures_are_reduced_and_others_fitted(training_dir, recorded, tmp_path):
    PIL.Image.new('RGB', (600, 300), (9, 8, 7)).save(training_dir / 'fakes2000000.png')
    run_training_video(training_dir, tmp_path, '--max-size=120 --hold=0')
    assert {frame.shape for frame in recorded} == {(60 + 16, 120, 3)}
    assert tuple(recorded[-1][30, 60]) == (9, 8, 7)
    assert (recorded[2][30, 60, 0], recorded[2][30, 2, 0]) == (20, 0)


@pytest.mark.parametrize('size', [1, 20, 45])
def test_a_picture_that_cannot_be_read_is_named(size, training_dir, tmp_path):
    content = (training_dir / 'fakes000020.png').read_bytes()
    (training_dir / 'fakes000050.png').write_bytes(content[:size])
    with pytest.raises(UserError, match='^.*fakes000050.png: this picture cannot be read'):
        run_training_video(training_dir, tmp_path)
    assert not (tmp_path / 'results').exists()


def test_a_training_video_does_not_load_tensorflow(training_dir, tmp_path):
    code = ('import sys, run_generator; run_generator.main(sys.argv[1:]); '
            'assert "tensorflow" not in sys.modules')
    subprocess.run([sys.executable, '-c', code, 'training-video', str(training_dir),
                    f'--result-dir={tmp_path / "results"}'], cwd=ROOT, check=True)
    with av.open(str(tmp_path / 'results' / '00000-training-video' / 'training.mp4')) as container:
        assert len(list(container.decode(video=0))) == 5 + 20
