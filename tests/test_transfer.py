"""Test transfer learning: where networks come from, what is copied of them, and which layers are frozen."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

import dnnlib.tflib as tflib
from dnnlib.downloading import downloads
from dnnlib.util import DownloadError, UserError
from tests import resumed_runs
from tests.golden_figures import QUICK, assert_close, fresh_session, set_golden_values
from tests.golden_recipe import golden_input
from training import misc
from training.data.official_files import OFFICIAL_URLS, TRANSFER_SOURCES
from training.loop import starting_networks
from training.settings import freezing

NETWORKS = 'training.networks_stylegan2_ada'
SIZES = dict(fmap_base=64, fmap_max=8)
WIDTHS = dict(latent_size=6, dlatent_size=6)
Z = golden_input('z', [4, 6])
FOLDER = 'https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada/pretrained/transfer-learning-source-nets/'


def new(func, **kwargs):
    sizes = {**SIZES, **(WIDTHS if func.startswith('G_') else {})}
    module = 'networks_stylegan2' if func == 'D_stylegan2' or kwargs.pop('config_f', False) else NETWORKS[9:]
    return tflib.Network(func[0], func_name=f'training.{module}.{func}', **{**sizes, **kwargs})


# Named sources

@pytest.mark.parametrize('name, file', [
    ('ffhq256', 'ffhq-res256-mirror-paper256-noaug.pkl'),
    ('ffhq512', 'ffhq-res512-mirror-stylegan2-noaug.pkl'),
    ('ffhq1024', 'ffhq-res1024-mirror-stylegan2-noaug.pkl'),
    ('celebahq256', 'celebahq-res256-mirror-paper256-kimg100000-ada-target0.5.pkl'),
    ('lsundog256', 'lsundog-res256-paper256-kimg100000-noaug.pkl')])
def test_named_sources_are_the_published_files(name, file):
    assert OFFICIAL_URLS[TRANSFER_SOURCES[name]] == FOLDER + file
    assert OFFICIAL_URLS[f'stylegan2-ada:transfer-learning-source-nets/{file}'] == FOLDER + file


def test_a_named_source_comes_from_the_cache_or_says_where_to_put_it(session, tmp_path, monkeypatch):
    def refuse(url, cache_dir, *_args):
        raise downloads.failure(url, cache_dir, 'no connection')

    monkeypatch.setenv('DNNLIB_CACHE_DIR', str(tmp_path / 'cache'))
    monkeypatch.setattr(downloads, '_complete', lambda partial, url, *args: refuse(url, *args))
    key = TRANSFER_SOURCES['ffhq256']
    with pytest.raises(DownloadError, match='^ffhq-res256-mirror-paper256-noaug.pkl: cannot be') as caught:
        misc.load_networks(key)
    D = new('D_main', resolution=8)
    misc.save_pkl((D, D, D), re.search(r'store it as (.*)$', str(caught.value))[1])
    assert misc.load_networks(key)[1].name == 'D'


# Frozen layers

@pytest.mark.parametrize('resolution, architecture', [
    (4, 'skip'), (16, 'skip'), (16, 'orig'), (16, 'resnet')])
def test_all_layers_but_the_output_can_be_frozen(resolution, architecture, session):
    total = freezing.num_layers(resolution, architecture)
    kwargs = dict(resolution=resolution, architecture=architecture)
    trained = [list(new('D_main', freeze_layers=number, **kwargs).trainables)
               for number in (total - 1, total)]
    assert trained[0][:2] == ['4x4/Dense0/weight', '4x4/Dense0/bias']
    assert trained[1] == ['Output/weight', 'Output/bias']
    freezing.check(total, resolution, architecture)
    with pytest.raises(UserError, match=f'^--freezed={total + 1}: .* has only {total} layers'):
        freezing.check(total + 1, resolution, architecture)


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    """Write networks of StyleGAN2's config F for 8x8 images, whose synthesis noise is off. -> path."""
    path = tmp_path_factory.mktemp('source') / 'network-final.pkl'
    with fresh_session(QUICK):
        G = new('G_main', config_f=True, resolution=8, mapping_layers=2, mapping_fmaps=6)
        D = new('D_stylegan2', resolution=8)
        for net in (G, D):
            set_golden_values(net)
        tflib.set_vars({var: 0.0 for name, var in G.vars.items() if name.endswith('noise_strength')})
        misc.save_pkl((G, D, G.clone('Gs')), path)
    return path


