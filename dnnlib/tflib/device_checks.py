"""Compute on every device of TensorFlow, check the results against NumPy, and measure the time.

`python -m dnnlib.tflib.device_checks` prints what it finds as lines of JSON, so that whoever started it, such
as `dnnlib.doctor`, has them even if TensorFlow ends the process. `check` is the same for one device and one
piece of work.
"""

import json
import re
import time

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.tf_environment import onednn_is_on
from dnnlib.tflib.ops.conv2d import conv2d

# Largest difference, in standard deviations of the result. TensorFloat-32 differs by about 2e-3.
TOLERANCES = {'float32': 3e-4, 'float16': 3e-2}
_ROUNDS = 3
_CHAIN = 4     # Results that are computed one after another at a time.
_SAMPLES = 64  # Rows of a matrix product that are compared.


class MatrixProduct:
    """x [n,n] times w [n,n]."""

    name = 'matrix product'

    def __init__(self, size: int):
        self.size = f'{size}x{size}'
        self.shapes = [size, size], [size, size]
        self.num_operations = 2 * size ** 3
        self._step = max(size // _SAMPLES - 1, 1)  # odd for powers of two: no tile's first row every time
        self._scale = size ** -0.5

    def inputs(self, random):
        """Return x and w, such that results are of the size of x."""
        x, w = (random.standard_normal(shape) for shape in self.shapes)
        return x, w * self._scale

    def apply(self, x, w):
        """Return the tensor of the result."""
        return tf.matmul(x, w)

    def sample(self, y):
        """Return the rows of a result that are compared."""
        return y[::self._step]

    def expected(self, x, w):
        """Return these rows, computed by NumPy in float64."""
        return x[::self._step] @ w


class Convolution:
    """3x3 convolution of x [n,c,r,r], by default in the layout of a GPU, with w [3,3,c,c]."""

    name = '3x3 convolution'

    def __init__(self, minibatch: int, fmaps: int, resolution: int, layout: str):
        self.size = f'{minibatch}x{fmaps}x{resolution}x{resolution}'
        image = [fmaps, resolution, resolution] if layout == 'NCHW' else [resolution, resolution, fmaps]
        self.shapes = [minibatch, *image], [3, 3, fmaps, fmaps]
        self.num_operations = 2 * minibatch * resolution ** 2 * 9 * fmaps ** 2
        self._layout = layout
        self._scale = (9 * fmaps) ** -0.5

    def inputs(self, random):
        """Return x and w, such that results are of the size of x."""
        x, w = (random.standard_normal(shape) for shape in self.shapes)
        return x, w * self._scale

    def apply(self, x, w):
        """Return the tensor of the result."""
        return conv2d(x, w, data_format=self._layout)

    def sample(self, y):
        """Return the last image of a result."""
        return y[-1]

    def expected(self, x, w):
        """Return this image, computed by NumPy in float64."""
        image = x[-1] if self._layout == 'NHWC' else x[-1].transpose(1, 2, 0)  # [R,R,C]
        height, width, _ = image.shape
        padded = np.pad(image, [[1, 1], [1, 1], [0, 0]])
        y = sum(padded[a:a + height, b:b + width] @ w[a, b] for a in range(3) for b in range(3))
        return y if self._layout == 'NHWC' else y.transpose(2, 0, 1)


def works_for(device_type: str) -> list:
    """Return what is computed on a device: enough to keep it busy, and a second at most on a CPU."""
    if device_type == 'GPU':
        return [MatrixProduct(4096), Convolution(16, 256, 64, 'NCHW')]
    return [MatrixProduct(1024), Convolution(4, 64, 64, 'NHWC')]


def precisions_for(device_type: str) -> tuple[str, ...]:
    """Return the types of numbers that are tried on a device."""
    return ('float32', 'float16') if device_type == 'GPU' else ('float32',)


def check(device: str, work, precision: str, config: dict | None = None) -> dict:
    """Compute on one device, such as '/device:GPU:0'. config: of the session, as for `tflib.init_tf`.

    -> {'device', 'work', 'size', 'precision', 'seconds', 'operations_per_second', 'error', 'tolerance', 'ok',
    'message'}. If the device fails, `ok` is False, `message` says how, and the numbers are None.
    """
    facts = {'device': device, 'work': work.name, 'size': work.size, 'precision': precision,
             'seconds': None, 'operations_per_second': None, 'error': None,
             'tolerance': TOLERANCES[precision], 'ok': False, 'message': None}
    x, w = (value.astype(precision) for value in work.inputs(np.random.RandomState(1)))
    # Without soft placement the CPU cannot take over in silence.
    config = {'rnd.tf_random_seed': None, 'allow_soft_placement': False, **(config or {})}
    try:
        with tf.Graph().as_default(), tflib.create_session(config) as session:
            actual, seconds = _computed(session, device, work, x, w)
    except tf.errors.OpError as error:
        return {**facts, 'message': f'{type(error).__name__}: {_cause(error.message)}'}
    expected = work.expected(x.astype(np.float64), w.astype(np.float64))
    error = float(np.max(np.abs(work.sample(actual) - expected)) / np.std(expected))
    return {**facts, 'seconds': seconds, 'operations_per_second': work.num_operations / seconds,
            'error': error if np.isfinite(error) else None, 'ok': bool(error <= TOLERANCES[precision])}


def _computed(session, device, work, x, w):
    """Return the result of a piece of work and the seconds that one takes, without transfers."""
    with tf.device(device):
        values = [tf.placeholder(value.dtype, value.shape) for value in (x, w)]
        x_var, w_var = (tf.Variable(value, trainable=False) for value in values)
        weights = w_var.read_value()
        results = [work.apply(x_var.read_value(), weights)]
        for _ in range(_CHAIN - 1):
            results.append(work.apply(results[-1], weights))
    session.run([x_var.initializer, w_var.initializer], dict(zip(values, (x, w), strict=True)))
    actual = session.run(results[0])
    seconds = []
    for _ in range(1 + _ROUNDS):  # the first one chooses kernels
        start = time.perf_counter()
        session.run(results[-1].op)
        seconds.append((time.perf_counter() - start) / _CHAIN)
    return actual, min(seconds[1:])


def _cause(message):
    """Return the line that says what went wrong; where the graph was built may precede it."""
    cause = re.split(r'^Node: .*$', message, flags=re.MULTILINE)[-1]
    return next((line.strip() for line in cause.splitlines() if line.strip()), 'no reason given')


def devices() -> list[dict]:
    """Return the devices of TensorFlow: [{'name', 'type', 'model', 'compute_capability', 'memory_bytes'}]."""
    physical = [tf.config.experimental.get_device_details(gpu)
                for gpu in tf.config.list_physical_devices('GPU')]
    with tf.Graph().as_default(), tflib.create_session() as session:
        listed = [each for each in session.list_devices() if each.device_type in ('CPU', 'GPU')]
    found = []
    for each in listed:
        name = each.name.partition('/device:')[2]
        index = int(name.rpartition(':')[2])
        details = physical[index] if each.device_type == 'GPU' and index < len(physical) else {}
        capability = details.get('compute_capability')
        found.append({'name': name, 'type': each.device_type, 'model': details.get('device_name'),
                      'compute_capability': capability and '.'.join(map(str, capability)),
                      'memory_bytes': each.memory_limit_bytes if each.device_type == 'GPU' else None})
    return found


def _tell(kind, **facts):
    print(json.dumps({'kind': kind, **facts}), flush=True)


def main() -> None:
    """Print what TensorFlow is, which devices it has and what they compute, as lines of JSON."""
    build = {key: list(value) if isinstance(value, (list, tuple)) else value
             for key, value in tf.sysconfig.get_build_info().items()}
    _tell('tensorflow', version=tf.__version__, build=build, onednn=onednn_is_on())
    _tell('stage', text='Looking for devices')
    found = devices()
    _tell('devices', devices=found)
    tf.config.experimental.enable_tensor_float_32_execution(False)
    for device in found:
        for precision in precisions_for(device['type']):
            _tell('stage', text=f'Computing on {device["name"]} in {precision}')
            _tell('checks', checks=[{**check(f'/device:{device["name"]}', work, precision),
                                     'device': device['name']} for work in works_for(device['type'])])
    _tell('done')


if __name__ == '__main__':
    main()
