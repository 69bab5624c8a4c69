"""Test the augmentation pipeline: golden figures, published values, gradients, statistics of its gates."""

import numpy as np
import pytest
import scipy.special
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from tests import augment_twin
from tests.golden_figures import arrays, assert_close, figures, replaced_randomness
from tests.golden_recipe import golden_input
from tests.gpu_form import built_for_gpus, compiled
from training import augment
from training.augment import augment_pipeline
from training.augmentation.filtering import FILTER_BANK
from training.augmentation.named_pipelines import BLIT, COLOR, GEOM, PIPELINES, multipliers

CASES = figures('augment_ada')['pipeline']

# Published results for one input: transforms, channels, percentile, mean, standard deviation, three pixels.
REFERENCE = [
    (['xflip'], 3, 0.7, -0.00156686, 0.565683, [0.788766, 0.576882, 0.115051]),
    (['rotate90'], 3, 0.7, -0.00180827, 0.565677, [-0.669299, -0.540074, -0.612429]),
    (['xint'], 3, 0.2, 0.00942684, 0.565636, [-0.544378, -0.639556, 0.195453]),
    (['xint'], 3, 0.7, -0.0116482, 0.56564, [0.724073, -0.263183, 0.195453]),
    (['scale'], 3, 0.2, -0.000726722, 0.564246, [0.425267, -0.751119, 0.131537]),
    (['scale'], 3, 0.7, -0.0018668, 0.564112, [-0.0196719, -0.768752, 0.0648979]),
    (['rotate'], 3, 0.7, 0.000523632, 0.564108, [0.760322, 0.276047, -0.0287051]),
    (['aniso'], 3, 0.7, -0.000935426, 0.564093, [0.12576, -0.783041, 0.0598794]),
    (['xfrac'], 3, 0.7, -0.00886951, 0.565482, [0.620688, -0.436926, 0.148582]),
    (BLIT, 3, 0.7, -0.00223731, 0.565615, [-0.030971, 0.405297, 0.750851]),
    (GEOM, 3, 0.2, -0.000571427, 0.564264, [0.636292, 0.640167, 0.0248522]),
    (GEOM, 3, 0.7, -0.00234186, 0.564151, [0.794871, 0.188032, 0.349738]),
    (['brightness'], 3, 0.7, 0.0728509, 0.5657, [0.2265, -0.691147, 0.0636135]),
    (['contrast'], 3, 0.7, -0.00149024, 0.643277, [0.173229, -0.870259, -0.0119944]),
    (['lumaflip'], 3, 0.7, 0.00131052, 0.5657, [0.954828, -0.463747, 0.00408277]),
    (['hue'], 3, 0.7, -0.00131052, 0.5657, [-0.339432, -0.751283, -0.747523]),
    (['saturation'], 3, 0.7, -0.00131052, 0.656916, [0.31458, -0.945411, -0.0114953]),
    (COLOR, 3, 0.2, -0.097907, 0.387474, [-0.456598, 0.10392, 0.295894]),
    (COLOR, 3, 0.7, -0.0828413, 0.747002, [0.462828, -0.795854, -1.16442]),
    (COLOR, 1, 0.7, -0.0703193, 0.642886, [-0.257561, -0.68744, 0.687575]),
    (['imgfilter'], 3, 0.2, -0.00115465, 0.498419, [0.13422, -0.674287, -0.00929342]),
    (['imgfilter'], 3, 0.7, -0.00124179, 0.536031, [0.144349, -0.725171, -0.00999475]),
    (['cutout'], 3, 0.7, 0.00547448, 0.489922, [0.152338, -0.765308, -0.0105479]),
    (PIPELINES['bgcf'], 3, 0.2, -0.0851789, 0.340562, [0.129003, -0.0173646, 0.173608]),
    (PIPELINES['bgcf'], 3, 0.7, -0.0927445, 0.706584, [0.0663663, -0.912216, -1.14455]),
    (PIPELINES['bgcf'], 1, 0.7, -0.028174, 0.611076, [0.602789, -0.841634, 0.0835675]),
]


