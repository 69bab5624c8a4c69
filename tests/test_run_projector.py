"""Test run_projector.py and projector.py: files, messages, targets, resuming; images from their files."""

import signal
import sys
from types import SimpleNamespace

import numpy as np
import PIL.Image
import pytest

import dnnlib
import dnnlib.tflib as tflib
import pretrained_networks
import projector
import run_generator
import run_projector
from dnnlib.util import UserError
from latents import dlatent_files, noise_files
from latents.projection import runs, state_file
from latents.projection.projector import Projector
from tests import awkward_images
from tests.dataset_files import random_pixels
from tests.golden_figures import QUICK as QUICK_SESSION
from tests.golden_figures import fresh_session, set_golden_values
from training import misc
from training.data.export import TFRecordExporter

SHAPE = dict(num_channels=1, resolution=8, fmap_base=32, fmap_max=4, latent_size=4, dlatent_size=4,
             mapping_fmaps=4, mapping_layers=2)
QUICK = ('--features=pixels', '--num-steps=6', '--num-snapshots=2')
RESULTS = ('comparison.png', 'projected_noises.npz', 'projected_w.npz', 'step0003.png', 'step0006.png',
           'target.png')


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """Write generators and data sets to a folder."""
    folder = tmp_path_factory.mktemp('files')
    for name, label_size in (('plain', 0), ('labels', 3)):
        with fresh_session(QUICK_SESSION):
            G = tflib.Network('G', func_name='training.networks_stylegan2.G_main', label_size=label_size,
                              **SHAPE)
            set_golden_values(G)
            misc.save_pkl(G, str(folder / f'{name}.pkl'))
    with TFRecordExporter(str(folder / 'data'), 4, print_progress=False) as exporter:
        for _ in range(4):
            exporter.add_image(random_pixels(1, 8, 8))
        exporter.add_labels(np.eye(3, dtype=np.float32)[[1, 2, 0, 1]])
    return folder


@pytest.fixture(autouse=True)
def few_samples(session, monkeypatch):
    """Measure W on few latents, in a graph that only one test fills."""
    original = Projector.__init__

    def init(self):
        original(self)
        self.dlatent_avg_samples = 50

    monkeypatch.setattr(Projector, '__init__', init)


def project(command, network, result_dir, *flags):
    """Run the script. -> run directory."""
    run_projector.main([command, f'--network={network}', f'--result-dir={result_dir}', *QUICK, *flags])
    return sorted(result_dir.iterdir())[-1]


def names_in(run_dir, *endings):
    return sorted(path.name for path in run_dir.iterdir() if path.suffix in endings)


def pixels(path):
    with PIL.Image.open(path) as image:
        return np.asarray(image).astype(int)


def test_generated_images_are_projected_one_by_one(files, tmp_path, capsys):
    run_dir = project('project-generated-images', files / 'plain.pkl', tmp_path, '--seeds=5,12')
    assert run_dir.name == '00000-project-generated-images'
    assert names_in(run_dir, '.png', '.npz') == sorted(
        f'seed{seed:04d}-{name}' for seed in (5, 12) for name in RESULTS)
    out = capsys.readouterr().out
    for line in ('Loading networks from "', 'Projecting seed 5 (0/2) ...', 'Projecting seed 12 (1/2) ...',
                 '\n0 / 6 ... \n'):
        assert line in out
    assert '\r' not in out, 'lines are overwritten on a terminal only'
    Gs = pretrained_networks.load_generator(str(files / 'plain.pkl'))
    rnd = np.random.RandomState(12)
    latents = rnd.randn(1, 4)
    for idx, size in enumerate([4, 8, 8]):
        Gs.set_var(f'G_synthesis/noise{idx}', rnd.randn(1, 1, size, size))
    image = Gs.run(latents, None, truncation_psi=1, randomize_noise=False,
                   output_transform=dict(func=tflib.convert_images_to_uint8))
    assert np.abs(pixels(run_dir / 'seed0012-target.png') - image[0, 0]).max() <= 1


def test_the_published_line_of_progress_is_overwritten_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(sys, '__stdout__', SimpleNamespace(isatty=lambda: True))
    progress = runs._Progress(0, 1000)
    progress.show(0)
    progress.clear()
    shown = capsys.readouterr().out
    assert shown.startswith('\r0 / 1000 ... ') and shown.endswith('\r') and '\n' not in shown


