"""Homogeneous matrices, one per image: transforms of the plane [B,3,3] and of colours [B,4,4].

Arguments are numbers or tensors [B]. Where all are numbers, the result has B = 1 and broadcasts.
"""

import tensorflow.compat.v1 as tf


def construct_batch_of_matrices(*rows):
    """Build matrices from rows of numbers and tensors [B] of one length. -> float32 [B,rows,columns]."""
    entries = [tf.convert_to_tensor(entry, tf.float32) for row in rows for entry in row]
    if any(entry.shape.rank > 1 for entry in entries):
        raise ValueError('entries of a batch of matrices have rank 0 or 1')
    vectors = [entry for entry in entries if entry.shape.rank == 1]
    if not vectors:
        return tf.reshape(tf.stack(entries), [1, len(rows), -1])
    zeros = tf.zeros_like(vectors[0])
    flat = tf.stack([entry if entry.shape.rank else entry + zeros for entry in entries], axis=1)
    return tf.reshape(flat, [-1, len(rows), len(rows[0])])  # [B,rows*columns] -> [B,rows,columns]


def translate_2d(tx, ty):
    """Return matrices that move points by (tx, ty)."""
    return construct_batch_of_matrices([1, 0, tx], [0, 1, ty], [0, 0, 1])


def scale_2d(sx, sy):
    """Return matrices that scale about the origin."""
    return construct_batch_of_matrices([sx, 0, 0], [0, sy, 0], [0, 0, 1])


def rotate_2d(theta):
    """Return matrices that rotate about the origin by `theta` radians, from x towards y."""
    cos, sin = tf.cos(theta), tf.sin(theta)
    return construct_batch_of_matrices([cos, -sin, 0], [sin, cos, 0], [0, 0, 1])


def translate_3d(tx, ty, tz):
    """Return matrices that move points by (tx, ty, tz)."""
    return construct_batch_of_matrices([1, 0, 0, tx], [0, 1, 0, ty], [0, 0, 1, tz], [0, 0, 0, 1])


def scale_3d(sx, sy, sz):
    """Return matrices that scale about the origin."""
    return construct_batch_of_matrices([sx, 0, 0, 0], [0, sy, 0, 0], [0, 0, sz, 0], [0, 0, 0, 1])


def rotate_3d(v, theta):
    """Return matrices that rotate by `theta` radians around the unit vector in the first three entries of the
    last axis of v (Rodrigues' formula)."""
    x, y, z = (v[..., index] for index in range(3))
    cos, sin = tf.cos(theta), tf.sin(theta)
    rest = 1 - cos
    return construct_batch_of_matrices(
        [x * x * rest + cos, x * y * rest - z * sin, x * z * rest + y * sin, 0],
        [y * x * rest + z * sin, y * y * rest + cos, y * z * rest - x * sin, 0],
        [z * x * rest - y * sin, z * y * rest + x * sin, z * z * rest + cos, 0],
        [0, 0, 0, 1])


def translate_2d_inv(tx, ty):
    """Return the inverse of `translate_2d`."""
    return translate_2d(-tx, -ty)


def scale_2d_inv(sx, sy):
    """Return the inverse of `scale_2d`."""
    return scale_2d(1 / sx, 1 / sy)


def rotate_2d_inv(theta):
    """Return the inverse of `rotate_2d`."""
    return rotate_2d(-theta)
