"""Test projector.Projector: its constants, schedule, noise penalty and statistics, and what it finds."""

import contextlib
import functools

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
import projector
from dnnlib.util import UserError
from latents import noise
from latents.projection import distances, noise_maps, schedule, w_statistics
from latents.projection import projector as module
from metrics.features import feature_networks
from tests import metric_stand_ins
from tests.golden_figures import assert_close, set_golden_values
from tests.test_efficientnet_lite0 import needs_weights
from training.layers.synthesis_inputs import given_noise

TINY = dict(resolution=8, fmap_base=64, fmap_max=8, latent_size=8, dlatent_size=8, mapping_fmaps=8,
            mapping_layers=2)


@pytest.fixture(scope='module')
def Gs(module_session):
    """Return a small generator of grey images, 16x16, in which W counts for more than noise."""
    Gs = network('networks_stylegan2.G_main', resolution=16, mapping_layers=8)
    strengths = [var for name, var in Gs.vars.items() if name.endswith('noise_strength')]
    tflib.set_vars({var: tflib.run(var) * 0.1 for var in strengths})
    return Gs


def network(func_name, **kwargs):
    """Return a small generator of grey images, 8x8 unless `kwargs` say otherwise."""
    kwargs = {**TINY, 'num_channels': 1, **kwargs}
    Gs = tflib.Network('Gs', func_name=f'training.{func_name}', **kwargs)
    set_golden_values(Gs)
    return Gs


def image_of(Gs, seed):
    """Return the image of a seed with the network's own noise, [1,C,H,W], range -1 to 1."""
    latents = np.random.RandomState(seed).randn(1, 8)
    return np.clip(Gs.run(latents, None, truncation_psi=1, randomize_noise=False), -1, 1)


def made(Gs, minibatch_size=1, **attributes):
    """Return a Projector with a graph."""
    made = projector.Projector()
    for name, value in {'features': 'pixels', 'dlatent_avg_samples': 100, 'num_steps': 20,
                        **attributes}.items():
        assert hasattr(made, name), name
        setattr(made, name, value)
    made.set_network(Gs, minibatch_size)
    return made


@pytest.fixture(scope='module')
def proj(Gs):
    """Return a Projector that all tests share; they set its number of steps."""
    return made(Gs)


# Published constants, schedule, noise, statistics of W

def test_constants_are_the_published_ones():
    new = projector.Projector()
    assert {name: getattr(new, name) for name in (
        'num_steps', 'dlatent_avg_samples', 'initial_learning_rate', 'initial_noise_factor',
        'lr_rampdown_length', 'lr_rampup_length', 'noise_ramp_length', 'regularize_noise_weight', 'verbose',
        'clone_net', 'features', 'space')} == dict(
            num_steps=1000, dlatent_avg_samples=10000, initial_learning_rate=0.1, initial_noise_factor=0.05,
            lr_rampdown_length=0.25, lr_rampup_length=0.05, noise_ramp_length=0.75,
            regularize_noise_weight=1e5, verbose=False, clone_net=True, features='lpips', space='w')
    assert module.MAX_SIZE == 256


@pytest.mark.parametrize('step, expected', [
    (0, 0), (25, 0.05), (50, 0.1), (400, 0.1), (750, 0.1), (875, 0.05), (1000, 0)])
def test_learning_rate_ramps_up_and_down(step, expected):
    rate = schedule.learning_rate(step / 1000, initial=0.1, rampup_length=0.05, rampdown_length=0.25)
    assert rate == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize('step, expected', [(0, 0.05), (375, 0.0125), (600, 0.002), (750, 0), (999, 0)])
def test_noise_on_dlatents_falls_to_zero(step, expected):
    assert schedule.noise_factor(step / 1000, 0.05, 0.75) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize('num_steps, num_snapshots, expected', [
    (1000, 5, [200, 400, 600, 800, 1000]), (1000, 3, [334, 667, 1000]), (1000, 1, [1000]), (10, 0, []),
    (2, 5, [1, 2]), (1000, 38, [1000 - int(k * (1000 / 38)) for k in range(37, -1, -1)])])
def test_snapshots_are_equally_spaced_and_the_last_step_is_one(num_steps, num_snapshots, expected):
    assert schedule.snapshot_steps(num_steps, num_snapshots) == expected


