"""Test that metrics based on EfficientNet-Lite0 rank images as people would, and have their own names."""

import gzip
import importlib.util

import numpy as np
import pytest
import scipy.ndimage

import dnnlib
from dnnlib.util import UserError
from metrics.features import efficientnet_lite0, feature_networks
from metrics.figures import manifold, statistics
from metrics.metric_defaults import metric_defaults
from tests.golden_figures import QUICK, fresh_session
from tests.test_house import ROOT

NAMES = ('fd50k_lite0', 'kd50k_lite0', 'pr50k3_lite0', 'cs50k_lite0')
COUNT = 150
with_weights = pytest.mark.skipif(
    importlib.util.find_spec(efficientnet_lite0.PACKAGE) is None, reason='needs the extra lite0')


def fashion_mnist(name, offset):
    with gzip.open(ROOT / 'data' / 'fashion-mnist' / name) as file:
        return np.frombuffer(file.read(), np.uint8, offset=offset)


@pytest.fixture(scope='module')
def features():
    """Return {set of images: features [COUNT,1280]}."""
    images = fashion_mnist('train-images-idx3-ubyte.gz', 16).reshape(-1, 1, 28, 28)
    classes = fashion_mnist('train-labels-idx1-ubyte.gz', 8)
    others = images[COUNT:2 * COUNT]
    noise = np.random.RandomState(0).randn(*others.shape) * 25
    sets = {
        'reference': images[:COUNT], 'others': others, 'noisy': np.clip(others + noise, 0, 255),
        'blurred': scipy.ndimage.gaussian_filter(others.astype(np.float32), (0, 0, 1, 1)),
        'shoes and bags': images[2 * COUNT:][np.isin(classes[2 * COUNT:], [5, 7, 8, 9])][:COUNT]}
    with fresh_session(QUICK):
        network = efficientnet_lite0.EfficientNetLite0()
        return {name: network.run(np.asarray(images, np.uint8), minibatch_size=50)
                for name, images in sets.items()}


def frechet(a, b):
    return statistics.frechet_distance(*statistics.moments([a]), *statistics.moments([b]))


@with_weights
@pytest.mark.parametrize('distance', [frechet, statistics.kernel_distance], ids=['frechet', 'kernel'])
def test_other_images_of_the_same_kind_are_nearest(distance, features):
    floor = distance(features['reference'], features['others'])
    for name in ('noisy', 'blurred', 'shoes and bags'):
        assert distance(features['reference'], features[name]) > 1.5 * floor, name


@with_weights
def test_missing_classes_cost_recall_and_noise_costs_precision(features):
    def evaluate(name):
        return manifold.precision_recall(features['reference'], features[name])

    precision, recall = evaluate('others')
    assert evaluate('shoes and bags')[1] < recall - 0.2
    assert evaluate('noisy')[0] < precision - 0.2


def test_their_names_say_that_they_are_no_fid():
    for name in NAMES:
        metric = dnnlib.util.call_func_by_name(**metric_defaults[name])
        assert metric.name.endswith('_lite0')
        assert all(network.startswith('efficientnet_lite0_') for network in metric.network_names)


def test_the_earlier_names_in_settings_of_existing_runs_are_known():
    for name, network in [('FrechetDistance', 'features'), ('KernelDistance', 'features'),
                          ('PrecisionRecall', 'features'), ('ClassScore', 'probabilities')]:
        metric = dnnlib.util.call_func_by_name(func_name=f'metrics.lite0.{name}', name='x', num_images=9)
        assert metric.network_names == (f'efficientnet_lite0_{network}',)


def test_without_its_package_a_metric_says_what_to_install(monkeypatch):
    monkeypatch.setattr(efficientnet_lite0, 'PACKAGE', 'no_such_package')
    assert 'lite0' in feature_networks.missing(['efficientnet_lite0_features'])
    with pytest.raises(UserError, match='install'):
        feature_networks.require(['efficientnet_lite0_features'])


@with_weights
def test_the_weights_are_known_by_their_checksum():
    assert feature_networks.missing(['efficientnet_lite0_probabilities']) is None
    assert feature_networks.checksum('efficientnet_lite0_probabilities') == efficientnet_lite0.WEIGHTS_SHA256
