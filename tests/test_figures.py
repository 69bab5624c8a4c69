"""Test the figures of the papers: tiles against the generator, published layouts, commands and scripts."""

import itertools
import re

import numpy as np
import PIL.Image
import pytest
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
import generate_figures
import pretrained_example
import pretrained_networks
import run_generator
from dnnlib.util import UserError
from latents import noise, styles
from latents.commands.figures import COMMANDS
from latents.figures import (
    finishing,
    interpolation,
    layout,
    mixing_regularization,
    noise_components,
    noise_detail,
    style_mixing,
    truncation,
    uncurated,
)
from latents.figures.painter import Painter
from metrics import mixed_latents, perceptual_path_length
from tests.golden_figures import set_golden_values
from training import misc

pytestmark = pytest.mark.usefixtures('module_session')

UINT8 = dict(func=tflib.convert_images_to_uint8, nchw_to_nhwc=True)
WIDE = dict(base_shape=[4, 6], fmap_base=32, fmap_max=4, latent_size=4)
NETWORKS = {
    'stylegan': dict(func_name='training.networks_stylegan.G_style', num_channels=3, resolution=16,
                     fmap_base=64, fmap_max=8, latent_size=8, dlatent_size=6, mapping_fmaps=6,
                     mapping_layers=2),
    'stylegan2': dict(func_name='training.networks_stylegan2.G_main', num_channels=1, resolution=16,
                      dlatent_size=4, mapping_fmaps=4, mapping_layers=2, **WIDE),
    'ada': dict(func_name='training.networks_stylegan2_ada.G_main', num_channels=3, resolution=8,
                label_size=3, fmap_base=32, fmap_max=4, latent_size=4, dlatent_size=4, mapping_fmaps=4,
                mapping_layers=2),
    'progan': dict(func_name='training.networks_progan.G_paper', num_channels=1, resolution=8, **WIDE)}
SIZES = {'stylegan': (16, 16), 'stylegan2': (24, 16), 'ada': (8, 8), 'progan': (12, 8)}
FIGURES = {
    'figure02-uncurated-ffhq.png': (uncurated, 'ffhq-1024x1024', dict(
        crop=(0, 0, 1024, 1024), rows=3, lods=[0, 1, 2, 2, 3, 3], seed=5)),
    'figure03-style-mixing.png': (style_mixing, 'ffhq-1024x1024', dict(
        src_seeds=[639, 701, 687, 615, 2268], dst_seeds=[888, 829, 1898, 1733, 1614, 845])),
    'figure04-noise-detail.png': (noise_detail, 'ffhq-1024x1024', dict(num_samples=100, seeds=[1157, 1012])),
    'figure05-noise-components.png': (noise_components, 'ffhq-1024x1024', dict(
        seeds=[1967, 1555], flips=[1])),
    'figure08-truncation-trick.png': (truncation, 'ffhq-1024x1024', dict(
        seeds=[91, 388], psis=[1, 0.7, 0.5, 0, -0.5, -1])),
    'figure10-uncurated-bedrooms.png': (uncurated, 'bedrooms-256x256', dict(
        crop=(0, 0, 256, 256), rows=5, lods=[0, 0, 1, 1, 2, 2, 2], seed=0)),
    'figure11-uncurated-cars.png': (uncurated, 'cars-512x384', dict(
        crop=(0, 64, 512, 384), rows=4, lods=[0, 1, 2, 2, 3, 3], seed=2)),
    'figure12-uncurated-cats.png': (uncurated, 'cats-256x256', dict(
        crop=(0, 0, 256, 256), rows=5, lods=[0, 0, 1, 1, 2, 2, 2], seed=1)),
}


@pytest.fixture(scope='module')
def files(module_session, tmp_path_factory):
    """Write a small generator of every family. -> {name: path}."""
    folder, paths = tmp_path_factory.mktemp('networks'), {}
    for name, kwargs in NETWORKS.items():
        Gs = tflib.Network('Gs', **kwargs)
        set_golden_values(Gs)
        paths[name] = str(folder / f'{name}.pkl')
        misc.save_pkl(Gs, paths[name])
    return paths


