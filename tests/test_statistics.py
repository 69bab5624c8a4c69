"""Test statistics of features against golden figures, independent computations and closed forms."""

import itertools
import sys
import tracemalloc

import numpy as np
import pytest
import scipy.linalg

import dnnlib
from metrics.figures import manifold, statistics
from tests import golden_figures
from tests.golden_recipe import golden_input

UNIT = golden_figures.figures('metrics')['unit']


def rows(key, count, num_features, scale=1.0, shift=0.0):
    return golden_input(f'statistics/{key}', [count, num_features]) * np.float32(scale) + np.float32(shift)


@pytest.fixture(scope='module')
def reals():
    return golden_input('pr/ref', [200, 16])


@pytest.fixture(scope='module')
def fakes():
    return golden_input('pr/eval', [200, 16]) * 1.3 + 0.2


def moments_of(features, sizes, ddof=1):
    return statistics.moments(np.split(features, np.cumsum(sizes)), ddof)


def test_moments_agree_with_numpy():
    x = rows('moments', 1300, 7)
    mean, covariance = moments_of(x, [100])
    np.testing.assert_allclose(mean, x.astype(np.float64).mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(covariance, np.cov(x, rowvar=False), rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(moments_of(x, [100], ddof=0)[1], np.cov(x, rowvar=False, ddof=0), rtol=1e-11,
                               atol=1e-13)
    np.testing.assert_array_equal(covariance, covariance.T)


@pytest.mark.parametrize('sizes', [[8] * 162, [1, 511, 0, 700], [512, 512], [513] * 2, [1] * 40],
                         ids=['8', 'uneven', '512', '513', '1'])
def test_moments_do_not_depend_on_the_minibatch_size(sizes):
    x = rows('moments', 1300, 33)
    for expected, actual in zip(moments_of(x, []), moments_of(x, sizes), strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_moments_keep_their_digits_far_from_zero():
    x = rows('moments', 600, 4).astype(np.float64)
    np.testing.assert_allclose(moments_of(x + 1e6, [7])[1], np.cov(x, rowvar=False), rtol=1e-7)


def test_moments_need_enough_samples():
    with pytest.raises(dnnlib.util.UserError, match='at least 1 samples, not 0'):
        moments_of(np.zeros([0, 3]), [], ddof=0)
    with pytest.raises(dnnlib.util.UserError, match='at least 2 samples, not 1'):
        moments_of(np.zeros([1, 3]), [])


def fitted(x):
    return x.mean(axis=0, dtype=np.float64), np.cov(x, rowvar=False)


def test_frechet_distance_equals_the_published_formula_where_it_is_well_conditioned():
    (mean_a, cov_a), (mean_b, cov_b) = fitted(rows('a', 400, 24)), fitted(rows('b', 300, 24, 1.5, 0.3))
    root = scipy.linalg.sqrtm(cov_b @ cov_a)
    expected = np.real(np.sum((mean_b - mean_a) ** 2) + np.trace(cov_a + cov_b - 2 * root))
    assert statistics.frechet_distance(mean_a, cov_a, mean_b, cov_b) == pytest.approx(expected, rel=1e-10)


def rotation(size):
    return np.linalg.qr(rows('rotation', size, size).astype(np.float64))[0]


@pytest.mark.parametrize('zeros_a, zeros_b', [(0, 0), (10, 0), (0, 12), (10, 12), (20, 20)])
def test_frechet_distance_of_commuting_covariances_is_that_of_their_axes(zeros_a, zeros_b):
    """With equal axes and variances u, v, the distance is sum (sqrt u - sqrt v)^2 for any rank."""
    u, v = np.linspace(0.1, 3, 20), np.linspace(2, 0.5, 20)
    u[:zeros_a] = 0
    v[len(v) - zeros_b:] = 0
    axes = rotation(20)
    cov_a, cov_b = axes * u @ axes.T, axes * v @ axes.T
    distance = statistics.frechet_distance(np.zeros(20), cov_a, np.full(20, 0.5), cov_b)
    assert distance == pytest.approx(20 * 0.25 + np.sum((np.sqrt(u) - np.sqrt(v)) ** 2), rel=1e-10)


def test_frechet_distance_of_lines_follows_from_their_angle():
    """For the rank-one matrices a a^T and b b^T, the distance is |a|^2 + |b|^2 - 2 |a.b|."""
    a, b = rows('lines', 2, 50).astype(np.float64)
    expected = a @ a + b @ b - 2 * abs(a @ b)
    distance = statistics.frechet_distance(np.zeros(50), np.outer(a, a), np.zeros(50), np.outer(b, b))
    assert distance == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_with_fewer_samples_than_features():
    """The trace of the root is the sum of the singular values of the product of both centred sets."""
    a, b = rows('few/a', 20, 64).astype(np.float64), rows('few/b', 15, 64, 1.4).astype(np.float64)
    centred_a, centred_b = ((x - x.mean(axis=0)) / np.sqrt(len(x) - 1) for x in (a, b))
    shift = a.mean(axis=0) - b.mean(axis=0)
    root_trace = np.linalg.norm(centred_a @ centred_b.T, ord='nuc')
    expected = shift @ shift + np.sum(centred_a ** 2) + np.sum(centred_b ** 2) - 2 * root_trace
    assert statistics.frechet_distance(*fitted(a), *fitted(b)) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize('count', [3, 30, 300])
def test_frechet_distance_of_a_distribution_to_itself_is_zero(count):
    mean, cov = fitted(rows('itself', count, 40))
    assert 0 <= statistics.frechet_distance(mean, cov, mean, cov) < 1e-11


def test_frechet_distance_of_broken_statistics_is_nan():
    assert np.isnan(statistics.frechet_distance(np.zeros(2), np.full([2, 2], np.nan), np.zeros(2), np.eye(2)))


def naive_kernel_distance(real, fake, num_subsets, max_subset_size, random):
    """Compute the unbiased estimate pair by pair."""
    size = min(len(real), len(fake), max_subset_size)
    kernel = lambda u, v: (float(np.dot(u, v)) / len(u) + 1) ** 3  # noqa: E731
    results = []
    for _ in range(num_subsets):
        x = fake[random.choice(len(fake), size, replace=False)].astype(np.float64)
        y = real[random.choice(len(real), size, replace=False)].astype(np.float64)
        within = sum(kernel(s[i], s[j]) for s in (x, y) for i, j in itertools.permutations(range(size), 2))
        across = sum(kernel(u, v) for u in x for v in y)
        results.append(within / (size * (size - 1)) - 2 * across / size ** 2)
    return np.mean(results)


@pytest.mark.parametrize('max_subset_size', [9, 1000])
def test_kernel_distance_agrees_with_a_naive_one(max_subset_size):
    real, fake = rows('kd/real', 14, 6), rows('kd/fake', 11, 6, 1.2, 0.4)
    options = dict(num_subsets=3, max_subset_size=max_subset_size)
    actual = statistics.kernel_distance(real, fake, random=np.random.RandomState(3), **options)
    expected = naive_kernel_distance(real, fake, random=np.random.RandomState(3), **options)
    assert actual == pytest.approx(expected)


@pytest.mark.parametrize('count, num_features', [(60, 8), (20, 200)])
def test_kernel_distance_agrees_with_scikit_learn(count, num_features):
    kernel = pytest.importorskip('sklearn.metrics.pairwise').polynomial_kernel
    real, fake = rows('kd/real', count, num_features), rows('kd/fake', count, num_features, 1.2, 0.4)
    within = [kernel(x.astype(np.float64), degree=3, coef0=1) for x in (real, fake)]
    expected = sum((k.sum() - np.trace(k)) / (count * (count - 1)) for k in within)
    expected -= 2 * kernel(real.astype(np.float64), fake.astype(np.float64), degree=3, coef0=1).mean()
    actual = statistics.kernel_distance(real, fake, num_subsets=1, max_subset_size=count)
    assert actual == pytest.approx(expected, rel=1e-10)


def test_kernel_distance_draws_from_the_global_random_numbers():
    real, fake = rows('kd/real', 14, 6), rows('kd/fake', 11, 6)
    np.random.seed(5)
    actual = statistics.kernel_distance(real, fake, num_subsets=2, max_subset_size=4)
    expected = statistics.kernel_distance(real, fake, num_subsets=2, max_subset_size=4,
                                          random=np.random.RandomState(5))
    assert actual == expected


def test_kernel_distance_needs_two_samples():
    with pytest.raises(dnnlib.util.UserError, match='at least 2'):
        statistics.kernel_distance(np.zeros([1, 3]), np.zeros([9, 3]))


def test_inception_score_of_certain_and_balanced_answers_is_the_number_of_classes():
    assert statistics.inception_score(np.eye(5)[np.arange(50) % 5], num_splits=2) == pytest.approx((5, 0))


def test_inception_score_splits_rows_in_order():
    logits = rows('is', 23, 6, 2.0)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    scores = [np.exp(np.mean(np.sum(x * (np.log(x) - np.log(x.mean(axis=0))), axis=1)))
              for x in (p[0:5], p[5:11], p[11:17], p[17:23])]
    actual = statistics.inception_score(p, num_splits=4)
    assert actual == pytest.approx((np.mean(scores), np.std(scores)), rel=1e-5)


def test_inception_score_needs_a_sample_for_each_split():
    with pytest.raises(dnnlib.util.UserError, match='at least 10 samples, not 9'):
        statistics.inception_score(np.ones([9, 1]))


def test_precision_recall_and_realism_have_the_golden_figures(reals, fakes):
    golden = UNIT['precision_recall']
    of_reals = manifold.Manifold(reals, golden['nhood_sizes'])
    inside, realism = of_reals.evaluate(fakes, return_realism=True)
    recalled = manifold.Manifold(fakes, golden['nhood_sizes']).evaluate(reals)
    np.testing.assert_allclose(inside.mean(axis=0), golden['precision'], rtol=1e-12)
    np.testing.assert_allclose(recalled.mean(axis=0), golden['recall'], rtol=1e-12)
    assert realism.mean() == pytest.approx(golden['realism_mean'], rel=1e-6)
    assert manifold.precision_recall(reals, fakes) == pytest.approx((0.395, 0.955))
    assert of_reals.radii.dtype == np.float16


@pytest.mark.parametrize('num_features', [16, 40, 520, 2048])
def test_half_precision_is_that_of_tensorflow_up_to_rounding(session, num_features):
    import tensorflow.compat.v1 as tf
    u = rows('half/u', 40, num_features, 0.5).astype(np.float16)
    v = rows('half/v', 30, num_features, 0.5).astype(np.float16)
    norm_u, norm_v = (tf.reduce_sum(tf.square(tf.constant(x)), axis=1) for x in (u, v))
    product = tf.matmul(tf.constant(u), tf.constant(v), transpose_b=True)
    expected = session.run(tf.maximum(norm_u[:, np.newaxis] - 2 * product + norm_v, 0))
    actual = manifold._squared_distances(u, v, np.float16)
    if num_features == 16:  # as in the golden figures
        assert np.mean(actual != expected) < 0.01
    np.testing.assert_allclose(actual, expected, rtol=2e-3)


@pytest.mark.parametrize('dtype', [np.float16, np.float32])
@pytest.mark.parametrize('row_size, col_size', [(1, 50), (7, 64), (200, 3), (64, 200)])
def test_manifold_does_not_depend_on_the_sizes_of_its_blocks(reals, fakes, dtype, row_size, col_size):
    options = dict(nhood_sizes=[3, 5], dtype=dtype)
    whole = manifold.Manifold(reals, **options)
    blocks = manifold.Manifold(reals, row_batch_size=row_size, col_batch_size=col_size, **options)
    np.testing.assert_allclose(blocks.radii, whole.radii, rtol=1e-3 if dtype == np.float16 else 1e-5)
    expected = whole.evaluate(fakes, return_realism=True, return_neighbors=True)
    actual = blocks.evaluate(fakes, return_realism=True, return_neighbors=True)
    for x, y in zip(actual, expected, strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_allclose(x, y, rtol=2e-3 if dtype == np.float16 else 1e-4)


def test_manifold_in_single_precision_agrees_with_scikit_learn(reals, fakes):
    neighbors = pytest.importorskip('sklearn.neighbors')
    search = neighbors.NearestNeighbors(n_neighbors=6, algorithm='brute').fit(reals)
    radii = search.kneighbors(reals)[0][:, [3, 5]] ** 2
    distances = neighbors.NearestNeighbors(n_neighbors=200, algorithm='brute').fit(reals).kneighbors(fakes)
    ours = manifold.Manifold(reals, [3, 5], dtype=np.float32)
    inside, realism, nearest = ours.evaluate(fakes, return_realism=True, return_neighbors=True)
    np.testing.assert_allclose(ours.radii, radii, rtol=1e-5)
    np.testing.assert_array_equal(nearest, distances[1][:, 0])
    np.testing.assert_allclose(realism, radii[nearest, 0] / distances[0][:, 0] ** 2, rtol=1e-4)
    order = distances[1]
    covered = [np.any(distances[0] ** 2 <= radii[order, k], axis=1) for k in (0, 1)]
    np.testing.assert_array_equal(inside, np.stack(covered, axis=1))


@pytest.mark.parametrize('count, num_features', [(60, 8), (25, 40)])
def test_precision_recall_in_single_precision_agrees_with_scikit_learn(count, num_features):
    neighbors = pytest.importorskip('sklearn.neighbors')
    sets = [rows('pr/real', count, num_features), rows('pr/fake', 40, num_features, 1.0, 0.1)]

    def covered(points, queries):
        search = neighbors.NearestNeighbors(algorithm='brute').fit(points)
        radii = search.kneighbors(points, n_neighbors=4)[0][:, 3]
        distances, order = search.kneighbors(queries, n_neighbors=len(points))
        return np.mean(np.any(distances <= radii[order], axis=1))

    expected = covered(*sets), covered(*sets[::-1])
    assert manifold.precision_recall(*sets, dtype=np.float32) == pytest.approx(expected, abs=1e-12)
    assert min(expected) > 0 and max(expected) < 1, 'figures that could not be otherwise'


def test_duplicates_make_neighbourhoods_without_extent():
    x = np.repeat(rows('duplicates', 5, 4), 4, axis=0)
    points = manifold.Manifold(x, dtype=np.float64)
    np.testing.assert_allclose(points.radii, 0, atol=1e-12)
    assert not points.evaluate(x + 0.1).any()


def test_large_neighbourhoods_can_be_clamped(reals):
    clamped = manifold.Manifold(reals, clamp_to_percentile=50).radii
    radii = manifold.Manifold(reals).radii
    np.testing.assert_array_equal(clamped, np.where(radii <= np.median(radii), radii, 0))
    assert 0 < np.mean(clamped == 0) < 1


def test_half_precision_warns_of_distances_beyond_its_range(reals):
    with pytest.warns(RuntimeWarning, match='exceed the range of float16'):
        assert np.all(np.isinf(manifold.Manifold(np.eye(5) * 200).radii))
    radii = manifold.Manifold(np.eye(5) * 200, dtype=np.float32).radii
    np.testing.assert_allclose(radii, 80000)


def test_neighbourhoods_need_enough_samples():
    with pytest.raises(dnnlib.util.UserError, match='at least 4 samples, not 3'):
        manifold.precision_recall(np.zeros([3, 2]), np.zeros([9, 2]))


@pytest.mark.parametrize('dtype', [np.float16, np.float32])
def test_precision_recall_needs_memory_for_a_block_only(dtype):
    """All distances would take 9 MB; a block takes 0.25 MB."""
    real, fake = rows('memory/real', 1500, 8), rows('memory/fake', 1500, 8)
    tracemalloc.start()
    manifold.precision_recall(real, fake, row_batch_size=250, col_batch_size=250, dtype=dtype)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.5e6


def test_filtered_mean_leaves_out_what_lies_beyond_the_outer_percentiles():
    """For ranks 0 to 249, the 1st percentile is 2.49 and the 99th is 246.51. Rounded outwards, 2 and 247 are
    kept."""
    distances = np.arange(250.0) ** 2
    shuffled = np.random.RandomState(0).permutation(distances)
    assert statistics.filtered_mean(shuffled) == pytest.approx(distances[2:248].mean())
    assert statistics.filtered_mean([5.0]) == 5.0
    with pytest.raises(dnnlib.util.UserError, match='at least 1 sample'):
        statistics.filtered_mean([])


@pytest.mark.parametrize('case', UNIT['conditional_entropy'], ids=lambda case: str(case['value']))
def test_conditional_entropy_has_the_golden_values(case):
    assert statistics.conditional_entropy(case['p']) == pytest.approx(case['value'], abs=1e-6)
    counts = np.multiply(case['p'], 12800)
    assert statistics.conditional_entropy(counts) == pytest.approx(case['value'], abs=1e-6)


def test_separability_entropy_of_a_linear_boundary_is_zero_and_of_noise_is_one():
    pytest.importorskip('sklearn')
    latents = rows('svm', 400, 3)
    latents = latents[np.abs(latents[:, 0]) > 0.2]
    assert statistics.separability_entropy(latents, (latents[:, 0] > 0).astype(int)) == 0
    assert statistics.separability_entropy(latents, np.arange(len(latents)) % 2) > 0.9


def test_separability_entropy_measures_the_target_given_the_prediction():
    """Of the samples at +1, 80 % belong to class 1; of those at -1, none do."""
    pytest.importorskip('sklearn')
    latents = np.repeat([[1.0], [-1.0]], 50, axis=0)
    targets = np.arange(100) < 40
    expected = 0.5 * -(0.8 * np.log2(0.8) + 0.2 * np.log2(0.2))
    assert statistics.separability_entropy(latents, targets.astype(int)) == pytest.approx(expected, abs=1e-6)


def test_a_single_class_is_separable():
    pytest.importorskip('sklearn')
    assert statistics.separability_entropy(rows('svm', 10, 3), np.ones(10, int)) == 0


def test_separability_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'sklearn.svm', None)
    with pytest.raises(dnnlib.util.UserError, match='scikit-learn'):
        statistics.separability_entropy(np.zeros([4, 2]), np.arange(4) % 2)
