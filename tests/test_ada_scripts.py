"""Test generate.py, style_mixing.py and calc_metrics.py: their files, messages and what they draw."""

import json

import numpy as np
import PIL.Image
import pytest

import calc_metrics
import dnnlib.tflib as tflib
import generate
import pretrained_networks
import projector
import style_mixing
from dnnlib.util import UserError
from latents import dlatent_files
from latents.projection.projector import Projector
from metrics.features import feature_networks
from tests import metric_stand_ins
from tests.golden_figures import QUICK, fresh_session, set_golden_values
from training import misc
from training.data import class_names
from training.data.export import TFRecordExporter

ADA = 'training.networks_stylegan2_ada'
SHAPE = dict(num_channels=1, resolution=8, fmap_base=32, fmap_max=4)
WIDTHS = dict(latent_size=4, dlatent_size=4, mapping_layers=2)
UINT8 = dict(func=tflib.convert_images_to_uint8)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Write a run directory with grey networks, one of them with labels, and the data set that they fit."""
    path = tmp_path_factory.mktemp('files')
    with fresh_session(QUICK):
        D = tflib.Network('D', func_name=f'{ADA}.D_main', **SHAPE)
        for name, label_size in (('plain', 0), ('labels', 3)):
            G = tflib.Network('G', func_name=f'{ADA}.G_main', label_size=label_size, **SHAPE, **WIDTHS)
            set_golden_values(G)
            misc.save_pkl((G, D, G.clone('Gs')), str(path / f'{name}.pkl'))
    class_names.write(path / 'classes.json', ['cat', 'dog', 'wild'])
    images = np.random.RandomState(1).randint(256, size=[24, 1, 8, 8]).astype(np.uint8)
    with TFRecordExporter(str(path / 'data'), len(images), print_progress=False) as exporter:
        for image in images:
            exporter.add_image(image)
        exporter.add_labels(np.eye(3, dtype=np.float32)[np.arange(24) % 3])
    data = dict(path=str(path / 'data'), max_label_size='full', resolution=8, mirror_augment=True)
    (path / 'training_options.json').write_text(json.dumps({'metric_dataset_args': data}))
    return path


@pytest.fixture(scope='module', autouse=True)
def shared_session(module_session):
    """Let all tests load networks into one session."""


def pixels(path):
    with PIL.Image.open(path) as image:
        assert (image.format, image.mode) == ('PNG', 'L')
        return np.asarray(image).astype(int)


def run(script, folder, out, *flags, network='plain'):
    script.main([f'--network={folder / f"{network}.pkl"}', f'--outdir={out}', *flags])


def test_seeds_become_grey_images_of_a_class(folder, tmp_path, capsys):
    run(generate, folder, tmp_path / 'out', '--seeds=1,30', '--class=dog', '--trunc=0.7', network='labels')
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == ['seed0001.png', 'seed0030.png']
    Gs = pretrained_networks.load_generator(str(folder / 'labels.pkl'))
    rnd = np.random.RandomState(30)
    z = rnd.randn(1, 4)
    for layer_idx, size in enumerate([4, 8, 8]):
        Gs.set_var(f'G_synthesis/noise{layer_idx}', rnd.randn(1, 1, size, size))
    expected = Gs.run(z, np.eye(3)[[1]], truncation_psi=0.7, randomize_noise=False, output_transform=UINT8)
    np.testing.assert_array_equal(pixels(tmp_path / 'out' / 'seed0030.png'), expected[0, 0])
    assert 'Generating image for seed 30 (1/2) ...' in capsys.readouterr().out.splitlines()


def test_what_was_projected_is_drawn_again_with_its_noise(folder, tmp_path, monkeypatch, capsys):
    """The network has 4 layers; the published script takes dlatents of 18 layers only."""
    PIL.Image.new('L', (9, 8), 90).save(tmp_path / 'target.png')
    original = Projector.set_network
    monkeypatch.setattr(Projector, 'set_network', lambda self, Gs: (
        vars(self).update(num_steps=5, dlatent_avg_samples=50), original(self, Gs)))
    found, out = tmp_path / 'found', tmp_path / 'out'
    run(projector, folder, found, f'--target={tmp_path / "target.png"}', '--features=pixels',
        '--save-video=no')
    run(generate, folder, out, f'--dlatents={found / "dlatents.npz"}')
    assert f'Saved {out}/dlatent00.png' in capsys.readouterr().out.splitlines()
    assert np.abs(pixels(out / 'dlatent00.png') - pixels(found / 'proj.png')).max() <= 1
    (found / 'projected_noises.npz').rename(found / 'elsewhere.npz')
    again = [f'--dlatents={found / "dlatents.npz"}', f'--noises={found / "elsewhere.npz"}']
    run(generate, folder, tmp_path / 'named', *again)
    np.testing.assert_array_equal(pixels(tmp_path / 'named' / 'dlatent00.png'), pixels(out / 'dlatent00.png'))


def test_latents_are_drawn_for_a_class(folder, tmp_path):
    z = np.random.RandomState(2).randn(2, 4).astype(np.float32)
    np.save(tmp_path / 'z.npy', z)
    run(generate, folder, tmp_path / 'out', f'--latents={tmp_path}/z.npy', '--class=1', network='labels')
    Gs = pretrained_networks.load_generator(str(folder / 'labels.pkl'))
    expected = Gs.run(z[1:], np.eye(3)[[1]], truncation_psi=0.5, randomize_noise=False,
                      output_transform=UINT8)
    assert np.abs(pixels(tmp_path / 'out' / 'latent01.png') - expected[0, 0]).max() <= 1


def test_styles_are_mixed_between_images_of_a_class(folder, tmp_path, capsys):
    run(style_mixing, folder, tmp_path / 'out', '--rows=1,2', '--cols=3', '--styles=0-1', '--class=2',
        network='labels')
    names = ['1-1', '1-3', '2-2', '2-3', '3-3', 'grid']
    assert sorted(path.stem for path in (tmp_path / 'out').iterdir()) == names
    Gs = pretrained_networks.load_generator(str(folder / 'labels.pkl'))
    z = np.stack([np.random.RandomState(seed).randn(4) for seed in (2, 3)])
    w = Gs.components.mapping.run(z, np.eye(3)[[2, 2]])
    w_avg = Gs.get_var('dlatent_avg')
    row, col = w_avg + (w - w_avg) * 0.5
    mixed = np.stack([[*col[:2], *row[2:]]])
    expected = Gs.components.synthesis.run(mixed, randomize_noise=False, output_transform=UINT8)[0, 0]
    assert np.abs(pixels(tmp_path / 'out' / '2-3.png') - expected).max() <= 1
    np.testing.assert_array_equal(pixels(tmp_path / 'out' / 'grid.png')[16:, 8:],
                                  pixels(tmp_path / 'out' / '2-3.png'))
    assert 'Saving image grid...' in capsys.readouterr().out


def test_all_layers_are_mixed_if_the_network_has_fewer_than_the_default(folder, tmp_path):
    run(style_mixing, folder, tmp_path, '--rows=1', '--cols=2')
    np.testing.assert_array_equal(pixels(tmp_path / '1-2.png'), pixels(tmp_path / '2-2.png'))


@pytest.mark.parametrize('script', [generate, style_mixing, projector, calc_metrics])
def test_the_flags_and_defaults_are_the_published_ones(script):
    required = {
        generate: ['--seeds=1', '--outdir=x'], style_mixing: ['--rows=1', '--cols=2', '--outdir=x'],
        projector: ['--target=y', '--outdir=x'], calc_metrics: []}[script]
    defaults = {
        generate: dict(truncation_psi=0.5, class_idx=None), style_mixing: dict(truncation_psi=0.5),
        projector: dict(save_video=True, seed=303),
        calc_metrics: dict(metrics=['fid50k_full'], metricdata=None, mirror=None, num_gpus=1)}[script]
    args = vars(script.make_parser().parse_args(['--network=z', *required]))
    assert {name: args[name] for name in defaults} == defaults


@pytest.fixture
def stand_ins(monkeypatch, tmp_path):
    """Use stand-ins for the feature networks and an empty cache."""
    table = metric_stand_ins.sources(feature_networks.SOURCES, size=8)
    monkeypatch.setattr(feature_networks, 'SOURCES', table)
    monkeypatch.setenv('DNNLIB_CACHE_DIR', str(tmp_path / 'cache'))
    few = {name: dict(args, num_fakes=20, max_reals=24) for name, args in calc_metrics.metric_defaults.items()
           if 'num_fakes' in args}
    monkeypatch.setattr('run_metrics.metric_defaults', few)


@pytest.mark.usefixtures('stand_ins')
def test_metrics_take_the_data_of_the_run_and_add_their_results_to_it(folder, capsys):
    calc_metrics.main([f'--network={folder / "labels.pkl"}', '--metrics=fid50k_full,kid50k'])
    printed = capsys.readouterr().out
    assert 'Could not look up' not in printed
    assert json.loads(printed[printed.index('{'):printed.index('}') + 1]) == dict(
        path=str(folder / 'data'), resolution=8, max_label_size=3, mirror_augment=True)
    assert '\n\nEvaluating fid50k_full...\n' in printed and '\nlabels  ' in printed
    assert 'OutputShape' in printed, 'the layers are listed'
    records = []
    for name in ('fid50k_full', 'kid50k'):
        assert f' {name} ' in (folder / f'metric-{name}.txt').read_text()
        records.append(json.loads((folder / f'metric-{name}.jsonl').read_text()))
    assert [record['mirror_augment'] for record in records] == [False, True], 'full: the images as they are'


@pytest.mark.usefixtures('stand_ins')
def test_flags_come_before_the_options_of_the_run(folder, tmp_path, capsys):
    (tmp_path / 'plain.pkl').write_bytes((folder / 'plain.pkl').read_bytes())
    flags = [f'--network={tmp_path / "plain.pkl"}', '--metrics=kid50k']
    with pytest.raises(UserError, match='^--metricdata must be specified explicitly$'):
        calc_metrics.main(flags)
    line = 'Could not look up training options; will rely on --metricdata and --mirror'
    assert capsys.readouterr().out.splitlines() == [line]
    calc_metrics.main([*flags, f'--metricdata={folder / "data"}', '--mirror=yes'])
    printed = capsys.readouterr().out
    assert '"mirror_augment": true' in printed and '"max_label_size": 0' in printed
    assert ' kid50k ' in printed.splitlines()[-1]
    assert not list(tmp_path.glob('metric-*'))


def test_without_metrics_the_network_is_listed(folder, capsys):
    calc_metrics.main([f'--network={folder / "plain.pkl"}', '--metrics=none'])
    printed = capsys.readouterr().out
    assert 'OutputShape' in printed and 'Evaluating' not in printed


@pytest.mark.parametrize('content', [
    '{', '[]', '[' * 100_000, '{"metric_dataset_args": {"path": 3}}',
    '{"metric_dataset_args": {"path": "set", "mirror_augment": "no"}}'])
def test_damaged_options_of_a_run_are_one_line(content, folder, tmp_path):
    (tmp_path / 'plain.pkl').write_bytes((folder / 'plain.pkl').read_bytes())
    (tmp_path / 'training_options.json').write_text(content)
    with pytest.raises(UserError, match='training_options.json: (cannot be read|expected metric_dataset_a)'):
        calc_metrics.main([f'--network={tmp_path / "plain.pkl"}', '--metrics=kid50k'])


def test_labels_of_fewer_components_than_the_data_has_fit(folder, tmp_path, capsys):
    """Published: the size of the labels comes from the network."""
    with fresh_session(QUICK):
        G = tflib.Network('G', func_name=f'{ADA}.G_main', label_size=2, **SHAPE, **WIDTHS)
        misc.save_pkl((G, G, G), str(tmp_path / 'two.pkl'))
    args = calc_metrics.make_parser().parse_args(
        [f'--network={tmp_path / "two.pkl"}', f'--metricdata={folder / "data"}'])
    calc_metrics.fit.check_network('two', calc_metrics.validate(args), args.metricdata, 2)
    with pytest.raises(UserError, match='takes labels of 2 components, but those of the data set have 3'):
        calc_metrics.fit.check_network('two', calc_metrics.validate(args), args.metricdata)


def test_dlatents_of_another_network_are_refused(folder, tmp_path):
    dlatent_files.write(tmp_path / 'd.npz', np.zeros([1, 18, 512]), key='dlatents')
    with pytest.raises(UserError, match='has dlatents of 18 layers and 512 numbers, the network has 4 and 4'):
        run(generate, folder, tmp_path / 'out', f'--dlatents={tmp_path / "d.npz"}')
    with pytest.raises(UserError, match='--class: dlatents have been made for a class already'):
        run(generate, folder, tmp_path / 'out', f'--dlatents={tmp_path / "d.npz"}', '--class=1')
    assert not (tmp_path / 'out').exists()