def slow_penalty(image):
    """Compute the noise penalty of one image [H,W] in NumPy."""
    total = 0
    while True:
        total += np.mean(image * np.roll(image, 1, axis=1)) ** 2
        total += np.mean(image * np.roll(image, 1, axis=0)) ** 2
        height, width = image.shape
        if min(height, width) <= 8:
            return total
        image = image.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))


@pytest.mark.parametrize('height, width', [(4, 4), (8, 8), (32, 32), (12, 16), (48, 32)])
def test_noise_penalty_is_that_of_its_formula(height, width, module_session):
    images = np.random.RandomState(1).randn(2, 1, height, width).astype(np.float32)
    expected = sum(slow_penalty(image) for image in images[:, 0].astype(np.float64))
    assert tflib.run(noise_maps.penalty(tf.constant(images))) == pytest.approx(expected, rel=1e-4)


def test_each_noise_image_is_normalized(module_session):
    images = np.random.RandomState(1).randn(2, 1, 8, 8).astype(np.float32) * 3 + 5
    images[1] *= 4
    actual = tflib.run(noise_maps.normalized(tf.constant(images)))
    np.testing.assert_allclose(actual.mean(axis=(1, 2, 3)), 0, atol=1e-6)
    np.testing.assert_allclose(actual.std(axis=(1, 2, 3)), 1, rtol=1e-5)
    assert_close(actual[0], (images[0] - images[0].mean()) / images[0].std(), 'noise')


def test_w_is_measured_on_published_latents(Gs):
    dlatents = Gs.components.mapping.run(np.random.RandomState(123).randn(2500, 8), None)[:, 0]
    mean, std = w_statistics.measure(Gs, 2500)
    assert_close(mean, dlatents.mean(axis=0, keepdims=True), 'mean')
    distances = np.linalg.norm(dlatents.astype(np.float64) - dlatents.mean(axis=0), axis=1)
    assert std == pytest.approx(np.sqrt(np.mean(distances ** 2)), rel=1e-5)


# Steps

def test_the_first_step_has_a_learning_rate_of_zero(proj, Gs):
    proj.num_steps = 20
    proj.start(image_of(Gs, 1), seeds=[0])
    before = proj.get_dlatents(), proj.get_noises()
    assert proj.get_cur_step() == 0
    proj.step()
    assert proj.get_cur_step() == 1
    np.testing.assert_array_equal(proj.get_dlatents(), before[0])
    for actual, was in zip(proj.get_noises(), before[1], strict=True):
        assert_close(actual, (was - was.mean()) / was.std(), 'noise')
    proj.step()
    assert (proj.get_dlatents() != before[0]).all()


def test_it_starts_at_the_mean_of_w_with_normal_noise(proj, Gs):
    proj.start(image_of(Gs, 1), seeds=[0])
    mean, _ = w_statistics.measure(Gs, 100)
    assert proj.get_dlatents().shape == (1, 6, 8)
    np.testing.assert_array_equal(proj.get_dlatents(), np.broadcast_to(mean, [1, 6, 8]))
    values = np.concatenate([image.ravel() for image in proj.get_noises()])
    assert abs(values.mean()) < 0.2 and abs(values.std() - 1) < 0.1
    assert [image.shape[2] for image in proj.get_noises()] == [4, 8, 8, 16, 16]


def test_the_loss_is_distance_plus_penalty(proj, Gs, monkeypatch):
    monkeypatch.setattr(proj, 'initial_noise_factor', 0.0)
    target = image_of(Gs, 1)
    proj.start(target, seeds=[0])
    expected = pixel_distance(proj.get_images()[0], target[0])
    penalty = sum(slow_penalty(image[0, 0].astype(np.float64)) for image in proj.get_noises())
    dist, loss = proj.step()
    assert dist.shape == (1,)
    assert dist[0] == pytest.approx(expected, rel=1e-4)
    assert loss == pytest.approx(expected + 1e5 * penalty, rel=1e-4)


def pixel_distance(a, b):
    """Compute the distance of two images [1,16,16], range -1 to 1, at 16 and 8 pixels."""
    difference = (a - b)[0].astype(np.float64)
    half = difference.reshape(8, 2, 8, 2).mean(axis=(1, 3))
    return (np.mean(difference ** 2) + np.mean(half ** 2)) / 2


def test_a_generated_image_is_found_again(proj, Gs):
    """The mean squared difference falls to less than a twentieth of that at the mean of W."""
    proj.num_steps = 200
    target = image_of(Gs, 4)
    found = proj.run(target, seeds=[0])
    start = np.mean((image_at_mean(Gs) - target) ** 2)
    assert np.mean((found.images - target) ** 2) < start / 20
    assert found.dlatents.shape == (1, 6, 8)
    assert (found.dlatents == found.dlatents[:, :1]).all()
    proj.num_steps = 20


