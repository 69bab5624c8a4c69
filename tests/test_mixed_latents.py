"""Test that several latents per image style the right layers, and that a single latent changes nothing."""

import itertools

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.util import UserError
from metrics import mixed_latents, sampling
from tests.golden_figures import one_hot, set_golden_values
from tests.seeded_randomness import seeded_by_order
from tests.small_networks import SMALL_G

pytestmark = pytest.mark.usefixtures('module_session')
GROWING_G = dict(SMALL_G, func_name='training.networks_stylegan.G_style', structure='linear')


def _slices(layers, crossovers):
    """Cut and join the layers of one image [K,L,C]."""
    bounds = [0, *crossovers, layers.shape[1]]
    pieces = [layers[idx, start:stop] for idx, (start, stop) in enumerate(itertools.pairwise(bounds))]
    assert all(len(piece) > 0 for piece in pieces)
    return np.concatenate(pieces)


@pytest.mark.parametrize('num_latents', [1, 2, 3, 4, 6])
def test_each_latent_styles_the_layers_from_its_crossover_to_the_next(num_latents):
    crossovers = list(itertools.combinations(range(1, 6), num_latents - 1))
    shape = [num_latents, len(crossovers), 6, 2]
    dlatents = np.random.RandomState(num_latents).randn(*shape).astype(np.float32)
    table = np.asarray(crossovers, np.int32).reshape(len(crossovers), num_latents - 1)
    mixed = tflib.run(mixed_latents.mix(tf.constant(dlatents), tf.constant(table)))
    expected = [_slices(dlatents[:, row], places) for row, places in enumerate(crossovers)]
    np.testing.assert_array_equal(mixed, expected)


@pytest.mark.parametrize('num_latents', [2, 3, 4])
def test_each_set_of_crossovers_is_as_likely_as_any_other(num_latents):
    drawn = tflib.run(mixed_latents.random_crossovers(10000, num_latents, num_layers=6))
    possible = list(itertools.combinations(range(1, 6), num_latents - 1))
    found, counts = np.unique(drawn, axis=0, return_counts=True)
    assert [tuple(row) for row in found] == possible
    share = 1 / len(possible)
    assert np.all(np.abs(counts - 10000 * share) < 5 * np.sqrt(10000 * share * (1 - share)))


def test_as_many_latents_as_layers_get_one_layer_each():
    crossovers = tflib.run(mixed_latents.random_crossovers(3, num_latents=6, num_layers=6))
    np.testing.assert_array_equal(crossovers, [[1, 2, 3, 4, 5]] * 3)


@pytest.fixture(scope='module', params=['StyleGAN2', 'StyleGAN'])
def labelled_generator(request, module_session):
    """Build a generator with labels and noise. StyleGAN's is growing."""
    Gs = tflib.Network('Gs', **(SMALL_G if request.param == 'StyleGAN2' else GROWING_G), label_size=3)
    set_golden_values(Gs)
    Gs.set_var('lod', 0.5)
    return Gs


def _images(Gs, draw, **kwargs):
    with seeded_by_order():
        labels = tf.constant(one_hot(4, 3))
        images = draw(Gs, labels, 4, dict(is_validation=True), **kwargs)
    return tflib.run(images)


def test_one_latent_gives_the_images_of_the_generator_to_the_last_bit(labelled_generator):
    mixed = _images(labelled_generator, mixed_latents.random_images, num_latents=1)
    assert np.std(mixed) > 0
    np.testing.assert_array_equal(mixed, _images(labelled_generator, sampling.random_images))


def test_several_latents_are_mapped_with_the_label_of_their_image(labelled_generator, monkeypatch):
    mapping = labelled_generator.components.mapping
    seen = []
    original = mapping.get_output_for
    monkeypatch.setattr(mapping, 'get_output_for',
                        lambda latents, labels, **kwargs: seen.append(tflib.run(labels))
                        or original(latents, labels, **kwargs))
    images = _images(labelled_generator, mixed_latents.random_images, num_latents=3)
    assert images.shape == (4, 3, 8, 8)
    np.testing.assert_array_equal(seen, [np.tile(one_hot(4, 3), [3, 1])])


def test_generators_that_have_too_few_styles_are_refused(generator):
    mixed_latents.check_generator(generator, 4, 'fid', 'G.pkl')
    with pytest.raises(UserError, match=r'G\.pkl: fid needs at least 5 layers with a style, .* has 4;'):
        mixed_latents.check_generator(generator, 5, 'fid', 'G.pkl')