@pytest.fixture(scope='module')
def run_dir(source, tmp_path_factory):
    """Train networks of StyleGAN2-ADA for 16x16 images from those of the source. -> run directory."""
    folder = tmp_path_factory.mktemp('run')
    resumed_runs.write_data(folder, size=(16, 16))
    return resumed_runs.start(
        folder, folder, resume_pkl=str(source), resume_with_new_nets=True, total_kimg=0.016,
        dataset_args=dict(tfrecord_dir='tiny', shuffle_mb=1), network_snapshot_ticks=None,
        G_args=dict(func_name=f'{NETWORKS}.G_main', mapping_layers=2, **SIZES, **WIDTHS),
        D_args=dict(func_name=f'{NETWORKS}.D_main', freeze_layers=5, **SIZES))


def test_frozen_layers_stay_as_they_came_and_the_others_are_trained(run_dir, source):
    with fresh_session(QUICK):
        before, after = misc.load_networks(source)[1], misc.load_networks(run_dir / 'network-final.pkl')[1]
        assert after.static_kwargs['freeze_layers'] == 5
        frozen = [name for name in after.vars if name not in after.trainables]
        assert frozen[-2:] == ['8x8/Conv0/weight', '8x8/Conv0/bias'], 'the layers of 16x16 come first'
        for name in before.vars:
            if name in after.vars:
                assert np.array_equal(before.get_var(name), after.get_var(name)) == (name in frozen), name


def test_the_log_says_what_was_copied(run_dir):
    log = (run_dir / 'log.txt').read_text()
    lines = log[log.index('G -> G: '):].splitlines()[:6]
    assert lines == [
        'G -> G: 32 of 48 variables copied',
        '  16 not in the source, kept as they are: G_synthesis/noise* (2), G_synthesis/16x16/* (14)',
        '  1 only in the source, left out: lod',
        'D -> D: 11 of 18 variables copied',
        '  7 not in the source, kept as they are: 16x16/FromRGB/weight, 16x16/FromRGB/bias, '
        '16x16/Conv0/weight, 16x16/Conv0/bias, 16x16/Conv1_down/weight, 16x16/Conv1_down/bias, '
        '16x16/Skip/weight',
        '  2 only in the source, left out: 8x8/FromRGB/weight, 8x8/FromRGB/bias']
    assert 'The mapping network has' not in log


# What is copied

def make(source, capsys, shape=(3, 8, 8), label_size=0, G_args={}, D_args={}):
    """Make the networks that a run begins with. -> (G, D, Gs), what is printed about copies."""
    G_args = dict(func_name=f'{NETWORKS}.G_main', mapping_layers=2, **SIZES, **WIDTHS) | G_args
    D_args = dict(func_name=f'{NETWORKS}.D_main', **SIZES) | D_args
    settings = starting_networks.NetworkSettings(G_args, D_args, resume_with_new_nets=True, use_noise=True)
    training_set = SimpleNamespace(shape=list(shape), label_size=label_size)
    networks = starting_networks.make(settings, training_set, str(source))
    return networks, capsys.readouterr().out.partition('"...\n')[2].splitlines()


def images_of(Gs, label_size=0):
    return Gs.run(Z, np.zeros([len(Z), label_size]), is_validation=True, randomize_noise=False)