def image_at_mean(Gs):
    mean, _ = w_statistics.measure(Gs, 100)
    return Gs.components.synthesis.run(np.tile(mean[np.newaxis], [1, 6, 1]), randomize_noise=False)


def test_w_plus_comes_at_least_as_close(proj, Gs):
    dlatents = Gs.components.mapping.run(np.random.RandomState(5).randn(6, 8), None)
    mixed = dlatents[np.arange(6), np.arange(6)][np.newaxis]  # another style for every layer
    target = Gs.components.synthesis.run(mixed, randomize_noise=False)
    other = made(Gs, space='w+')
    errors = []
    for each in (proj, other):
        each.num_steps = 100
        errors.append(np.mean((each.run(target, seeds=[0]).images - target) ** 2))
        each.num_steps = 20
    assert errors[1] < errors[0]
    assert (np.ptp(other.get_dlatents(), axis=1) > 0).all()


@pytest.mark.parametrize('func_name, kwargs', [
    ('networks_stylegan2.G_main', {'base_shape': [4, 3]}), ('networks_stylegan.G_style', {}),
    ('networks_stylegan2_ada.G_main', {'num_fp16_res': 2})])
def test_images_together_are_projected_as_alone(func_name, kwargs, session):
    own = network(func_name, **kwargs)
    targets = np.concatenate([image_of(own, seed) for seed in (1, 2)])
    together = made(own, minibatch_size=2).run(targets, seeds=[7, 8])
    assert together.images.shape == (2, *own.output_shape[1:])
    alone = made(own, clone_net=False)
    for idx in range(2):
        found = alone.run(targets[idx:idx + 1], seeds=[7 + idx])
        assert_close(together.dlatents[idx], found.dlatents[0], 'dlatents', 2e-3)
        assert_close(together.images[idx], found.images[0], 'images', 2e-3)
        for several, one, in_network in zip(together.noises, found.noises, noise.values(own), strict=True):
            assert_close(several[idx], one[0], 'noise', 1e-2)
            np.testing.assert_array_equal(one, in_network, 'not a clone')


def test_a_state_continues_as_if_nothing_had_happened(proj, Gs):
    target = image_of(Gs, 3)
    expected = proj.run(target, seeds=[0])
    proj.start(target, seeds=[0])
    for _ in range(7):
        proj.step()
    state = proj.get_state()
    proj.run(image_of(Gs, 1))
    proj.start(target, seeds=[0])
    proj.set_state(state)
    assert proj.get_cur_step() == 7
    while proj.cur_step < 20:
        proj.step()
    np.testing.assert_array_equal(proj.get_dlatents(), expected.dlatents)
    np.testing.assert_array_equal(proj.get_images(), expected.images)


def test_all_images_share_one_graph_and_leave_the_network_alone(proj, Gs):
    values = tflib.run(dict(Gs.vars))
    proj.start(image_of(Gs, 1))
    proj.step()
    size = len(tf.get_default_graph().get_operations())
    proj.run(image_of(Gs, 2))
    assert len(tf.get_default_graph().get_operations()) == size
    for variables in (Gs.vars, proj._Gs.trainables):
        for name, value in tflib.run(dict(variables)).items():
            np.testing.assert_array_equal(value, values[name], err_msg=name)


def test_properties_of_stylegan2_ada_say_the_same(proj, Gs):
    proj.start(image_of(Gs, 1))
    assert proj.cur_step == 0
    np.testing.assert_array_equal(proj.dlatents, proj.get_dlatents())
    assert len(proj.noises) == len(proj.get_noises())
    images = proj.images_float
    assert proj.images_uint8.shape == (1, 16, 16, 1) and proj.images_uint8.dtype == np.uint8
    expected = np.clip(np.rint((images[:, 0] + 1) * 127.5), 0, 255)
    assert_close(proj.images_uint8[..., 0], expected, 'uint8', 5e-3)


def test_status_lines_are_those_published(proj, Gs, capsys):
    proj.verbose = True
    proj.run(image_of(Gs, 1), seeds=[0])
    proj.verbose = False
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[1] for line in lines if line[1].isdigit()] == ['10', '20']
    assert lines[0] == ['Projector:', 'Step', 'Dist', 'Loss']


# Inputs