def test_defaults_are_those_published():
    args = run_projector.make_parser().parse_args(['project-generated-images', '--network=x'])
    assert (args.seeds, args.num_snapshots, args.truncation_psi) == ([0, 1, 2], 5, 1.0)
    assert args.result_dir == 'results'
    args = run_projector.make_parser().parse_args(['project-real-images', '--network=x', '--dataset=y'])
    assert (args.num_images, args.num_snapshots, args.features, args.space) == (3, 5, 'lpips', 'w')
    assert (args.num_steps, args.minibatch_size, args.video) == (1000, 1, False)


def test_images_of_a_data_set_together_are_as_alone(files, tmp_path, capsys):
    flags = (f'--dataset={files / "data"}', '--num-images=3')
    alone = project('project-real-images', files / 'plain.pkl', tmp_path, *flags)
    out = capsys.readouterr().out
    for line in ('Loading images from "data"...', 'Projecting image 0/3 ...', 'Projecting image 2/3 ...'):
        assert line in out
    together = project('project-real-images', files / 'plain.pkl', tmp_path, *flags, '--minibatch-size=2')
    assert names_in(together, '.png', '.npz') == names_in(alone, '.png', '.npz') == sorted(
        f'image{idx:04d}-{name}' for idx in range(3) for name in RESULTS)
    for idx in range(3):
        name = f'image{idx:04d}-projected_w.npz'
        np.testing.assert_allclose(dlatent_files.read(together / name), dlatent_files.read(alone / name),
                                   atol=1e-3)
    comparison = pixels(alone / 'image0002-comparison.png')
    assert comparison.shape == (8, 16)
    np.testing.assert_array_equal(comparison[:, :8], pixels(alone / 'image0002-target.png'))
    np.testing.assert_array_equal(comparison[:, 8:], pixels(alone / 'image0002-step0006.png'))


