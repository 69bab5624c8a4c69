"""The GPUs that TensorFlow can use, listed in this process."""

import tensorflow.compat.v1 as tf


def gpus():
    """Yield the name of each GPU."""
    for device in tf.config.list_physical_devices('GPU'):
        details = tf.config.experimental.get_device_details(device)
        yield dict(name=details.get('device_name', 'unknown GPU'))
