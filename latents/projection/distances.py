"""Distances between images that a projection can minimize, by name.

Each has two methods, so that what is known of the targets is computed once:

describe(images):   images [N,C,H,W], values 0 to 255 -> list of tensors [N,...].
between(a, b):      distances [N] between such lists.

All are 0 for equal images and about 0.5 for unrelated ones. The published learning rate and weight of the
noise penalty were chosen for LPIPS, and suit the others for that reason.
"""

import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.util import UserError
from metrics import sampling
from metrics.features import efficientnet_lite0, feature_networks

LPIPS_NETWORK = 'vgg16_zhang_perceptual'
_ADVICE = '--features=lite0 and --features=pixels do without this file'


class Lpips:
    """LPIPS (Zhang et al. 2018, https://arxiv.org/abs/1801.03924), by the published network file."""

    def __init__(self):
        self._net = feature_networks.load(LPIPS_NETWORK)

    @staticmethod
    def require():
        """Raise UserError unless the network can be loaded. Downloads it if necessary."""
        try:
            feature_networks.require([LPIPS_NETWORK])
        except UserError as error:
            raise UserError(f'--features=lpips: {error}; {_ADVICE}') from error

    def describe(self, images):
        """Return the images as RGB."""
        return [sampling.to_rgb(images)]

    def between(self, a, b):
        """Return LPIPS distances [N]."""
        sampling.check_input(self._net, a[0], '--features=lpips')
        return self._net.get_output_for(*a, *b)


class Lite0:
    """Differences of the feature maps of EfficientNet-Lite0, which has no weights learned for this purpose.

    As LPIPS does, it compares features of unit length at each place, and averages over places and layers.
    """

    def __init__(self):
        self._net = efficientnet_lite0.EfficientNetLite0()

    @staticmethod
    def require():
        """Raise UserError unless the weights are installed."""
        efficientnet_lite0.weights_path()

    def describe(self, images):
        """Return unit feature vectors, one tensor [N,H,W,F] or [N,F,H,W] per layer."""
        maps, self._axis = self._net.feature_maps(images)
        return [tf.math.l2_normalize(each, axis=self._axis, epsilon=1e-6) for each in maps]

    def between(self, a, b):
        """Return 1 minus the mean cosines [N] of the vectors."""
        cosines = [tf.reduce_mean(tf.reduce_sum(x * y, axis=self._axis), axis=[1, 2])
                   for x, y in zip(a, b, strict=True)]
        return 1 - tf.add_n(cosines) / len(cosines)


class Pixels:
    """Mean squared differences of pixels in the range -1 to 1, averaged over scales down to 8 pixels."""

    @staticmethod
    def require():
        """Accept every machine."""

    def describe(self, images):
        """Return the images at full size, a half, a quarter and so on."""
        scales = [images / 127.5]
        while min(scales[-1].shape.as_list()[2:]) > 8:
            scales.append(tflib.tfutil.shrink_images(scales[-1], 2))
        return scales

    def between(self, a, b):
        """Return mean squared differences [N]."""
        squares = [tf.reduce_mean(tf.square(x - y), axis=[1, 2, 3]) for x, y in zip(a, b, strict=True)]
        return tf.add_n(squares) / len(squares)


FEATURES = {'lpips': Lpips, 'lite0': Lite0, 'pixels': Pixels}
