"""Sums over devices by TensorFlow's collective ops, which use NCCL between GPUs."""

import itertools
import math
import zlib

import tensorflow.compat.v1 as tf

from dnnlib.tflib import tfutil

# TensorFlow's resolver of collectives uses NCCL for GPUs if it is told to, by this or for the whole session.
# 'auto' means its own ring, within a process, too; CPUs have nothing else. NCCL's calls have to begin in the
# same order on all GPUs, which `collective_nccl` of a session sees to: there is one sum in a session call.
_HINT = 'nccl'

# Identifies each collective. Processes that build the same graphs in the same order agree on the numbers.
_instance_keys = itertools.count(1)


def all_reduce_sum(tensors_by_device, device_names, group=None) -> list:
    """Sum lists of tensors elementwise over devices, in one collective.

    `tensors_by_device`: a list of tensors per device, of one dtype, with the same static shapes on every
    device. `device_names`: where they are and where the sums go, as `is_collective` takes them. `group`: all
    participating devices, including those of other processes; None = `device_names`.
    -> a list of sums per device, bit-for-bit identical.

    A collective waits for its whole group: the same session call must evaluate the sums of all devices, and
    they must not be inside a conditional. An error on one device ends the call on all, and the session cannot
    sum any more. All processes build their collectives in the same order.
    """
    group = device_names if group is None else group
    assert len(set(group)) == len(group) and set(device_names) <= set(group)
    key = next(_instance_keys)
    sums = []
    for tensors, name in zip(tensors_by_device, device_names, strict=True):
        with tf.device(name):
            packed = tf.concat([tf.reshape(tensor, [-1]) for tensor in tensors], axis=0)  # [elements of all]
            sums.append(_unpack(_reduce(packed, group, key), tensors))
    return sums


def is_collective(device_names) -> bool:
    """Return whether these names, such as '/device:CPU:1', mean different devices of the default session.

    Otherwise, as with GPUs that soft placement maps to the same CPU, a collective would wait forever.
    """
    there = [device.name for device in tfutil.default_session().list_devices()]
    matches = [[device for device in there if device.endswith(name)] for name in device_names]
    return all(len(match) == 1 for match in matches) and len(set(sum(matches, []))) == len(matches)


def _reduce(tensor, group, instance_key):
    # A positive int32 that identifies the set of devices, the same one in every process.
    group_key = zlib.crc32(' '.join(sorted(group)).encode()) & 0x7fffffff
    return tf.raw_ops.CollectiveReduce(
        input=tensor, group_size=len(group), group_key=group_key, instance_key=instance_key,
        merge_op='Add', final_op='Id', subdiv_offsets=[0], communication_hint=_HINT)


def _unpack(packed, like):
    """Split [elements of all] into tensors with the shapes of `like`."""
    shapes = [tfutil.shape_to_list(tensor.shape) for tensor in like]
    parts = tf.split(packed, [math.prod(shape) for shape in shapes])
    return [tf.reshape(part, shape) for part, shape in zip(parts, shapes, strict=True)]
