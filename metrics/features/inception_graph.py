"""Google's Inception network of 2015-12-05, a frozen graph, as a feature network.

The file is data: a list of operations and their constants. Only operations in a table here are built, from
functions of today's TensorFlow, so that nothing else in a file can run. The graph was made for a single
image, but the part between the decoded image and the features works for any number.
"""

import functools
import graphlib
import math
import os
import posixpath
import tarfile
import zlib
from dataclasses import dataclass

import numpy as np
import tensorflow.compat.v1 as tf
from google.protobuf.message import DecodeError

from dnnlib.pickles.arrays import reason
from dnnlib.util import UserError
from metrics.features.constant_network import ConstantNetwork

URL = 'http://download.tensorflow.org/models/image/imagenet/inception-2015-12-05.tgz'
ARCHIVE = 'inception-2015-12-05.tgz'
GRAPH = 'classify_image_graph_def.pb'  # in the archive
CLASSIFIER_SHAPE = (2048, 1008)  # features, classes

_IMAGES = 'ExpandDims'  # float images [1,H,W,3] of the range 0 to 255
_FEATURES = 'pool_3'  # [1,1,1,2048]
_LOGITS = 'softmax/logits/MatMul'  # of features and the classifier's weights
_MAX_BYTES = 1 << 29  # of the graph, which has 96 million
_MAX_NUMBERS = 1 << 27  # in all constants, which have 24 million
_CONSTANT_TYPES = (tf.float32.as_datatype_enum, tf.int32.as_datatype_enum)
_DAMAGE = (tarfile.TarError, EOFError, zlib.error, DecodeError, LookupError, TypeError, ValueError, OSError)

# The operations from images to features.
_OPS = {
    'Add': tf.add,
    'AvgPool': tf.nn.avg_pool,
    'BatchNormWithGlobalNormalization': tf.nn.batch_norm_with_global_normalization,
    'BiasAdd': tf.nn.bias_add,
    'CheckNumerics': lambda x: x,
    'Concat': lambda axis, *values: tf.concat(values, axis),
    'ConcatV2': lambda *values_and_axis: tf.concat(values_and_axis[:-1], values_and_axis[-1]),
    'Conv2D': tf.nn.conv2d,
    'Identity': lambda x: x,
    'MaxPool': tf.nn.max_pool,
    'Mul': tf.multiply,
    'Relu': tf.nn.relu,
    'ResizeBilinear': tf.image.resize_bilinear,
    'Sub': tf.subtract,
}
# The operations before and after these: allowed, but not used.
_UNUSED_OPS = {
    'Cast', 'DecodeJpeg', 'ExpandDims', 'MatMul', 'NoOp', 'Placeholder', 'Reshape', 'Softmax', 'Squeeze'}

# Attributes that are arguments of these functions.
_ATTRIBUTES = ('align_corners', 'data_format', 'dilations', 'half_pixel_centers', 'ksize', 'padding',
               'scale_after_normalization', 'strides', 'variance_epsilon')


@dataclass(frozen=True)
class Node:
    """An operation of the table."""
    name: str
    op: str
    inputs: list[str]  # names of nodes and constants
    settings: dict[str, object]


@dataclass(frozen=True)
class FrozenGraph:
    """The part of a graph from images to features, and the classifier."""
    path: str
    nodes: list[Node]  # inputs first
    constants: dict[str, np.ndarray]
    classifier: str  # name of a constant, float32 [features,classes]


class Inception(ConstantNetwork):
    """The network in a file, for one graph; metrics use it like a `tflib.Network`.

    Input: RGB images [N,3,H,W], uint8 or float32 in the range 0 to 255, of any resolution. They are resized
    to 299 x 299 with the bilinear filter of the file, without antialiasing. Output, float32: 'features'
    [N,2048], the averages before the classifier, or 'softmax' [N,1008], probabilities without the bias of the
    classifier, as in the published inception score (Salimans et al. 2016). Raises UserError for other files.
    """

    def __init__(self, path, output='features'):
        self._graph = read(path)
        self._output = output
        self._constants = {}  # tensors by device and name: copies would soon exceed the 2 GB limit of a graph
        super().__init__(f'inception_v3_{output}', CLASSIFIER_SHAPE[0 if output == 'features' else 1])

    def get_output_for(self, images):
        """Build the network on images [N,3,H,W] with static H and W. -> output [N,F]"""
        if images.shape.as_list()[1] != 3:
            raise UserError(f'images have {images.shape.as_list()[1]} channels; Inception takes RGB (3)')
        with tf.name_scope(self.name):
            x = tf.transpose(tf.cast(images, tf.float32), [0, 2, 3, 1])  # -> [N,H,W,3]
            try:
                features = self._features(x)
                if self._output == 'features':
                    return features
                return tf.nn.softmax(tf.matmul(features, self._value(self._graph.classifier, x.device)))
            except (AttributeError, LookupError, TypeError, ValueError) as error:
                raise UserError(f'{self._graph.path}: not the graph of {ARCHIVE}: its operations do not fit '
                                f'together ({reason(error)})') from error

    def _features(self, x):
        """Build the operations: images [N,H,W,3] -> [N,F]."""
        values = {_IMAGES: x}
        for node in self._graph.nodes:
            inputs = [values[name] if name in values else self._value(name, x.device) for name in node.inputs]
            values[node.name] = _OPS[node.op](*inputs, **node.settings)
        features = tf.squeeze(values[_FEATURES], axis=[1, 2])  # [N,1,1,F] -> [N,F]
        features.set_shape([None, CLASSIFIER_SHAPE[0]])
        return features

    def _value(self, name, device):
        """Return a constant: an array of integers (axes and sizes), or a tensor."""
        array = self._graph.constants[name]
        if array.dtype != np.float32:
            return array
        if (device, name) not in self._constants:
            with tf.control_dependencies(None), tf.device(device):
                self._constants[device, name] = tf.constant(array)
        return self._constants[device, name]