@pytest.fixture(scope='module')
def painter(files):
    """Return a painter with StyleGAN's network, 16x16 pixels, 6 layers."""
    return Painter(files['stylegan'])


@pytest.fixture(scope='module')
def Gs(files):
    """Return the network of `painter`."""
    return pretrained_networks.load_generator(files['stylegan'])


@pytest.fixture
def quiet(Gs):
    """Take away the influence of noise, which is random in some figures."""
    weights = {var: tflib.run(var) for name, var in Gs.vars.items() if name.endswith('Noise/weight')}
    tflib.set_vars({var: np.zeros_like(value) for var, value in weights.items()})
    yield
    tflib.set_vars(weights)


def latents_of(*seeds):
    return np.stack([np.random.RandomState(seed).randn(8) for seed in seeds])


def w_of(Gs, *seeds):
    return Gs.components.mapping.run(latents_of(*seeds), None)


def images_of_w(Gs, w, **kwargs):
    return Gs.components.synthesis.run(w, output_transform=UINT8, **kwargs)


def assert_tile(picture, column, row, image, size=16):
    """Check that a tile is an image, up to 1: a different minibatch may change the rounding."""
    tile = np.asarray(picture)[row * size:(row + 1) * size, column * size:(column + 1) * size]
    assert tile.shape == image.shape
    assert np.abs(tile.astype(int) - image).max() <= 1


class Noisy:
    """A painter of images with known noise, instead of a network's. Rows are told apart by their seeds."""

    mode, size, num_noises = 'RGB', (64, 32), 1

    def check_noise(self):
        """Have noise."""

    def latents(self, seeds):
        """Return latents that contain the seed."""
        return np.float64(seeds)[:, np.newaxis]

    def arrays(self, seed, count):
        """Return the images of a seed, uint8 [count,H,W,3]."""
        rnd = np.random.RandomState(seed)
        spread = np.linspace(0, 120, 64)[np.newaxis, :, np.newaxis]  # some pixels reach white
        return (rnd.randn(count, 32, 64, 3) * spread + 128).clip(0, 255).astype(np.uint8)

    def from_latents(self, latents, psi, title, randomize_noise):
        """Yield the images of equal latents."""
        assert psi == 1 and randomize_noise and np.ptp(latents) == 0
        for array in self.arrays(int(latents[0, 0]), len(latents)):
            yield PIL.Image.fromarray(array)


# Uncurated images

def test_uncurated_images_are_cropped_and_halved_column_by_column(painter, Gs, quiet):
    picture = uncurated.compose(painter, seed=3, crop=(2, 4, 12, 8), rows=2, lods=[0, 1, 1])
    assert (picture.mode, picture.size) == ('RGB', (12 + 6 + 6, 8 * 2))
    latents = np.random.RandomState(3).randn(2 + 4 + 4, 8)
    images = Gs.run(latents, None, output_transform=UINT8)
    places = [(0, 0), (0, 8), *((12, y) for y in (0, 4, 8, 12)), *((18, y) for y in (0, 4, 8, 12))]
    for image, (x, y) in zip(images, places, strict=True):
        size = (12, 8) if x == 0 else (6, 4)
        expected = PIL.Image.fromarray(image).crop((2, 4, 14, 12)).resize(size, PIL.Image.Resampling.LANCZOS)
        tile = picture.crop((x, y, x + size[0], y + size[1]))
        assert np.abs(np.asarray(tile).astype(int) - expected).max() <= 2


def test_uncurated_images_are_truncated_as_the_generator_does_unless_told_otherwise(painter, Gs, quiet):
    for psi in (None, -0.5):
        picture = uncurated.compose(painter, seed=1, crop=(0, 0, 16, 16), rows=1, lods=[0], psi=psi)
        given = {} if psi is None else dict(truncation_psi=psi)
        assert_tile(picture, 0, 0, Gs.run(latents_of(1), None, output_transform=UINT8, **given)[0])


