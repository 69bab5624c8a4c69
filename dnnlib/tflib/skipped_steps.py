"""Counts the steps that an optimizer leaves out because their gradients are not finite."""

import numpy as np
import tensorflow.compat.v1 as tf


class SkippedSteps:
    """Two counters, in variables: all such steps, and those in a row up to now. int64."""

    def __init__(self):
        with tf.device('/cpu:0'), tf.control_dependencies(None), tf.name_scope('SkippedSteps'):
            self.total = tf.Variable(np.int64(0), trainable=False, name='total')
            self.in_a_row = tf.Variable(np.int64(0), trainable=False, name='in_a_row')

    def count(self, complete, updated):
        """Op that counts a step. complete: was this evaluation to make one? updated: did it? Both bool []."""
        with tf.device('/cpu:0'):
            skipped = tf.cast(tf.logical_and(complete, tf.logical_not(updated)), tf.int64)
            in_a_row = tf.where_v2(updated, tf.zeros([], tf.int64), self.in_a_row + skipped)
            return tf.group(tf.assign_add(self.total, skipped), tf.assign(self.in_a_row, in_a_row))
