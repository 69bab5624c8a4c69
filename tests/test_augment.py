"""Test the augmentation pipeline: golden figures, published values, gradients, statistics of its gates."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests.golden_figures import arrays, assert_close, figures, replaced_randomness
from tests.golden_recipe import golden_input
from training.augment import augment_pipeline
from training.augmentation.named_pipelines import BLIT, COLOR, GEOM, PIPELINES

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