def test_heights_that_cannot_be_halved_evenly_share_the_column():
    assert list(uncurated.boxes((0, 0, 7, 5), 1, [1])) == [(0, 0, 3, 2), (0, 2, 3, 2)]
    assert list(uncurated.boxes((0, 0, 7, 5), 2, [1]))[-1] == (0, 7, 3, 2)


@pytest.mark.parametrize('size, rows, lods', [
    ((1024, 1024), 3, [0, 1, 2, 2, 3, 3]), ((512, 384), 3, [0, 1, 2, 2, 3, 3]),
    ((256, 256), 5, [0, 0, 1, 1, 2, 2, 2]), ((32, 32), 5, [0, 0, 1, 1]), ((4, 4), 5, [0, 0])])
def test_small_images_are_not_halved_beyond_recognition(size, rows, lods):
    assert uncurated.settings(size) == ((0, 0, *size), rows, lods)


# Style mixing

def test_sources_lend_their_styles_to_destinations(painter, Gs):
    picture = style_mixing.compose(painter, [1, 2], [3, 4, 5], ['coarse', [2, 3], 'fine'])
    assert (picture.mode, picture.size) == ('RGB', (3 * 16, 4 * 16))
    w = dict(zip(range(1, 6), w_of(Gs, *range(1, 6)), strict=True))
    assert_tile(picture, 0, 0, np.full([16, 16, 3], 255))
    for column, src in enumerate([1, 2], 1):
        assert_tile(picture, column, 0, images_of_w(Gs, w[src][np.newaxis], randomize_noise=False)[0])
        for row, (dst, layers) in enumerate(zip([3, 4, 5], ([0], [2, 3], [3, 4, 5]), strict=True), 1):
            assert_tile(picture, 0, row, images_of_w(Gs, w[dst][np.newaxis], randomize_noise=False)[0])
            mixed = w[dst].copy()
            mixed[layers] = w[src][layers]
            assert_tile(picture, column, row, images_of_w(Gs, mixed[np.newaxis], randomize_noise=False)[0])


def test_default_styles_of_18_layers_are_the_published_ones():
    layers = [layers for _, layers in style_mixing.resolved(None, 6, 18)]
    assert layers == [[*range(4)]] * 3 + [[*range(4, 8)]] * 2 + [[*range(8, 18)]]
    assert style_mixing.default_ranges(3) == ['coarse', 'middle', 'fine']


# Truncation

def test_psi_moves_images_through_the_mean_to_their_opposites(painter, Gs):
    psis = [1, 0.5, 0, -1]
    picture = truncation.compose(painter, [1, 2], psis)
    assert picture.size == (4 * 16, 2 * 16)
    mean = Gs.get_var('dlatent_avg')
    for row, w in enumerate(w_of(Gs, 1, 2)):
        for column, psi in enumerate(psis):
            expected = images_of_w(Gs, ((w - mean) * psi + mean)[np.newaxis], randomize_noise=False)[0]
            assert_tile(picture, column, row, expected)
    tiles = np.asarray(picture).reshape(2, 16, 4, 16, 3)
    np.testing.assert_array_equal(tiles[0, :, 2], tiles[1, :, 2])
    assert np.abs(tiles[0, :, 0].astype(int) - tiles[0, :, 3]).max() > 20


def test_psi_minus_one_is_the_mirror_image_in_the_mean():
    w, mean = np.random.RandomState(0).randn(3, 6, 5), np.random.RandomState(1).randn(5)
    opposite = truncation.truncated(w, mean, [-1])
    np.testing.assert_allclose(opposite + w, np.broadcast_to(2 * mean, w.shape))


# Noise

