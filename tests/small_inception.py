"""Build a small graph with the names, operations and file formats of Google's Inception network."""

import io
import tarfile

import numpy as np
import tensorflow.compat.v1 as tf

from metrics.features import inception_graph

SIZE = 27  # instead of 299
CLASSIFIER_SHAPE = (12, 7)
BATCH_NORM = 'BatchNormWithGlobalNormalization'
NAMES = ('beta', 'gamma', 'moving_mean', 'moving_variance')


def const(graph, name, value, dtype=None):
    """Add a constant. -> its name."""
    tensor = tf.make_tensor_proto(value, dtype)
    node = graph.node.add(op='Const', name=name)
    node.attr['dtype'].type = tensor.dtype
    node.attr['value'].tensor.CopyFrom(tensor)
    return name


def op(graph, kind, name, *inputs, ints=(), **attributes):
    """Add an operation on floats; `ints`: {attribute: list of integers}. -> its name."""
    node = graph.node.add(op=kind, name=name, input=inputs)
    node.attr['T'].type = 1  # float
    for key, value in dict(ints).items():
        node.attr[key].list.i.extend(value)
    for key, value in attributes.items():
        node.attr[key].CopyFrom(value)
    return name


def text(value):
    return tf.AttrValue(s=value)


def _conv(graph, name, x, random, shape, stride):
    """Add a convolution with a check of its numbers, as in the original."""
    kernel = const(graph, f'{name}/conv2d_params', random.randn(*shape).astype(np.float32) / 3)
    y = op(graph, 'Conv2D', f'{name}/Conv2D', x, kernel, ints={'strides': [1, stride, stride, 1]},
           padding=text(b'VALID'), use_cudnn_on_gpu=tf.AttrValue(b=True))
    stats = {key: const(graph, f'{name}/batchnorm/{key}', np.float32(random.uniform(0.5, 1.5, shape[3])))
             for key in NAMES}
    y = op(graph, BATCH_NORM, f'{name}/batchnorm', y, stats['moving_mean'], stats['moving_variance'],
           stats['beta'], stats['gamma'], variance_epsilon=tf.AttrValue(f=0.001),
           scale_after_normalization=tf.AttrValue(b=False))
    check = op(graph, 'CheckNumerics', f'{name}/CheckNumerics', y, message=text(b'not a number'))
    y = op(graph, 'Identity', f'{name}/control_dependency', y, f'^{check}')
    return op(graph, 'Relu', name, y)


def _images(graph):
    graph.versions.producer = 8  # batch normalization and old concatenation are removed in version 9
    const(graph, 'DecodeJpeg/contents', b'')
    node = graph.node.add(op='DecodeJpeg', name='DecodeJpeg', input=['DecodeJpeg/contents'])
    node.attr['channels'].i = 3
    node = graph.node.add(op='Cast', name='Cast', input=['DecodeJpeg'])
    node.attr['SrcT'].type, node.attr['DstT'].type = 4, 1  # uint8, float
    op(graph, 'ExpandDims', 'ExpandDims', 'Cast', const(graph, 'ExpandDims/dim', np.int32(0)))
    size = const(graph, 'ResizeBilinear/size', np.int32([SIZE, SIZE]))
    x = op(graph, 'ResizeBilinear', 'ResizeBilinear', 'ExpandDims', size,
           align_corners=tf.AttrValue(b=False))
    x = op(graph, 'Sub', 'Sub', x, const(graph, 'Sub/y', np.float32(128)))
    return op(graph, 'Mul', 'Mul', x, const(graph, 'Mul/y', np.float32(0.0078125)))


def small_graph(seed=0):
    """Return the graph, for a single image."""
    random = np.random.RandomState(seed)
    graph = tf.GraphDef()
    x = _conv(graph, 'conv', _images(graph), random, [3, 3, 3, 8], stride=2)  # -> 13x13
    x = op(graph, 'MaxPool', 'pool', x, ints={'ksize': [1, 3, 3, 1], 'strides': [1, 2, 2, 1]},
           padding=text(b'VALID'))  # -> 6x6
    left = _conv(graph, 'mixed/conv', x, random, [1, 1, 8, 4], stride=1)
    right = op(graph, 'AvgPool', 'mixed/tower/pool', x, padding=text(b'SAME'),
               ints={'ksize': [1, 3, 3, 1], 'strides': [1, 1, 1, 1]})
    x = op(graph, 'Concat', 'mixed/join', const(graph, 'mixed/join/concat_dim', np.int32(3)), left, right,
           N=tf.AttrValue(i=2))
    x = op(graph, 'AvgPool', 'pool_3', x, padding=text(b'VALID'),
           ints={'ksize': [1, 6, 6, 1], 'strides': [1, 1, 1, 1]})
    num_features, num_classes = CLASSIFIER_SHAPE
    x = op(graph, 'Reshape', 'pool_3/_reshape', x,
           const(graph, 'pool_3/_reshape/shape', np.int32([1, num_features])))
    weights = const(graph, 'softmax/weights', random.randn(num_features, num_classes).astype(np.float32))
    x = op(graph, 'MatMul', 'softmax/logits/MatMul', x, weights)
    biases = const(graph, 'softmax/biases', random.randn(num_classes).astype(np.float32))
    op(graph, 'Softmax', 'softmax', op(graph, 'BiasAdd', 'softmax/logits', x, biases))
    return graph


def write_archive(path, graph, name=inception_graph.GRAPH):
    """Write a .tgz with the graph between other files. `graph`: a GraphDef or bytes. -> path."""
    data = graph if isinstance(graph, bytes) else graph.SerializeToString()
    with tarfile.open(path, 'w:gz') as archive:
        for member_name, contents in (('LICENSE', b'text'), (name, data), ('cropped_panda.jpg', b'image')):
            member = tarfile.TarInfo(member_name)
            member.size = len(contents)
            archive.addfile(member, io.BytesIO(contents))
    return path
