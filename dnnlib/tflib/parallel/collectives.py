"""Sums over devices through TensorFlow's collective ops, which take NCCL between GPUs."""

import itertools
import math
import zlib

import tensorflow.compat.v1 as tf

from dnnlib.tflib import tfutil

# Names each collective of this process. It counts, so that processes which build the same graphs in the same
# order agree on the names.
_instance_keys = itertools.count(1)


def all_reduce_sum(tensors_by_device, device_names, group=None) -> list:
    """Sum lists of tensors elementwise over devices, in one collective.

    `tensors_by_device`: a list of tensors per device, all of one dtype, with the same static shapes on every
    device. `device_names`: where they are and where the sums go, spelled as `is_collective` takes them.
    `group`: names of all devices that take part, in other processes too; None = `device_names`.
    -> a list of sums per device, equal in every bit.

    A collective waits for its whole group: what one device needs of the result, each of the others has to ask
    for in the same session call, and nothing may be inside a conditional. An error on one device ends the
    call on all, and the session sums no more. Every process builds its collectives in the same order.
    """
    group = device_names if group is None else group
    assert len(set(group)) == len(group) and set(device_names) <= set(group)
    key = next(_instance_keys)
    sums = []
    for tensors, name in zip(tensors_by_device, device_names, strict=True):
        with tf.device(name):
            sums.append(_unpack(_reduce(_pack(tensors), group, key), tensors))
    return sums


def is_collective(device_names) -> bool:
    """Does each of these names, such as '/device:CPU:1', mean one device of the default session of its own?

    Where not, as with GPUs that soft placement turns into the same CPU, collectives would wait for ever.
    """
    there = [device.name for device in tfutil.default_session().list_devices()]
    matches = [[device for device in there if device.endswith(name)] for name in device_names]
    return all(len(match) == 1 for match in matches) and len(set(sum(matches, []))) == len(matches)


def _reduce(tensor, group, instance_key):
    # Between processes, GPUs are not taken to have NCCL unless one says so; CPUs ignore it.
    hint = 'nccl' if any('/job:' in name for name in group) else 'auto'
    return tf.raw_ops.CollectiveReduce(
        input=tensor, group_size=len(group), group_key=_group_key(group), instance_key=instance_key,
        merge_op='Add', final_op='Id', subdiv_offsets=[0], communication_hint=hint)


def _group_key(group):
    """Positive int32 that stands for a set of devices, the same one in every process."""
    return zlib.crc32(' '.join(sorted(group)).encode()) & 0x7fffffff


def _pack(tensors):
    """Tensors of any shapes -> one of shape [elements of all]."""
    return tf.concat([tf.reshape(tensor, [-1]) for tensor in tensors], axis=0)


def _unpack(packed, like):
    """[elements of all] -> tensors with the shapes of `like`."""
    shapes = [tfutil.shape_to_list(tensor.shape) for tensor in like]
    parts = tf.split(packed, [math.prod(shape) for shape in shapes])
    return [tf.reshape(part, shape) for part, shape in zip(parts, shapes, strict=True)]