def test_noise_detail_shows_an_image_four_details_and_the_standard_deviation():
    noisy = Noisy()
    picture = noise_detail.compose(noisy, [7, 8], 9, crop=(10, 4, 16, 8))
    assert picture.size == (3 * 64, 2 * 32)
    pixels = np.asarray(picture).reshape(2, 32, 3, 64, 3)
    for row, seed in enumerate([7, 8]):
        images = noisy.arrays(seed, 9)
        np.testing.assert_array_equal(pixels[row, :, 0], images[0])
        details = np.repeat(np.repeat(images[1:5, 4:12, 10:26], 2, axis=1), 2, axis=2)  # [4,16,32,3]
        for idx, (y, x) in enumerate(itertools.product([0, 16], [0, 32])):
            np.testing.assert_array_equal(pixels[row, y:y + 16, 1, x:x + 32], details[idx])
        deviation = np.std(np.mean(images, axis=3), axis=0)
        expected = np.clip(deviation * 4 + 0.5, 0, 255).astype(np.uint8)
        assert expected.max() == 255 and expected.min() == 0
        np.testing.assert_array_equal(pixels[row, :, 2], np.repeat(expected[..., np.newaxis], 3, axis=2))


def test_the_deviation_of_grey_images_is_that_of_their_values():
    images = np.random.RandomState(0).randint(0, 40, [6, 4, 5]).astype(np.uint8)
    deviation = noise_detail.Deviation()
    for image in images:
        deviation.add(image)
    np.testing.assert_array_equal(deviation.map(), (np.std(images, axis=0) * 4 + 0.5).astype(np.uint8))


def test_details_lie_where_the_published_ones_do():
    assert noise_detail.place_of_details((1024, 1024)) == (650, 180, 256, 256)
    assert noise_detail.place_of_details((32, 64)) == (20, 11, 8, 16)
    assert noise_detail.place_of_details((4, 4)) == (3, 1, 1, 1)


def test_the_halves_of_tiles_have_noise_in_different_layers(painter, Gs):
    stored = noise.values(Gs)
    picture = noise_components.compose(painter, [1, 2], flips=[1])
    for before, after in zip(stored, noise.values(Gs), strict=True):
        np.testing.assert_array_equal(before, after)
    assert picture.size == (2 * 16, 2 * 16)
    halves = []
    for layers in (range(6), [], range(3, 6), range(3)):
        noise.set_values(Gs, [value * (idx in layers) for idx, value in enumerate(stored)])
        images = Gs.run(latents_of(1, 2), None, truncation_psi=1, randomize_noise=False,
                        output_transform=UINT8)
        halves.append([images[0], images[1][:, ::-1]])
    noise.set_values(Gs, stored)
    for column in range(2):
        top, bottom = [np.concatenate([halves[idx][column][:, :8], halves[idx + 1][column][:, 8:]], axis=1)
                       for idx in (0, 2)]
        assert_tile(picture, column, 0, top)
        assert_tile(picture, column, 1, bottom)
    assert np.abs(halves[0][0].astype(int) - halves[1][0]).max() > 5


def test_noise_is_restored_if_drawing_is_interrupted(painter, Gs, monkeypatch):
    def interrupt(*_args, **_kwargs):
        assert not noise.values(Gs)[0].any()
        raise KeyboardInterrupt
    stored = noise.values(Gs)
    monkeypatch.setattr(noise_components, 'ranges', lambda *_: [('second', [1])])
    monkeypatch.setattr(painter, 'from_latents', interrupt)
    with pytest.raises(KeyboardInterrupt):
        noise_components.compose(painter, [1])
    np.testing.assert_array_equal(noise.values(Gs)[0], stored[0])


def test_published_noise_settings_are_those_of_18_layers():
    layers = [list(layers) for _, layers in noise_components.ranges(18, 18)]
    assert layers == [[*range(18)], [], [*range(8, 18)], [*range(8)]]
    assert list(noise_components.ranges(18, 17)[2][1]) == [*range(8, 17)]  # StyleGAN2


# Interpolation

def test_both_paths_begin_and_end_at_the_images_of_the_seeds(painter, Gs):
    picture = interpolation.compose(painter, [1, 2], 5)
    assert picture.size == (5 * 16, 2 * 16)
    ends = images_of_w(Gs, w_of(Gs, 1, 2), randomize_noise=False)
    for row in range(2):
        assert_tile(picture, 0, row, ends[0])
        assert_tile(picture, 4, row, ends[1])
    middle = w_of(Gs, 1, 2).mean(axis=0, keepdims=True)
    assert_tile(picture, 2, 1, images_of_w(Gs, middle, randomize_noise=False)[0])