def test_networks_of_stylegan2_go_on_as_those_of_stylegan2_ada_and_back(source, session, capsys, tmp_path):
    """G adds `lod` on the way back, which is all that the two do not have in common."""
    networks, lines = make(source, capsys)
    assert lines == ['G -> G: 32 of 32 variables copied', '  1 only in the source, left out: lod',
                     'D -> D: 13 of 13 variables copied', 'Gs -> Gs: 32 of 32 variables copied',
                     '  1 only in the source, left out: lod']
    assert_close(images_of(networks[2]), images_of(misc.load_networks(source)[2]), 'images', tolerance=1e-5)
    misc.save_pkl(networks, tmp_path / 'ada.pkl')
    _, lines = make(tmp_path / 'ada.pkl', capsys,
                    G_args=dict(func_name='training.networks_stylegan2.G_main', mapping_fmaps=6),
                    D_args=dict(func_name='training.networks_stylegan2.D_stylegan2'))
    assert lines[:3] == ['G -> G: 32 of 33 variables copied', '  1 not in the source, kept as they are: lod',
                         'D -> D: 13 of 13 variables copied']


def test_a_lower_resolution_keeps_the_lower_layers(run_dir, session, capsys):
    networks, lines = make(run_dir / 'network-final.pkl', capsys)
    assert lines[0] == 'G -> G: 32 of 32 variables copied'
    assert lines[1] == '  16 only in the source, left out: G_synthesis/noise* (2), G_synthesis/16x16/* (14)'
    assert lines[2] == 'D -> D: 11 of 13 variables copied'
    assert np.ptp(images_of(networks[2])) > 0.1


def test_grey_images_get_new_layers_to_and_from_rgb(source, session, capsys):
    _, lines = make(source, capsys, shape=(1, 8, 8))
    assert lines[0] == 'G -> G: 28 of 32 variables copied'
    assert lines[2] == ('  4 of another shape, kept as they are: '
                        'G_synthesis/4x4/ToRGB/weight [1, 1, 8, 3] -> [1, 1, 8, 1], '
                        'G_synthesis/4x4/ToRGB/bias [3] -> [1], '
                        'G_synthesis/8x8/ToRGB/weight [1, 1, 8, 3] -> [1, 1, 8, 1], '
                        'G_synthesis/8x8/ToRGB/bias [3] -> [1]')
    assert lines[4:6] == ['  1 of another shape, kept as they are: 8x8/FromRGB/weight [1, 1, 3, 8] -> '
                          '[1, 1, 1, 8]', 'Gs -> Gs: 28 of 32 variables copied']


def test_labels_and_another_depth_leave_the_synthesis_as_it_is(source, session, capsys):
    networks, lines = make(source, capsys, label_size=3, G_args=dict(mapping_layers=4))
    assert '  6 not in the source, kept as they are: G_mapping/LabelEmbed/weight, ' in lines[1]
    assert '  1 of another shape, kept as they are: G_mapping/Dense0/weight [6, 6] -> [12, 6]' in lines
    assert lines[-1].startswith('The mapping network has 4 layers, that of the source 2: what')
    assert np.isfinite(images_of(networks[2], label_size=3)).all()


def test_another_number_of_feature_maps_is_reported_by_blocks(source, session, capsys):
    _, lines = make(source, capsys, G_args=dict(fmap_max=4), D_args=dict(fmap_max=4))
    others = [line for line in lines if ' of another shape, ' in line]
    assert others[0] == ('  19 of another shape, kept as they are: G_synthesis/4x4/* (8), '
                         'G_synthesis/8x8/* (11)')
    assert len(max(lines, key=len)) < 200


def test_a_discriminator_that_cannot_freeze_layers_says_so(source, session, capsys):
    D_stylegan2 = dict(func_name='training.networks_stylegan2.D_stylegan2', freeze_layers=2)
    with pytest.raises(UserError, match='^--freezed=2: D_stylegan2 cannot freeze layers; choose a config'):
        make(source, capsys, D_args=D_stylegan2)
    with pytest.raises(UserError, match='^--freezed=7: a discriminator of resolution 8 has only 6 layers'):
        make(source, capsys, D_args=dict(freeze_layers=7))