def test_larger_targets_are_averaged(proj, Gs):
    target = image_of(Gs, 1)
    large = target.repeat(2, axis=2).repeat(2, axis=3)
    dists = []
    for each in (target, large):
        proj.start(each, seeds=[0])
        dists.append(proj.step()[0])
    assert_close(dists[1], dists[0], 'distance')


def test_large_images_are_compared_at_256_pixels(session, monkeypatch):
    monkeypatch.setattr(module, 'MAX_SIZE', 4)
    own = network('networks_stylegan2.G_main')
    proj = made(own, initial_noise_factor=0.0)
    assert proj._target_in.shape.as_list() == [1, 1, 4, 4]
    target = image_of(own, 1)
    proj.start(target, seeds=[0])
    difference = (proj.get_images() - target).reshape(4, 2, 4, 2).mean(axis=(1, 3))
    assert proj.step()[0][0] == pytest.approx(np.mean(difference ** 2), rel=1e-3)


def test_w_is_that_of_the_labels(session):
    own = network('networks_stylegan2.G_main', resolution=4, label_size=3)
    labels = np.float32([[0, 1, 0], [0, 0, 1]])
    proj = made(own, minibatch_size=2)
    zeros = np.zeros([2, 1, 4, 4])
    proj.start(zeros, labels=labels, seeds=[0, 1])
    for idx in range(2):
        mean, _ = w_statistics.measure(own, 100, labels[idx])
        assert_close(proj.get_dlatents()[idx, :1], mean, 'mean')
    proj.start(zeros, seeds=[0, 1])
    assert_close(proj.get_dlatents()[0, :1], w_statistics.measure(own, 100)[0], 'as published: zeros')


def test_a_network_without_w_is_refused(module_session):
    own = tflib.Network('Gs', func_name='training.networks_progan.G_paper', resolution=4, fmap_max=4)
    with pytest.raises(UserError, match='^Gs: this network maps no latents to W'):
        made(own)


def test_no_network_clears_the_projector(Gs):
    proj = projector.Projector()
    proj.set_network(None)
    with pytest.raises(AssertionError, match='set_network'):
        proj.start(image_of(Gs, 1))


def test_a_network_that_does_not_ask_for_given_noise_is_an_error():
    with pytest.raises(LookupError), given_noise([tf.zeros([2, 1, 4, 4])]):
        pass
    with contextlib.suppress(ZeroDivisionError), given_noise([]):
        raise ZeroDivisionError


# Distances

@pytest.fixture
def pair(module_session):
    """Return two different images as tensors [2,1,16,16], range 0 to 255."""
    images = np.random.RandomState(1).uniform(0, 255, [2, 2, 1, 16, 16]).astype(np.float32)
    return tuple(map(tf.constant, images))


@pytest.mark.parametrize('name', ['pixels', pytest.param('lite0', marks=needs_weights), 'lpips'])
def test_distances_are_zero_for_equal_images_and_have_gradients(name, pair, monkeypatch):
    monkeypatch.setattr(feature_networks, 'SOURCES', metric_stand_ins.sources(feature_networks.SOURCES))
    distance = distances.FEATURES[name]()
    a, b = map(distance.describe, pair)
    same, other = distance.between(a, a), distance.between(a, b)
    gradient = tf.gradients(tf.reduce_sum(other), pair[0])[0]
    same, other, gradient = tflib.run([same, other, gradient])
    np.testing.assert_allclose(same, 0, atol=1e-5)
    assert other.shape == (2,) and (other > 0.03).all()
    assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0


def test_lpips_gets_the_published_range(pair, monkeypatch):
    """The stand-in of LPIPS is the mean squared difference of pixels in the range 0 to 1."""
    monkeypatch.setattr(feature_networks, 'SOURCES', metric_stand_ins.sources(feature_networks.SOURCES))
    distance = distances.Lpips()
    actual, a, b = tflib.run([distance.between(*map(distance.describe, pair)), *pair])
    assert_close(actual, np.mean((a - b) ** 2, axis=(1, 2, 3)) / 255 ** 2, 'distances')


def test_without_lpips_the_error_says_what_else_there_is(monkeypatch, tmp_path):
    monkeypatch.setattr(feature_networks, 'require', functools.partial(_refuse, 'no such file'))
    with pytest.raises(UserError, match='^--features=lpips: no such file; --features=lite0 and '):
        distances.Lpips.require()


def _refuse(reason, _names):
    raise UserError(reason)
