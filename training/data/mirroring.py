"""Mirrors images at random in the graph."""

import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib


def mirror_at_random(images):
    """Mirror each image of [N,C,H,W] with probability 0.5, drawn anew at every evaluation."""
    with tf.name_scope('Mirror'):
        keep = tflib.random.uniform([tf.shape(images)[0]], 0.0, 1.0) < 0.5  # [N]
        return tf.where(keep, images, tf.reverse(images, axis=[3]))
