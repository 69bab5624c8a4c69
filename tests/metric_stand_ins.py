"""Define small stand-ins for the metrics' feature networks. The golden figures were measured with them."""

from dataclasses import dataclass

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.util import UserError


def _block_means(images, factor):
    """Average blocks of factor x factor pixels. [N,C,H,W] -> float32 [N,C*H/factor*W/factor]."""
    images = tflib.tfutil.shrink_images(tf.cast(images, tf.float32), factor)
    return tf.reshape(images, [-1, np.prod(images.shape.as_list()[1:])])


def inception_features(images_in, size=16, **_kwargs):
    """Compute features. Images [N,3,size,size] -> [N,F]."""
    images_in.set_shape([None, 3, size, size])
    return tf.identity(_block_means(images_in, 8) / 255, name='features')


def inception_softmax(images_in, size=16, **_kwargs):
    """Compute probabilities. Images [N,3,size,size] -> [N,F]."""
    images_in.set_shape([None, 3, size, size])
    return tf.nn.softmax(_block_means(images_in, 8) / 255 * 8, name='softmax')


def vgg16(images_in, size=16, **_kwargs):
    """Compute features. Images [N,3,size,size] -> [N,F]."""
    images_in.set_shape([None, 3, size, size])
    return tf.identity(_block_means(images_in, 4) / 64, name='features')


def lpips(a_in, b_in, **_kwargs):
    """Compute distances. Two minibatches of images [N,3,H,W] -> [N]."""
    a_in.set_shape([None, 3, None, None])
    b_in.set_shape([None, 3, None, None])
    return tf.reduce_mean(tf.square((a_in - b_in) / 255), axis=[1, 2, 3], name='distances')


def classifier(images_in, labels_in, index=0, size=16, **_kwargs):
    """Compute logits and ignore the labels. Images [N,3,size,size] -> [N,1]."""
    images_in.set_shape([None, 3, size, size])
    labels_in.set_shape([None, 0])
    weights = np.float32(np.roll([1, -1, 0.5], -index)).reshape(1, 3, 1, 1)
    mean = tf.reduce_mean(images_in * weights, axis=[1, 2, 3])
    return tf.sin(40 * mean + index, name='logits')[:, np.newaxis]


BUILD_FUNCTIONS = {
    'inception_v3_features': inception_features, 'inception_v3_softmax': inception_softmax, 'vgg16': vgg16,
    'vgg16_zhang_perceptual': lpips}


@dataclass(frozen=True)
class StandIn:
    """A source for feature_networks.SOURCES."""
    func: object
    kwargs: tuple = ()
    digest: str = 'd1ge57'
    why_missing: str | None = None
    origin = 'stand-in'

    def missing(self):
        return self.why_missing

    def require(self):
        if self.why_missing is not None:
            raise UserError(self.why_missing)

    def give_trust(self):
        raise AssertionError('not needed')

    def checksum(self):
        return self.digest

    def load(self):
        return tflib.Network(self.func.__name__, func_name=self.func, **dict(self.kwargs))


def sources(names, **kwargs):
    """Return SOURCES with stand-ins for the published files. `kwargs`: their arguments, such as size."""
    table = {}
    for name in names:
        if name.startswith('efficientnet'):  # installed with a package
            table[name] = names[name]
            continue
        args = dict(kwargs)
        func = BUILD_FUNCTIONS.get(name, classifier)
        if func is classifier:
            args['index'] = int(name.split('-')[2])
        table[name] = (StandIn(func, tuple(args.items())),)
    return table
