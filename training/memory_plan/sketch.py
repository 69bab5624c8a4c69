"""An optimizer that does not update anything: half of a training's ops are in the updates."""

import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib

# Ops of an update for each variable in each step; more if gradients are accumulated. Counted.
OPS, OPS_OF_SUMS = 11, 21


class SketchedOptimizer(tflib.Optimizer):
    """Keeps all gradients until the last one is there, as an update does, and makes no variables.

    What the real one holds, two moments of each variable and the sum of its gradients, follows from those.
    """

    def _apply(self, device, gradients, scale):
        with tf.control_dependencies(tf.identity_n(gradients)):
            return True, tf.constant(True), []

    def num_ops(self):
        """Return the number of ops of the updates that are left out."""
        count = sum(len(device.gradients) for device in self._devices.values())
        return count * (OPS + (0 if self.minibatch_multiplier is None else OPS_OF_SUMS))

    def trained(self):
        """Return the variables that are updated."""
        return [var for device in self._devices.values() for var in device.gradients]


def moments(optimizers):
    """Return the variables that Adam keeps two moments of. Optimizers that share them train the same."""
    return {var for opt in optimizers for var in opt.trained()}


def sums(optimizers):
    """Return the variables whose gradients are accumulated, one for each sum."""
    return [var for opt in optimizers if opt.minibatch_multiplier is not None for var in opt.trained()]
