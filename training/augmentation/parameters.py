"""Random parameters of transforms, one per image, each of which stays neutral unless a gate lets it pass."""

import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.tflib.ops.shapes import dims


def gate_augment_params(probability, params, disabled_val):
    """Keep each row of `params` [B,...] with a probability; replace the others by `disabled_val`.

    All values of an image pass or are replaced together. `disabled_val` broadcasts to the shape of `params`.
    """
    shape = dims(params)
    passes = tflib.random.uniform(shape[:1], 0, 1) < probability
    passes = tf.reshape(passes, [-1] + [1] * (len(shape) - 1))  # [B] -> [B,1,...]
    return tf.where_v2(passes, params, tf.cast(disabled_val, params.dtype))


class Draws:
    """Draws the parameters of a minibatch.

    count: number of images, an int or a tensor []. strength: scales the multipliers to probabilities.
    percentile: None, or a number in [0, 1), or a tensor that broadcasts to [B] and [B,2]. Then each parameter
    is this quantile of its distribution, whatever the strength. As published, quantiles of normal
    distributions lack a factor sqrt(2).
    """

    def __init__(self, count, strength, percentile):
        self._count = count
        self._strength = tf.convert_to_tensor(strength, tf.float32)
        self._percentile = percentile

    def probability(self, multiplier):
        """Return `multiplier` times the strength, which may exceed 1."""
        return multiplier * self._strength

    def gated(self, probability, value, neutral, at_percentile):
        """Let `value` [B,...] pass with a probability. `at_percentile`: function of q, the value to debug."""
        value = gate_augment_params(probability, value, neutral)
        return self.at(at_percentile, value)

    def at(self, function, value):
        """Return `value`, or function(percentile) in its shape where there is a percentile."""
        if self._percentile is None:
            return value
        return tf.zeros_like(value) + function(tf.cast(self._percentile, tf.float32))

    def choice(self, multiplier, count):
        """Draw integers below `count`, neutral 0. -> float32 [B]."""
        value = tf.floor(self._uniform(0, count))
        return self.gated(self.probability(multiplier), value, 0, lambda q: tf.floor(q * count))

    def uniform(self, probability, limit, shape=()):
        """Draw numbers in [-limit, limit), neutral 0. -> [B,*shape]."""
        value = self._uniform(-limit, limit, shape)
        return self.gated(probability, value, 0, lambda q: (2 * q - 1) * limit)

    def normal(self, multiplier, std, shape=()):
        """Draw normal numbers, neutral 0. -> [B,*shape]."""
        value = tflib.random.normal([self._count, *shape], 0, std)
        return self.gated(self.probability(multiplier), value, 0, lambda q: _quantile(q) * std)

    def magnitude(self, multiplier, std):
        """Draw absolute values of normal numbers, neutral 0. -> [B]."""
        value = tf.abs(tflib.random.normal([self._count], 0, std))
        return self.gated(self.probability(multiplier), value, 0, lambda q: tflib.erfinv(q) * std)

    def factor(self, multiplier, std):
        """Draw powers of two with normal exponents, neutral 1 even at a percentile if the multiplier is 0.
        -> [B]."""
        value = 2 ** tflib.random.normal([self._count], 0, std)
        return self.gated(self.probability(multiplier), value, 1,
                          lambda q: 2 ** (_quantile(q) * std) if multiplier > 0 else 1.0)

    def place(self):
        """Draw points of the unit square, always. -> [B,2]."""
        return self.at(lambda q: q, self._uniform(0, 1, [2]))

    def constant(self, multiplier, value, shape=()):
        """Return `value` where the gate lets it pass, else 0. -> [B,*shape]."""
        value = tf.fill([self._count, *shape], float(value))
        return self.gated(self.probability(multiplier), value, 0, lambda q: value)

    def _uniform(self, low, high, shape=()):
        return tflib.random.uniform([self._count, *shape], low, high)


def _quantile(q):
    return tflib.erfinv(2 * q - 1)