def read(path) -> FrozenGraph:
    """Return the graph in a file: the published archive, or the graph alone if the name ends in '.pb'.

    Raises UserError if the file cannot be read, is damaged, or holds any other graph.
    """
    try:
        status = os.stat(path)
        return _read(path, status.st_size, status.st_mtime_ns)
    except UserError as error:
        raise UserError(f'{path}: {error}') from error
    except _DAMAGE as error:
        kind = getattr(error, 'strerror', None) or type(error).__name__
        raise UserError(f'{path}: not a readable file of the Inception graph ({kind}); copy or download it '
                        f'again from {URL}') from error


@functools.lru_cache(maxsize=1)
def _read(path, size, mtime_ns):
    """Return the FrozenGraph of a file, cached until its size or time changes."""
    definition = tf.GraphDef.FromString(_graph_bytes(path))
    _check_operations(definition)
    nodes = {node.name: node for node in definition.node}
    if not {_IMAGES, _FEATURES, _LOGITS} <= nodes.keys():
        raise UserError(f'not the graph of {ARCHIVE}: it has no nodes {_IMAGES}, {_FEATURES} and {_LOGITS}')
    classifier = _inputs(nodes[_LOGITS])[1:]  # of features and weights
    order = _in_order(nodes, [_FEATURES, *classifier])
    constants = _constants([nodes[name] for name in order])
    if [constants[name].shape for name in classifier if name in constants] != [CLASSIFIER_SHAPE]:
        raise UserError(f'not the graph of {ARCHIVE}: its classifier does not take {CLASSIFIER_SHAPE[0]} '
                        f'features to {CLASSIFIER_SHAPE[1]} classes')
    operations = _nodes([nodes[name] for name in order if name not in constants])
    return FrozenGraph(path, operations, constants, *classifier)


def _graph_bytes(path):
    """Return the graph in a file; from an archive, without extracting it to a disk."""
    with open(path, 'rb') as file:
        if str(path).endswith('.pb'):
            return file.read(_MAX_BYTES)
        with tarfile.open(fileobj=file, mode='r:*') as archive:
            return archive.extractfile(_graph_member(archive)).read()


def _graph_member(archive):
    """Return the entry of the graph, without reading past it."""
    for member in archive:
        if member.size > _MAX_BYTES:
            raise UserError(f'not {ARCHIVE}: the file {member.name!r} inside is too large')
        if posixpath.normpath(member.name) == GRAPH and member.isfile():
            return member
    raise UserError(f'not {ARCHIVE}: there is no file {GRAPH} inside')


def _check_operations(definition):
    """Raise UserError for any operation that the published graph does not hold, whether it is used or not."""
    for node in definition.node:
        if node.op not in ('Const', *_OPS, *_UNUSED_OPS):
            raise UserError(f'refused: it holds the operation {node.op!r}, which is not in {ARCHIVE}')
    if definition.library.function:
        raise UserError(f'refused: it holds functions, which are not in {ARCHIVE}')


def _inputs(node):
    """Return the names of nodes whose values a node takes, not of those that it merely runs after."""
    return [name.removesuffix(':0') for name in node.input if not name.startswith('^')]


def _in_order(nodes, outputs):
    """Return the names of nodes that `outputs` need, inputs first, without the images. Raises KeyError if a
    node is missing and ValueError for a cycle."""
    sorter = graphlib.TopologicalSorter()
    pending, seen = list(outputs), {_IMAGES}
    while pending:
        name = pending.pop()
        if name not in seen:
            seen.add(name)
            inputs = [other for other in _inputs(nodes[name]) if other != _IMAGES]
            sorter.add(name, *inputs)
            pending += inputs
    return list(sorter.static_order())


def _constants(nodes):
    """Return {name: array} of the nodes that hold numbers or pass them on."""
    constants = {}
    numbers_left = _MAX_NUMBERS
    for node in nodes:
        if node.op == 'Const':
            tensor = node.attr['value'].tensor
            numbers_left -= math.prod(max(dim.size, 1) for dim in tensor.tensor_shape.dim)
            if numbers_left < 0 or tensor.dtype not in _CONSTANT_TYPES:
                raise UserError(f'refused: the constant {node.name!r} is like none in {ARCHIVE}')
            constants[node.name] = tf.make_ndarray(tensor)
        elif node.op == 'Identity' and _inputs(node)[0] in constants:
            constants[node.name] = constants[_inputs(node)[0]]
    return constants


def _nodes(definitions):
    for node in definitions:
        if node.op not in _OPS:
            raise UserError(f'refused: the operation {node.op!r} stands between images and features, where '
                            f'{ARCHIVE} has none')
    return [Node(node.name, node.op, _inputs(node),
                 {key: _setting(value) for key, value in node.attr.items() if key in _ATTRIBUTES})
            for node in definitions]


def _setting(attribute):
    """Return the value of an attribute: a number, a text or a list of integers."""
    kind = attribute.WhichOneof('value')
    if kind == 's':
        return attribute.s.decode()
    return list(attribute.list.i) if kind == 'list' else getattr(attribute, kind)