def test_the_path_in_Z_is_a_great_circle():
    a, b = latents_of(1, 2)
    path = interpolation.slerp(a, b, 5)
    np.testing.assert_allclose(path[[0, -1]], [a, b])
    np.testing.assert_allclose(np.linalg.norm(path, axis=1),
                               np.linspace(np.linalg.norm(a), np.linalg.norm(b), 5))
    unit = path / np.linalg.norm(path, axis=1, keepdims=True)
    expected = tflib.run(perceptual_path_length.slerp(
        *(tf.constant(np.repeat(end[np.newaxis], 5, axis=0)) for end in (a, b)),
        tf.constant(np.linspace(0, 1, 5)[:, np.newaxis])))
    np.testing.assert_allclose(unit, expected, atol=1e-6)
    np.testing.assert_allclose(interpolation.slerp(a, a, 3), [a, a, a])


def test_a_generator_without_W_has_a_path_in_Z_only(files):
    painter = Painter(files['progan'])
    picture = interpolation.compose(painter, [1, 2], 3)
    assert (picture.mode, picture.size) == ('L', (3 * 12, 8))
    Gs = pretrained_networks.load_generator(files['progan'])
    expected = Gs.run(np.random.RandomState(2).randn(1, 4), None, output_transform=UINT8)[0, :, :, 0]
    assert np.abs(np.asarray(picture)[:, 24:].astype(int) - expected).max() <= 1


# Mixing regularization

@pytest.mark.parametrize('num_latents', [1, 2, 4])
def test_latents_are_mixed_as_the_metrics_mix_them(num_latents):
    rnd = np.random.RandomState(num_latents)
    crossovers = mixing_regularization.random_crossovers(rnd, 50, num_latents, 6)
    assert crossovers.shape == (50, num_latents - 1)
    assert all(1 <= low < high <= 5 for row in crossovers for low, high in itertools.pairwise(row))
    dlatents = rnd.randn(4, 50, 6, 3).astype(np.float32)
    expected = tflib.run(mixed_latents.mix(tf.constant(dlatents), tf.constant(crossovers)))
    np.testing.assert_array_equal(mixing_regularization.mix(dlatents, crossovers), expected)


def test_all_crossovers_are_equally_likely():
    drawn = mixing_regularization.random_crossovers(np.random.RandomState(0), 6000, 3, 5)
    found, counts = np.unique(drawn, axis=0, return_counts=True)
    assert [tuple(row) for row in found] == list(itertools.combinations(range(1, 5), 2))
    assert np.abs(counts - 1000).max() < 150


def test_row_k_has_images_of_k_latents(painter, Gs, quiet):
    picture = mixing_regularization.compose(painter, seed=4, num_columns=3, num_latents=2)
    assert picture.size == (3 * 16, 2 * 16)
    rnd = np.random.RandomState(4)
    w = Gs.components.mapping.run(rnd.randn(6, 8), None).reshape(2, 3, 6, 6)
    crossovers = [rnd.permutation(5)[:0] for _ in range(3)], [rnd.permutation(5)[:1] + 1 for _ in range(3)]
    for column in range(3):
        assert_tile(picture, column, 0, images_of_w(Gs, w[0, column:column + 1])[0])
        start, = crossovers[1][column]
        mixed = np.concatenate([w[0, column, :start], w[1, column, start:]])
        assert_tile(picture, column, 1, images_of_w(Gs, mixed[np.newaxis])[0])


# Legends