def test_labels_of_the_data_set_or_a_class_say_where_w_is_measured(files, tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(runs, '_project_group', lambda proj, *_: started.append(proj.get_dlatents()))
    flags = (f'--dataset={files / "data"}', '--num-images=2', '--minibatch-size=2')
    project('project-real-images', files / 'labels.pkl', tmp_path, *flags)
    project('project-real-images', files / 'labels.pkl', tmp_path, *flags, '--class=2')
    (own_first, own_second), (first, second) = started
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(own_second, first, atol=1e-5)
    assert np.abs(own_first - first).max() > 1e-3


def test_image_files_of_any_size_are_projected(files, tmp_path, capsys):
    folder = tmp_path / 'photos'
    folder.mkdir()
    upright = awkward_images.picture(40, 64)
    upright.save(folder / 'a.png')
    upright.resize([5, 8]).save(folder / 'small.png')
    (folder / 'notes.txt').write_text('x')
    (folder / 'turned.jpg').write_bytes(awkward_images.turned(6))
    run_dir = project('project-images', files / 'plain.pkl', tmp_path / 'results', f'--images={folder}')
    assert len(names_in(run_dir, '.png', '.npz')) == 3 * len(RESULTS)
    out = capsys.readouterr().out
    assert f'Leaving out {folder}/notes.txt: not an image' in out
    assert 'Projecting image 2/3 (turned.jpg) ...' in out
    square = upright.crop([0, 12, 40, 52]).resize([8, 8], PIL.Image.Resampling.LANCZOS).convert('L')
    assert np.abs(pixels(run_dir / 'image0000-target.png') - np.asarray(square)).max() <= 1
    turned = awkward_images.picture().resize([8, 8], PIL.Image.Resampling.LANCZOS).convert('L')
    assert np.abs(pixels(run_dir / 'image0002-target.png') - np.asarray(turned)).max() <= 6
    one = project('project-images', files / 'plain.pkl', tmp_path / 'results', f'--images={folder}/a.png')
    np.testing.assert_array_equal(pixels(one / 'image0000-target.png'),
                                  pixels(run_dir / 'image0000-target.png'))


def test_an_interrupted_run_resumes_with_the_same_result(files, tmp_path, monkeypatch, capsys):
    flags = ('--seeds=1,2', '--space=w+')
    whole = project('project-generated-images', files / 'plain.pkl', tmp_path / 'whole', *flags)
    step, count = Projector.step, [0]

    def stopping(self):
        count[0] += 1
        if count[0] == 10:  # in the second image
            signal.raise_signal(signal.SIGINT)
        return step(self)

    monkeypatch.setattr(Projector, 'step', stopping)
    with pytest.raises(KeyboardInterrupt):
        project('project-generated-images', files / 'plain.pkl', tmp_path / 'parts', *flags)
    [run_dir] = (tmp_path / 'parts').iterdir()
    assert f'Stopped; --resume={run_dir} continues.' in capsys.readouterr().out
    assert (run_dir / state_file.FILE).exists()
    assert not (run_dir / 'seed0002-projected_w.npz').exists()
    state = (run_dir / state_file.FILE).read_bytes()
    with np.load(run_dir / state_file.FILE) as arrays:
        np.savez(run_dir / state_file.FILE, **{**arrays, 'targets': ['Projecting seed 3 (1/2) ...']})
    with pytest.raises(UserError, match='the network or the images have changed since the interruption'):
        run_projector.main([f'--resume={run_dir}'])
    (run_dir / state_file.FILE).write_bytes(state)
    run_projector.main([f'--resume={run_dir}'])
    assert count[0] == 10 + 2
    assert names_in(run_dir, '.png', '.npz') == names_in(whole, '.png', '.npz')
    for name in names_in(whole, '.png'):
        np.testing.assert_array_equal(pixels(run_dir / name), pixels(whole / name), err_msg=name)
    for seed in (1, 2):
        name = f'seed{seed:04d}-projected_w.npz'
        np.testing.assert_array_equal(dlatent_files.read(run_dir / name), dlatent_files.read(whole / name))
    with pytest.raises(UserError, match='expected the directory of an interrupted run; there is no proj'):
        run_projector.main([f'--resume={run_dir}'])


def test_a_damaged_state_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(dnnlib, 'make_run_dir_path', lambda name: str(tmp_path / name))
    assert state_file.read() == (0, {})
    (tmp_path / state_file.FILE).write_bytes(b'PK\x03\x04cut')
    with pytest.raises(UserError, match='projection-state.npz: this state is damaged; start a new run'):
        state_file.read()


def test_a_video_shows_target_and_image_side_by_side(files, tmp_path):
    av = pytest.importorskip('av')
    run_dir = project('project-generated-images', files / 'plain.pkl', tmp_path, '--seeds=1', '--video')
    with av.open(str(run_dir / 'seed0001-projection.mp4')) as video:
        frames = [frame.to_ndarray(format='gray') for frame in video.decode(video=0)]
    assert len(frames) == 6
    assert frames[0].shape == (256, 512)
    target = pixels(run_dir / 'seed0001-target.png').repeat(32, axis=0).repeat(32, axis=1)
    assert np.abs(frames[0][:, :256].astype(int) - target).mean() < 10


def test_the_published_function_projects_with_any_projector(files, tmp_path, monkeypatch):
    Gs = pretrained_networks.load_generator(str(files / 'plain.pkl'))
    proj = projector.Projector()
    proj.features, proj.num_steps = 'pixels', 4
    proj.set_network(Gs)
    monkeypatch.setattr(dnnlib, 'make_run_dir_path', lambda name: str(tmp_path / name))
    run_projector.project_image(proj, np.zeros([1, 1, 8, 8]), 'x-', num_snapshots=1)
    assert {'x-target.png', 'x-step0004.png'} <= {path.name for path in tmp_path.iterdir()}


# Images of what was found

def test_files_of_a_projection_draw_its_image_again(files, tmp_path):
    run_dir = project('project-generated-images', files / 'plain.pkl', tmp_path, '--seeds=1,2')
    found = generate(files, tmp_path, f'--projected-w={run_dir}', f'--noises={run_dir}', '--grid=2x1')
    assert names_in(found, '.png') == ['grid.png', 'proj00.png', 'proj01.png']
    for idx in range(2):
        expected = pixels(run_dir / f'seed{idx + 1:04d}-step0006.png')
        assert np.abs(pixels(found / f'proj{idx:02d}.png') - expected).max() <= 1
    other_noise = generate(files, tmp_path, f'--projected-w={run_dir}/seed0001-projected_w.npz')
    assert names_in(other_noise, '.png') == ['proj00.png']
    assert np.abs(pixels(other_noise / 'proj00.png') - pixels(found / 'proj00.png')).max() > 3


def generate(files, result_dir, *flags):
    run_generator.main(['generate-images', f'--network={files / "plain.pkl"}', f'--result-dir={result_dir}',
                        *flags])
    return sorted(result_dir.glob('*-generate-images'))[-1]


def test_files_of_stylegan2_ada_draw_all_their_dlatents(files, tmp_path, capsys):
    dlatent_files.write(tmp_path / 'dlatents.npz', np.random.RandomState(1).randn(3, 4, 4), key='dlatents')
    found = generate(files, tmp_path / 'results', f'--dlatents={tmp_path / "dlatents.npz"}')
    assert names_in(found, '.png') == ['dlatent00.png', 'dlatent01.png', 'dlatent02.png']
    assert f'Generating image for {tmp_path}/dlatents.npz (2/3) ...' in capsys.readouterr().out


@pytest.mark.parametrize('flags, message', [
    ('--dlatents={wide}', r'wide.npz: has dlatents of 4 layers and 9 numbers, the network has 4 and 4; use'),
    ('--projected-w={short}', 'short.npz: has dlatents of 3 layers and 4 numbers, the network has 4 and 4'),
    ('--projected-w={fits} --noises={noises}', r'noises.npz: has 2 noise images of up to 8x8, the network'),
    ('--projected-w={fits} --noises={fits}', 'fits.npz: expected a .npz file with the'),
    ('--projected-w={fits},{fits},{fits} --noises={noises},{noises}', 'has 2 files; expected 1 or 3'),
    ('--projected-w={folder}', r'there is no \*projected_w.npz in this folder'),
    ('--projected-w={fits} --grid=0x1', None),
    ('--seeds=1 --dlatents={fits}', None),
    ('--seeds=1 --noises={noises}', '--noises: a seed has noise of its own; use --projected-w')])
def test_files_that_do_not_fit_are_refused_before_a_run(flags, message, files, tmp_path):
    paths = {name: tmp_path / f'{name}.npz' for name in ('wide', 'short', 'fits', 'noises')}
    dlatent_files.write(paths['wide'], np.zeros([1, 4, 9]))
    dlatent_files.write(paths['short'], np.zeros([1, 3, 4]))
    dlatent_files.write(paths['fits'], np.zeros([1, 4, 4]))
    noise_files.write(paths['noises'], [np.zeros([1, 1, 4, 4]), np.zeros([1, 1, 8, 8])])
    (tmp_path / 'folder').mkdir()
    with pytest.raises(UserError if message else SystemExit, match=message):
        generate(files, tmp_path / 'results', *flags.format(**paths, folder=tmp_path / 'folder').split())
    assert not (tmp_path / 'results').exists()


# projector.py

def test_the_script_of_stylegan2_ada_writes_its_files(files, tmp_path, monkeypatch):
    awkward_images.picture(40, 24).save(tmp_path / 'target.jpg')
    original = Projector.set_network
    monkeypatch.setattr(Projector, 'set_network', lambda self, Gs: (
        setattr(self, 'num_steps', 3), original(self, Gs)))
    projector.main([f'--network={files / "plain.pkl"}', f'--target={tmp_path / "target.jpg"}',
                    f'--outdir={tmp_path / "out"}', '--features=pixels'])
    assert names_in(tmp_path / 'out', '.png', '.mp4', '.npz') == [
        'dlatents.npz', 'proj.mp4', 'proj.png', 'projected_noises.npz', 'target.png']
    with np.load(tmp_path / 'out' / 'dlatents.npz') as file:
        assert (file.files, file['dlatents'].shape) == (['dlatents'], (1, 4, 4))


def test_the_module_has_the_class_and_nothing_that_it_lacks():
    assert projector.Projector is Projector
    with pytest.raises(AttributeError, match='no attribute'):
        projector.Projectors  # noqa: B018
