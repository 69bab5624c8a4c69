"""Test that metrics.features.inception_graph computes a small graph correctly and refuses other graphs."""

import os
import tarfile

import numpy as np
import pytest
import scipy.special
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.util import UserError
from metrics.features import inception_graph
from metrics.sampling import to_rgb
from tests import small_inception
from tests.golden_figures import assert_close
from tests.small_inception import op, small_graph, text, write_archive

images = np.random.RandomState(1).randint(0, 256, [4, 3, 40, 31]).astype(np.uint8)


@pytest.fixture(scope='module', autouse=True)
def classifier_shape():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inception_graph, 'CLASSIFIER_SHAPE', small_inception.CLASSIFIER_SHAPE)
        yield


@pytest.fixture(scope='module')
def path(tmp_path_factory):
    return str(write_archive(tmp_path_factory.mktemp('graph') / 'inception.tgz', small_graph()))


@pytest.fixture(scope='module')
def features(path, module_session):
    return inception_graph.Inception(path)


@pytest.fixture(scope='module')
def softmax(path, module_session):
    return inception_graph.Inception(path, 'softmax')


def original(arrays, *outputs):
    """Evaluate the unchanged graph in TensorFlow, image by image. -> [N,F] for each output."""
    with tf.Graph().as_default(), tf.Session() as session:
        image = tf.placeholder(tf.float32, [1, None, None, 3])
        tensors = tf.import_graph_def(small_graph(), {'ExpandDims:0': image}, return_elements=outputs)
        rows = [session.run(tensors, {image: array.transpose(1, 2, 0)[np.newaxis]}) for array in arrays]
    return [np.concatenate(values).reshape(len(arrays), -1) for values in zip(*rows, strict=True)]


def test_features_and_probabilities_are_those_of_the_graph(features, softmax):
    expected, with_bias = original(images, 'pool_3:0', 'softmax:0')
    assert np.count_nonzero(np.ptp(expected, axis=0) > 0.1) >= 8, 'features tell these images apart'
    assert_close(features.run(images), expected, 'features')
    assert features.output_shape == [None, 12]
    constants = {node.name: tf.make_ndarray(node.attr['value'].tensor)
                 for node in small_graph().node if node.name.startswith('softmax/') and node.op == 'Const'}
    logits = expected @ constants['softmax/weights']
    assert_close(softmax.run(images), scipy.special.softmax(logits, axis=1), 'without bias')
    assert_close(with_bias, scipy.special.softmax(logits + constants['softmax/biases'], axis=1), 'with bias')
    assert softmax.output_shape == [None, 7]


@pytest.mark.parametrize('size', [(27, 27), (16, 16), (100, 64)])
def test_any_resolution_is_resized_as_the_graph_does(features, size):
    arrays = np.random.RandomState(2).uniform(0, 255, [2, 3, *size]).astype(np.float32)
    assert_close(features.run(arrays), *original(arrays, 'pool_3:0'), 'resized')


def test_results_do_not_depend_on_minibatches_devices_and_types(features):
    expected = features.run(images)
    assert_close(np.concatenate([features.run(images[i:i + 1]) for i in range(4)]), expected, 'single images')
    assert_close(features.run(images, minibatch_size=2, num_gpus=2), expected, 'devices')
    assert_close(features.run(images.astype(np.float32), assume_frozen=True), expected, 'float32')
    assert_close(tflib.run(features.clone().get_output_for(tf.constant(images))), expected, 'in a graph')
    assert features.run(images[:0]).shape == (0, 12)


def test_weights_are_in_the_graph_once_for_each_device(path, session):
    net = inception_graph.Inception(path)
    net.run(images, num_gpus=2)
    for gpu in range(2):
        with tflib.device(gpu):
            net.get_output_for(tf.constant(images))
    shapes = [op.outputs[0].shape.as_list() for op in session.graph.get_operations() if op.type == 'Const']
    assert shapes.count([3, 3, 3, 8]) == 2


def test_grey_images_are_those_of_three_equal_channels(features):
    grey = images[:, :1]
    assert_close(features.run(to_rgb(grey)), features.run(grey.repeat(3, axis=1)), 'grey')
    with pytest.raises(UserError, match=r'^images have 1 channels; Inception takes RGB \(3\)$'):
        features.get_output_for(tf.constant(grey))


def test_the_graph_alone_is_read_as_well(features, tmp_path, module_session):
    alone = tmp_path / inception_graph.GRAPH
    alone.write_bytes(small_graph().SerializeToString())
    assert_close(inception_graph.Inception(str(alone)).run(images), features.run(images), '.pb')


def modern(graph):
    """Convert a graph to the form that newer TensorFlow writes.

    Concatenation takes the axis last, the bias is added by an addition, and an identity precedes the
    classifier.
    """
    nodes = {node.name: node for node in graph.node}
    nodes['mixed/join'].op = 'ConcatV2'
    nodes['mixed/join'].input.append(nodes['mixed/join'].input.pop(0))
    op(graph, 'Identity', 'softmax/weights/read', 'softmax/weights:0')
    nodes['softmax/logits/MatMul'].input[1] = 'softmax/weights/read'
    return graph


def test_operations_of_today_give_the_same(features, softmax, tmp_path, module_session):
    later = str(write_archive(tmp_path / 'x.tgz', modern(small_graph()), './' + inception_graph.GRAPH))
    assert_close(inception_graph.Inception(later).run(images), features.run(images), 'features')
    assert_close(inception_graph.Inception(later, 'softmax').run(images), softmax.run(images), 'softmax')


def _spoil(graph, name, change):
    change(next(node for node in graph.node if node.name == name))