def test_a_legend_surrounds_the_picture_and_leaves_it_as_it_is():
    pixels = np.random.RandomState(0).randint(0, 256, [64, 96]).astype(np.uint8)
    columns, rows = layout.even_spans(['a', 'b', 'c'], 32), layout.even_spans(['x\ny', 'z'], 32)
    legend = layout.Legend('Title', columns, rows)
    picture = finishing.enlarged(PIL.Image.fromarray(pixels), 4)
    framed = np.asarray(finishing.with_legend(picture, legend, 4, 32))
    height, width = framed.shape
    left, top = width - 96 * 4, height - 64 * 4
    np.testing.assert_array_equal(framed[top:, left:][::4, ::4], pixels)
    assert left > 0 and top > 0 and not framed[:top, :left].min() < 255
    for part in (framed[:top // 2, left:], framed[top // 2:top, left:left + 128],
                 framed[top:top + 128, :left], framed[top + 128:, :left]):
        assert part.min() < 100 and (part > 250).mean() > 0.5


def test_texts_of_a_legend_without_room_are_left_out_and_the_title_is_never_cut_off():
    columns, rows = [('a', 0, 16), ('too long', 16, 16)], layout.even_spans(['too\nhigh'], 16)
    title = 'A title that is much wider than the picture'
    picture = PIL.Image.new('L', (32, 16))
    framed = np.asarray(finishing.with_legend(picture, layout.Legend(title, columns, rows), 1, 16))
    top = framed.shape[0] - 16
    np.testing.assert_array_equal(framed[top:, :32], 0)  # nothing on the left
    assert framed[:, -1].min() == 255 and framed.shape[1] > 32
    labels = framed[top - 10:top]
    assert labels[:, :16].min() < 100 and labels[:, 16:].min() > 250


def test_layers_are_named_in_short():
    texts = [styles.layer_text(layers) for layers in (range(4), [3], [], [0, 2])]
    assert texts == ['0-3', '3', 'none', '0,2']


# Commands

def draw(command, network_pkl, folder, *flags):
    """Run a command. -> its picture, read from the only PNG file in the run directory."""
    run_generator.main([command, f'--network={network_pkl}', f'--result-dir={folder}', *flags])
    path, = sorted(folder.iterdir())[-1].glob('*.png')
    assert path.stem == command
    with PIL.Image.open(path) as picture:
        return picture.copy()


# {command: (flags, width and height of the published layout in images)}
PICTURES = {
    'uncurated': (['--rows=1', '--lods=0,1'], 1.5, 1),
    'style-mixing-figure': (['--src-seeds=1', '--dst-seeds=2,3'], 2, 3),
    'truncation': (['--seeds=1', '--psis=1,-1'], 2, 1),
    'noise-detail': (['--seeds=1', '--samples=5'], 3, 1),
    'noise-components': (['--seeds=1'], 1, 2),
    'interpolation': (['--steps=2'], 2, 2),
    'mixing-regularization': (['--columns=2', '--latents=2'], 2, 2)}


@pytest.mark.parametrize('family', ['stylegan', 'stylegan2', 'ada', 'progan'])
@pytest.mark.parametrize('command', list(PICTURES))
def test_every_figure_is_drawn_of_every_family(command, family, files, tmp_path):
    flags, columns, rows = PICTURES[command]
    flags = [*flags, *(['--class=1'] if family == 'ada' else [])]
    if family == 'progan' and command not in ('uncurated', 'interpolation'):
        with pytest.raises(UserError, match='this network has no styles to mix$'):
            draw(command, files[family], tmp_path / 'results', *flags)
        assert not (tmp_path / 'results').exists()
        return
    width, height = SIZES[family]
    rows = 1 if (command, family) == ('interpolation', 'progan') else rows
    published = draw(command, files[family], tmp_path, *flags, '--legend=no')
    assert published.size == (width * columns, height * rows)
    assert published.mode == ('RGB' if NETWORKS[family]['num_channels'] == 3 else 'L')
    framed = draw(command, files[family], tmp_path, *flags, '--scale=9')
    assert framed.width >= width * columns * 9 and framed.height > height * rows * 9


def test_small_images_with_a_legend_are_enlarged(files, tmp_path):
    picture = draw('truncation', files['ada'], tmp_path, '--seeds=1', '--psis=1')
    assert picture.width > 128 and picture.height > 128


def test_a_class_changes_every_figure_that_has_labels(files, tmp_path):
    pictures = [np.asarray(draw('truncation', files['ada'], tmp_path, '--legend=no', *flags)).astype(int)
                for flags in ([], ['--class=0'], ['--class=2'])]
    assert np.abs(pictures[0] - pictures[1]).max() > 5 and np.abs(pictures[1] - pictures[2]).max() > 5


def test_all_commands_are_tested():
    assert [command.name for command in COMMANDS] == list(PICTURES)


# generate_figures.py and pretrained_example.py

def test_figures_have_the_published_names_and_parameters():
    found = {f'{figure.name}.png': figure for figure in generate_figures.FIGURES}
    assert list(found) == list(FIGURES)
    for name, (module, network, arguments) in FIGURES.items():
        figure = found[name]
        assert (figure.module, figure.network) == (module, f'stylegan:karras2019stylegan-{network}.pkl')
        assert {key: figure.arguments[key] for key in arguments} == arguments
        assert set(figure.arguments) - set(arguments) <= {'style_ranges'}
        size = (int(network.rpartition('-')[2].partition('x')[0]),) * 2
        assert generate_figures.arguments_for(figure, size) == figure.arguments
    ranges = found['figure03-style-mixing.png'].arguments['style_ranges']
    assert style_mixing.resolved(ranges, 6, 18) == style_mixing.resolved(None, 6, 18)


def size_of(path):
    with PIL.Image.open(path) as picture:
        return picture.size


def test_all_published_figures_can_be_drawn_with_a_network_of_ones_own(files, tmp_path, capsys):
    generate_figures.main([f'--network={files["stylegan"]}', f'--result-dir={tmp_path}'])
    sizes = {name: size_of(tmp_path / name) for name in FIGURES}
    assert {path.name for path in tmp_path.iterdir()} == set(FIGURES)
    wide, tall = 16 + 8 + 4 + 4 + 2 + 2, 16 + 16 + 8 + 8 + 4 + 4 + 4
    assert list(sizes.values()) == [(wide, 48), (96, 112), (48, 32), (32, 32), (96, 32), (tall, 80),
                                    (wide, 48), (tall, 80)]
    printed = capsys.readouterr().out.splitlines()
    assert sum(line.startswith('Loading networks') for line in printed) == 1
    assert [line for line in printed if line.endswith('.png')] == [str(tmp_path / name) for name in FIGURES]


def test_only_the_figures_asked_for_are_drawn(files, painter, tmp_path):
    generate_figures.main([f'--network={files["stylegan"]}', f'--result-dir={tmp_path / "new"}',
                           '--only=figure05,figure08'])
    names = ['figure05-noise-components.png', 'figure08-truncation-trick.png']
    assert sorted(path.name for path in (tmp_path / 'new').iterdir()) == names
    with PIL.Image.open(tmp_path / 'new' / names[0]) as picture:
        expected = noise_components.compose(painter, [1967, 1555], [1])
        np.testing.assert_array_equal(np.asarray(picture), np.asarray(expected))


def test_figures_that_a_network_cannot_have_are_refused_at_once(files, tmp_path):
    with pytest.raises(UserError, match='no styles to mix; figure03-style-mixing needs them'):
        generate_figures.main([f'--network={files["progan"]}', f'--result-dir={tmp_path / "new"}',
                               '--only=figure02,figure03'])
    assert not (tmp_path / 'new').exists()


def test_the_example_prints_the_layers_and_draws_seed_5(files, Gs, tmp_path, capsys):
    path = tmp_path / 'new' / 'example.png'
    pretrained_example.main([f'--network={files["stylegan"]}', f'--result-dir={path.parent}'])
    printed = capsys.readouterr().out
    assert re.search(r'^G_synthesis/16x16/Conv1 ', printed, re.MULTILINE)
    assert 'Total' in printed
    whole = pretrained_networks.load_generator(files['stylegan'], outline=False)
    quiet = {var: np.zeros(var.shape.as_list()) for name, var in whole.vars.items() if 'Noise/weight' in name}
    tflib.set_vars(quiet)
    pretrained_example.main([f'--network={files["stylegan"]}', f'--result-dir={path.parent}'])
    latents = np.random.RandomState(5).randn(1, 8)
    expected = whole.run(latents, None, truncation_psi=0.7, output_transform=UINT8)
    with PIL.Image.open(path) as picture:
        assert picture.mode == 'RGB'
        np.testing.assert_array_equal(np.asarray(picture), expected[0])