def _golden_case(case):
    """Return tensors of the augmented images and of the gradient with respect to the images."""
    images = tf.constant(golden_input('augment/images', case['shape']) * np.float32(0.5))
    with replaced_randomness():
        y, _ = augment_pipeline(images, None, tf.constant(case['strength']), **case['args'])
    return y, tf.gradients(tf.reduce_sum(y * golden_input('cotangent', case['shape'])), images)[0]


def test_every_golden_case_has_the_same_values_and_gradients(session):
    results = session.run({case['name']: _golden_case(case) for case in CASES})
    for case in CASES:
        y, gradient = results[case['name']]
        assert_close(y, arrays('augment_ada')[case['name'] + ':y'], case['name'], tolerance=1e-5)
        gradient = gradient.astype(np.float64)
        norm, dot = case['grad']
        assert np.linalg.norm(gradient) == pytest.approx(norm, rel=1e-5), case['name']
        actual = np.sum(gradient * golden_input('direction', gradient.shape))
        assert actual == pytest.approx(dot, abs=1e-5 * norm), case['name']


def test_published_values_at_percentiles_are_met(session):
    n, c, h, w = np.meshgrid(range(2), range(3), range(32), range(32), indexing='ij')
    images = np.float32(0.8 * np.sin(0.3 * w + 0.17 * h + c + 2 * n))
    results = session.run([
        augment_pipeline(tf.constant(images[:, :channels]), None, debug_percentile=q,
                         **dict.fromkeys(names, 1))[0]
        for names, channels, q, *_ in REFERENCE])
    for y, (names, channels, _, mean, std, pixels) in zip(results, REFERENCE, strict=True):
        actual = [y.mean(dtype=np.float64), y.std(dtype=np.float64), y[0, 0, 5, 7],
                  y[1, channels - 1, 20, 11], y[0, channels // 2, 31, 0]]
        np.testing.assert_allclose(actual, [mean, std, *pixels], atol=1e-5, err_msg=str(names))


def _quantile(q, std):
    return scipy.special.erfinv(2 * q - 1) * std


# {transform: function of a percentile -> what its twin takes besides the image}
PARAMETERS = {
    'xflip': lambda q: [int(2 * q)],
    'rotate90': lambda q: [int(4 * q)],
    'xint': lambda q: [(2 * q - 1) * 0.125],
    'scale': lambda q: [2 ** _quantile(q, 0.2)],
    'rotate': lambda q: [(2 * q - 1) * np.pi],
    'aniso': lambda q: [2 ** _quantile(q, 0.2)],
    'xfrac': lambda q: [_quantile(q, 0.125)],
    'brightness': lambda q: [_quantile(q, 0.2)],
    'contrast': lambda q: [2 ** _quantile(q, 0.5)],
    'lumaflip': lambda q: [int(2 * q)],
    'hue': lambda q: [(2 * q - 1) * np.pi],
    'saturation': lambda q: [2 ** _quantile(q, 1)],
    'imgfilter': lambda q: [[2 ** _quantile(q, 1)] * 4],
    'cutout': lambda q: [0.5, q, q],
}


def test_each_transform_agrees_with_its_slow_twin(session):
    cases, tensors = [], []
    for name in PARAMETERS:
        for shape in ([1, 3, 24, 32], [1, 1, 26, 26]):
            for q in (0.2, 0.8):
                images = golden_input('twin', shape)
                cases.append((name, images, q))
                y, _ = augment_pipeline(tf.constant(images), None, debug_percentile=q, **{name: 1})
                tensors.append(y)
    for (name, images, q), y in zip(cases, session.run(tensors), strict=True):
        if images.shape[1] == 1 and name in ('hue', 'saturation'):
            expected = images
        else:
            twin = getattr(augment_twin, name)
            expected = np.stack([twin(image, *PARAMETERS[name](q)) for image in images])
        assert_close(y, expected, f'{name} {images.shape} {q}', tolerance=2e-5)


def _run(session, images, *args, seed=1, step=0, **kwargs):
    """Return augmented images; `args` and `kwargs` of augment_pipeline."""
    with tflib.random.counted(seed, tf.constant(step, tf.int64)):
        return session.run(augment_pipeline(tf.constant(images), None, *args, **kwargs)[0])


@pytest.mark.parametrize(('name', 'strength', 'share'), [
    ('xflip', 0.5, 0.25), ('rotate90', 0.5, 0.375), ('lumaflip', 0.5, 0.25), ('rotate', 0.5, 0.5),
    ('scale', 0.3, 0.3), ('aniso', 0.3, 0.3), ('xfrac', 0.3, 0.3), ('brightness', 0.7, 0.7),
    ('contrast', 0.7, 0.7), ('saturation', 0.7, 0.7), ('hue', 0.2, 0.2), ('noise', 0.6, 0.6),
    ('cutout', 0.6, 0.6), ('brightness', 3, 1), ('rotate', 3, 1), ('imgfilter', 0.2, 1 - 0.8 ** 4)])
def test_the_share_of_changed_images_follows_from_the_strength(name, strength, share, session):
    images = np.tile(golden_input('share', [1, 3, 4, 4]), [1500, 1, 1, 1])
    y = _run(session, images, strength, **{name: 1})
    changed = np.abs(y - images).max(axis=(1, 2, 3)) > 1e-4
    assert np.mean(changed) == pytest.approx(share, abs=max(3 * np.sqrt(share * (1 - share) / 1500), 2e-3))


def test_multipliers_scale_the_probability(session):
    images = np.zeros([1500, 1, 2, 2], np.float32)
    y = _run(session, images, 0.5, brightness=0.4)
    assert np.mean(y != 0) == pytest.approx(0.2, abs=0.03)


def _smooth_image():
    """Return [1,16,16] that differs from itself turned and mirrored."""
    y, x = np.mgrid[-1:1:16j, -1:1:16j]
    return np.float32(np.exp(-4 * (x - 0.2) ** 2 - 4 * (y + 0.3) ** 2) + 0.3 * np.sin(x + 2 * y))[np.newaxis]


def test_images_turn_by_each_multiple_of_90_degrees_equally_often(session):
    """Turns and flips are not exact, as published: the filter of the wavelet is not quite symmetric."""
    image = _smooth_image()
    y = _run(session, np.tile(image, [1200, 1, 1, 1]), 1, rotate90=1)
    errors = np.array([np.abs(y - np.rot90(image, turns, axes=(1, 2))).max(axis=(1, 2, 3))
                       for turns in range(4)])
    assert errors.min(axis=0).max() < 0.05
    np.testing.assert_allclose(np.mean(errors < 0.05, axis=1), 0.25, atol=0.04)


def test_images_move_by_whole_pixels_with_the_expected_frequencies(session):
    image = golden_input('blit', [1, 8, 8])
    moved = [np.pad(image, [[0, 0], [1, 1], [1, 1]], 'reflect')[:, 1 - dy:9 - dy, 1 - dx:9 - dx]
             for dy in (-1, 0, 1) for dx in (-1, 0, 1)]  # an eighth of the side is one pixel
    y = _run(session, np.tile(image, [1200, 1, 1, 1]), 1, xint=1)
    found = [np.abs(y - other).max(axis=(1, 2, 3)) < 1e-5 for other in moved]
    assert np.sum(found, axis=0).tolist() == [1] * 1200
    expected = np.outer([0.25, 0.5, 0.25], [0.25, 0.5, 0.25])
    np.testing.assert_allclose(np.mean(found, axis=1), expected.ravel(), atol=0.04)


def test_parameters_have_the_published_distributions(session):
    ones = np.ones([3000, 1, 4, 4], np.float32)
    added = _run(session, 0 * ones, 1, brightness=1)[:, 0, 0, 0]
    factors = np.log2(_run(session, ones, 1, contrast=1)[:, 0, 0, 0])
    sigmas = _run(session, 0 * ones, 1, noise=1).std(axis=(1, 2, 3))
    np.testing.assert_allclose([added.mean(), factors.mean()], 0, atol=0.03)
    np.testing.assert_allclose([added.std(), factors.std()], [0.2, 0.5], rtol=0.05)
    assert np.sqrt(np.mean(np.square(sigmas))) == pytest.approx(0.1, rel=0.1)
    assert sigmas.mean() < 0.09  # the sigmas differ: they are half-normal


@pytest.mark.parametrize('shape', [[3, 3, 32, 32], [3, 1, 16, 24], [3, 3, 4, 4], [3, 1, 2, 1]])
def test_strength_0_is_the_identity_for_any_size(shape, session):
    images = golden_input('identity', shape)
    np.testing.assert_allclose(_run(session, images, 0, **multipliers('bgcfnc')), images, atol=1e-6)
    y = _run(session, np.tanh(images), 0, **multipliers('bgcfnc'))
    assert np.mean(np.abs(y - np.tanh(images))) < 3e-7


@pytest.mark.parametrize('shape', [[4, 3, 16, 16], [4, 3, 8, 8], [4, 1, 4, 8], [4, 3, 21, 21]])
def test_small_images_are_augmented_too(shape, session):
    images = golden_input('small', shape)
    y = _run(session, images, 1, **multipliers('bgcfnc'))
    assert np.all(np.isfinite(y))
    assert np.abs(y - images).max(axis=(1, 2, 3)).min() > 0.1


def test_a_full_turn_and_two_flips_change_nothing(session):
    images = golden_input('invariant', [2, 3, 32, 32])
    np.testing.assert_allclose(
        _run(session, images, debug_percentile=0, rotate=1, rotate_max=2), images, atol=1e-4)
    once = _run(session, images, debug_percentile=0.7, lumaflip=1)
    assert np.abs(once - images).max() > 1
    np.testing.assert_allclose(_run(session, once, debug_percentile=0.7, lumaflip=1), images, atol=2e-6)
    images = _smooth_image()[np.newaxis]
    once = _run(session, images, debug_percentile=0.7, xflip=1)
    np.testing.assert_allclose(once, images[..., ::-1], atol=0.05)
    np.testing.assert_allclose(_run(session, once, debug_percentile=0.7, xflip=1), images, atol=0.05)


def test_geometry_leaves_constant_images_constant(session):
    images = np.full([64, 1, 32, 32], 0.7, np.float32)
    y = _run(session, images, 1, **multipliers('bg'))
    assert np.mean(np.abs(y - 0.7)) < 1e-3
    np.testing.assert_allclose(
        _run(session, images, 1, **multipliers('blit'), rotate=1, xfrac=1, xfrac_std=0.05), 0.7, atol=1e-5)


def test_filter_bands_have_the_published_sums_and_energies():
    assert FILTER_BANK.shape == (4, 43)
    np.testing.assert_allclose(FILTER_BANK.sum(axis=1), [1, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(
        np.square(FILTER_BANK).sum(axis=1), [0.1001338, 0.0619811, 0.1315193, 0.4101563], rtol=1e-5)
    np.testing.assert_allclose(FILTER_BANK.sum(axis=0), np.arange(43) == 21, atol=1e-6)


def test_filtering_keeps_the_expected_power_of_a_band(session):
    """If only band b is amplified, by t, the lowest band becomes darker as the power of all is kept."""
    images = np.ones([1, 1, 32, 32], np.float32)
    for band in range(1, 4):
        y = _run(session, images, debug_percentile=0.8, imgfilter=1, imgfilter_bands=np.eye(4)[band].tolist())
        t = 2 ** scipy.special.erfinv(0.6)
        np.testing.assert_allclose(y, (13 / (12 + t ** 2)), rtol=1e-5)  # the filter acts along both axes


def _penalty(images, names, step):
    """Return |gradient of sum(y**3) with respect to the images|^2, as R1 has it, and its gradient."""
    with tflib.random.counted(5, step):
        y, _ = augment_pipeline(images, None, 0.8, **dict.fromkeys(names, 1))
    first = tf.gradients(tf.reduce_sum(y ** 3), images)[0]
    penalty = tf.reduce_sum(tf.square(first))
    return penalty, tf.gradients(penalty, images)[0]


def test_second_derivatives_agree_with_finite_differences(session):
    """Those of other geometric transforms are TensorFlow's approximation; they are finite."""
    value = golden_input('r1', [4, 3, 16, 16]) * 0.5
    images, step = tf.placeholder(tf.float32, value.shape), tf.constant(3, tf.int64)
    for names in (BLIT, COLOR, ('imgfilter', 'noise', 'cutout')):
        penalty, gradient = _penalty(images, names, step)
        gradient = np.float64(session.run(gradient, {images: value}))
        direction = golden_input('r1 direction', value.shape) + gradient / gradient.std()
        above, below = (session.run(penalty, {images: value + sign * 2e-3 * direction}) for sign in (1, -1))
        slope = (float(above) - float(below)) / 4e-3
        assert slope == pytest.approx(np.sum(gradient * direction), rel=0.005), names
    assert np.all(np.isfinite(session.run(_penalty(images, GEOM, step)[1], {images: value})))


def test_random_numbers_follow_from_seed_and_step_whatever_is_known_of_the_minibatch(session):
    value = golden_input('unknown', [3, 1, 12, 20])
    step, images = tf.placeholder(tf.int64, []), tf.placeholder(tf.float32, [None, 1, 12, 20])
    with tflib.random.counted(1, step):
        y, labels = augment_pipeline(images, 'labels', tf.constant(0.9), **multipliers('bgcfnc'))
    assert labels == 'labels'
    assert y.shape.as_list() == [None, 1, 12, 20]
    first, again, other = (session.run(y, {images: value, step: number}) for number in (0, 0, 1))
    assert np.array_equal(first, again)
    assert np.abs(first - other).max() > 0.1
    assert_close(_run(session, value, 0.9, **multipliers('bgcfnc')), first, 'known minibatch', tolerance=1e-6)


def test_transforms_that_are_off_draw_nothing(session):
    def refused(*args, **kwargs):
        raise AssertionError('a random number was drawn')
    images = tf.zeros([2, 3, 8, 8])
    with tflib.random.replaced(uniform=refused, normal=refused):
        assert augment_pipeline(images, None)[0] is images


def test_the_graph_for_gpus_gives_the_same_images(session):
    """All but the sampling of the warp, for which XLA has no kernel, also compiles."""
    images = golden_input('gpu', [2, 3, 24, 24])
    expected = _run(session, images, 0.9, **multipliers('bgcfnc'))
    with built_for_gpus():
        assert_close(_run(session, images, 0.9, **multipliers('bgcfnc')), expected, 'gpu', tolerance=1e-6)
        kwargs = dict.fromkeys([*COLOR, 'imgfilter', 'cutout'], 1) | {'debug_percentile': 0.8}
        y = session.run(compiled(lambda x: augment_pipeline(x, None, **kwargs)[0])(tf.constant(images)))
    assert_close(y, _run(session, images, **kwargs), 'compiled', tolerance=1e-5)


def test_colours_of_other_numbers_of_channels_are_refused(session):
    with pytest.raises(ValueError, match='1 or 3 channels, not 2'):
        augment_pipeline(tf.zeros([1, 2, 8, 8]), None, brightness=1)


def test_matrices_have_their_published_form(session):
    theta, axis = tf.constant([0.3, -2.0]), np.array([1, 1, 1, 0], np.float32) / np.sqrt(3)
    turn, back, space, product, fixed = session.run([
        augment.rotate_2d(theta), augment.rotate_2d_inv(theta), augment.rotate_3d(axis, theta),
        augment.scale_2d(theta, 2) @ augment.translate_2d(1, theta)
        @ augment.translate_2d_inv(1, theta) @ augment.scale_2d_inv(theta, 2),
        augment.translate_3d(1, 2, 3) @ augment.scale_3d(4, 5, 6)])
    np.testing.assert_allclose(turn[0, :2, :2], [[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    np.testing.assert_allclose(turn @ back, [np.eye(3)] * 2, atol=1e-6)
    rotation = augment_twin.Rotation.from_rotvec(np.outer([0.3, -2.0], axis[:3])).as_matrix()
    np.testing.assert_allclose(space[:, :3, :3], rotation, atol=1e-6)
    np.testing.assert_allclose(product, [np.eye(3)] * 2, atol=1e-6)
    np.testing.assert_allclose(fixed, [[[4, 0, 0, 1], [0, 5, 0, 2], [0, 0, 6, 3], [0, 0, 0, 1]]])
    with pytest.raises(ValueError, match='rank 0 or 1'):
        augment.construct_batch_of_matrices([tf.zeros([2, 2])])


def test_wavelets_are_orthonormal_to_their_even_shifts():
    assert len(augment.wavelets) == 16
    for name, taps in augment.wavelets.items():
        products = np.correlate(taps, taps, 'full')[len(taps) - 1::2]
        np.testing.assert_allclose(products, np.arange(len(products)) == 0, atol=1e-9, err_msg=name)
        assert sum(taps) == pytest.approx(np.sqrt(2), abs=1e-9), name