HOSTILE = {
    "refused: it holds the operation 'PyFunc'": lambda graph: op(graph, 'PyFunc', 'x'),
    "refused: it holds the operation 'ReadFile'": lambda graph: _spoil(
        graph, 'conv', lambda node: setattr(node, 'op', 'ReadFile')),
    "refused: it holds the operation 'WriteFile'": lambda graph: _spoil(
        graph, 'conv', lambda node: node.input.append('^' + op(graph, 'WriteFile', 'x'))),
    'refused: it holds functions': lambda graph: graph.library.function.add(),
    "refused: the operation 'DecodeJpeg' stands between": lambda graph: _spoil(
        graph, 'conv', lambda node: setattr(node, 'op', 'DecodeJpeg')),
    "refused: the constant 'Sub/y' is like none": lambda graph: _spoil(
        graph, 'Sub/y', lambda node: node.attr['value'].tensor.tensor_shape.dim.add(size=10 ** 12)),
    "refused: the constant 'Mul/y' is like none": lambda graph: _spoil(
        graph, 'Mul/y', lambda node: node.attr['value'].tensor.CopyFrom(tf.make_tensor_proto(b'text'))),
    r'not a readable file of the Inception graph \(CycleError\)': lambda graph: _spoil(
        graph, 'conv/Conv2D', lambda node: node.input.append('pool')),
    r'not a readable file of the Inception graph \(IndexError\)': lambda graph: op(
        graph, 'Identity', 'conv/conv2d_params'),
    r'not a readable file of the Inception graph \(KeyError\)': lambda graph: _spoil(
        graph, 'pool', lambda node: node.input.append('gone')),
    'it has no nodes ExpandDims, pool_3 and': lambda graph: _spoil(
        graph, 'pool_3', lambda node: setattr(node, 'name', 'pool_4')),
    'its classifier does not take 12 features to 7 classes': lambda graph: _spoil(
        graph, 'softmax/logits/MatMul', lambda node: node.input.__setitem__(1, 'softmax/biases')),
}


@pytest.mark.parametrize('message', HOSTILE)
def test_hostile_and_foreign_graphs_are_refused_in_one_line(message, tmp_path):
    graph = small_graph()
    HOSTILE[message](graph)
    spoilt = write_archive(tmp_path / 'x.tgz', graph)
    with pytest.raises(UserError, match=f'^{spoilt}: .*{message}') as caught:
        inception_graph.read(str(spoilt))
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize('name, change', [
    ('pool_3', lambda node: node.attr['ksize'].list.i.__setitem__(1, 5)),
    ('conv/Conv2D', lambda node: node.attr.pop('padding')),
    ('conv/Conv2D', lambda node: node.attr['padding'].CopyFrom(text(b'NONE'))),
    ('mixed/join', lambda node: node.input.pop()),
    ('Sub', lambda node: node.input.pop())])
def test_operations_that_do_not_fit_together_are_one_clear_line(name, change, tmp_path, module_session):
    graph = small_graph()
    _spoil(graph, name, change)
    spoilt = write_archive(tmp_path / 'x.tgz', graph)
    with pytest.raises(UserError, match=f'^{spoilt}: .*its operations do not fit together .*$') as caught:
        inception_graph.Inception(str(spoilt)).get_output_for(tf.constant(images))
    assert len(str(caught.value).splitlines()) == 1


def test_damaged_files_are_one_clear_line(path, tmp_path):
    with open(path, 'rb') as file:
        data = file.read()
    graph = small_graph().SerializeToString()
    damaged = {
        'empty.tgz': b'', 'short.tgz': data[:len(data) // 2], 'text.tgz': b'<html>not found</html>' * 99,
        'short.pb': graph[:-9], 'flipped.tgz': data[:300] + bytes(99) + data[399:], 'text.pb': b'<html>'}
    for name, contents in damaged.items():
        (tmp_path / name).write_bytes(contents)
        with pytest.raises(UserError, match=f'^{tmp_path / name}: .*{inception_graph.URL}$'):
            inception_graph.read(str(tmp_path / name))
    with pytest.raises(UserError, match=r'gone\.tgz: .*\(No such file or directory\)'):
        inception_graph.read(str(tmp_path / 'gone.tgz'))


def test_other_archives_are_refused_and_nothing_is_extracted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    other = write_archive(tmp_path / 'x.tgz', small_graph(), name=f'../{inception_graph.GRAPH}')
    with pytest.raises(UserError, match=f'x.tgz: not {inception_graph.ARCHIVE}: .* {inception_graph.GRAPH}'):
        inception_graph.read(str(other))
    with tarfile.open(tmp_path / 'link.tgz', 'w:gz') as archive:
        link = tarfile.TarInfo(inception_graph.GRAPH)
        link.type, link.linkname = tarfile.SYMTYPE, '/etc/passwd'
        archive.addfile(link)
    with pytest.raises(UserError, match='there is no file'):
        inception_graph.read(str(tmp_path / 'link.tgz'))
    monkeypatch.setattr(inception_graph, '_MAX_BYTES', 100)
    with pytest.raises(UserError, match='is too large'):
        inception_graph.read(str(write_archive(tmp_path / 'y.tgz', small_graph())))
    assert sorted(os.listdir(tmp_path)) == ['link.tgz', 'x.tgz', 'y.tgz']


def test_a_file_that_was_replaced_is_read_again(tmp_path, module_session):
    target = tmp_path / 'x.tgz'
    values = []
    for seed in (0, 3):
        write_archive(target, small_graph(seed))
        os.utime(target, ns=(seed, seed))
        values.append(inception_graph.Inception(str(target)).run(images))
    assert np.abs(values[0] - values[1]).max() > 1e-3
