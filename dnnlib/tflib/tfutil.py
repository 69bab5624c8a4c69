"""Sessions, variables and small expressions, used by everything else in tflib."""

import os
from collections.abc import MutableMapping
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

from dnnlib.util import UserError

TfExpression = tf.Tensor | tf.Variable | tf.Operation
TfExpressionEx = TfExpression | int | float | np.ndarray

__all__ = [
    'TfExpression', 'TfExpressionEx', 'run', 'is_tf_expression', 'shape_to_list', 'flatten', 'log2', 'exp2',
    'lerp', 'lerp_clip', 'absolute_name_scope', 'absolute_variable_scope', 'init_tf', 'assert_tf_initialized',
    'create_session', 'device', 'device_config', 'init_uninitialized_vars', 'set_vars',
    'create_var_with_large_initial_value', 'convert_images_from_uint8', 'convert_images_to_uint8', 'erfinv',
]

DEFAULT_CONFIG = {
    'rnd.np_random_seed': None,               # Seed of NumPy's global generator; None = unchanged.
    'rnd.tf_random_seed': 'auto',             # Graph seed; 'auto' = drawn from NumPy, None = unchanged.
    'env.TF_CPP_MIN_LOG_LEVEL': '1',          # 0 = everything, 1 = no infos, 2 = no warnings, 3 = no errors.
    'graph_options.place_pruned_graph': True, # Place only the ops that a call needs.
    'gpu_options.allow_growth': True,         # Allocate GPU memory as needed.
    'allow_soft_placement': True,             # Without a GPU, '/gpu:0' means the CPU.
}


def run(*args, **kwargs) -> Any:
    """Run operations or fetch tensors in the default session. Raises RuntimeError before `init_tf()`."""
    return default_session().run(*args, **kwargs)


def is_tf_expression(x: Any) -> bool:
    """Return whether `x` is a TensorFlow tensor, variable or operation."""
    return isinstance(x, (tf.Tensor, tf.Variable, tf.Operation))


def shape_to_list(shape) -> list:
    """Return a static shape as a list of int, None for unknown sizes."""
    return tf.TensorShape(shape).as_list()


def flatten(x):
    """Reshape `x` to one dimension."""
    with tf.name_scope('Flatten'):
        return tf.reshape(x, [-1])


def log2(x):
    """Return the logarithm to base 2, elementwise."""
    with tf.name_scope('Log2'):
        return tf.log(x) * np.float32(1.0 / np.log(2.0))


def exp2(x):
    """Return 2 to the power of x, elementwise."""
    with tf.name_scope('Exp2'):
        return tf.exp(x * np.float32(np.log(2.0)))


def lerp(a, b, t):
    """Interpolate linearly from a (t = 0) to b (t = 1)."""
    with tf.name_scope('Lerp'):
        return a + (b - a) * t


def lerp_clip(a, b, t):
    """Interpolate linearly from a to b, with t clipped to [0, 1]."""
    with tf.name_scope('LerpClip'):
        return a + (b - a) * tf.clip_by_value(t, 0.0, 1.0)


def erfinv(y):
    """Return the inverse error function, elementwise."""
    with tf.name_scope('ErfInv'):
        return tf.math.erfinv(y)


def absolute_name_scope(scope: str):
    """Return the name scope of exactly this name, wherever it is entered."""
    return tf.name_scope(scope + '/')


def absolute_variable_scope(scope: str, reuse=None, **kwargs):
    """Return the variable scope of exactly this name, without a name scope. `kwargs`: of tf.VariableScope."""
    return tf.variable_scope(tf.VariableScope(reuse, name=scope, **kwargs), auxiliary_name_scope=False)


def device(index: int):
    """Return the device context of a GPU or, without GPUs, of a CPU device."""
    return tf.device(f'/{"gpu" if tf.config.list_physical_devices("GPU") else "cpu"}:{index}')


def device_config(num_devices: int) -> dict:
    """Return settings for `init_tf` that make `device(0)` to `device(num_devices - 1)` different devices.

    Without GPUs these are virtual CPU devices, which share the processor. Raises UserError for more devices
    than GPUs.
    """
    num_gpus = len(tf.config.list_physical_devices('GPU'))
    if 0 < num_gpus < num_devices:
        raise UserError(f'--num-gpus={num_devices}: the number of GPUs of this machine is {num_gpus}; '
                        f'use at most {num_gpus}')
    return {} if num_gpus > 0 or num_devices == 1 else {'device_count.CPU': num_devices}


def _merged_config(config_dict):
    """Merge `config_dict` over the defaults, which do not override environment variables that are set."""
    config = {key: value for key, value in DEFAULT_CONFIG.items()
              if not (key.startswith('env.') and key.split('.', 1)[1] in os.environ)}
    return {**config, **(config_dict or {})}


def init_tf(config_dict: dict | None = None, target: str = '') -> None:
    """Set the seeds and the environment, and install a default session unless there is one.

    `config_dict` has dotted keys: 'rnd.np_random_seed', 'rnd.tf_random_seed', 'env.<NAME>' and any field of
    tf.ConfigProto, such as 'gpu_options.allow_growth' or, in a map, 'device_count.CPU'. `target`: address of
    a TensorFlow server; '' = none.
    """
    if tf.get_default_session() is not None:
        return
    config = _merged_config(config_dict)
    if config['rnd.np_random_seed'] is not None:
        np.random.seed(config['rnd.np_random_seed'])
    tf_seed = config['rnd.tf_random_seed']
    if tf_seed == 'auto':
        tf_seed = np.random.randint(1 << 31)
    if tf_seed is not None:
        tf.set_random_seed(tf_seed)
    for key, value in config.items():
        if key.startswith('env.'):
            _, name = key.split('.')
            os.environ[name] = str(value)
    create_session(config, force_as_default=True, target=target)


def default_session() -> tf.Session:
    """Return the default session. Raises RuntimeError before `init_tf()`."""
    session = tf.get_default_session()
    if session is None:
        raise RuntimeError('No default TensorFlow session found. Please call dnnlib.tflib.init_tf().')
    return session


def assert_tf_initialized() -> None:
    """Raise RuntimeError before `init_tf()`."""
    default_session()


def session_config(config_dict: dict | None = None) -> tf.ConfigProto:
    """Return the settings of a session, configured as in `init_tf`."""
    proto = tf.ConfigProto()
    for key, value in _merged_config(config_dict).items():
        *path, field = key.split('.')
        if path and path[0] in ('rnd', 'env'):
            continue
        owner = proto
        for part in path:
            owner = getattr(owner, part)
        if isinstance(owner, MutableMapping):
            owner[field] = value
        elif isinstance(value, list):
            getattr(owner, field).extend(value)
        else:
            setattr(owner, field, value)
    return proto


def create_session(config_dict: dict | None = None, force_as_default: bool = False,
                   target: str = '') -> tf.Session:
    """Create a session for the default graph, configured as in `init_tf` except for seeds and environment."""
    session = tf.Session(target, config=session_config(config_dict))
    if force_as_default:
        session.kept_default = session.as_default()  # a context without a reference would exit at once
        session.kept_default.__enter__()
    return session


def _graph_tensor(name):
    """Return the tensor of this name, or None if the default graph has none."""
    try:
        return tf.get_default_graph().get_tensor_by_name(name)
    except KeyError:
        return None


def init_uninitialized_vars(target_vars: list | None = None) -> None:
    """Initialize the variables (default: all global ones) that have no value.

    Cheap to call often: each variable is checked only once.
    """
    assert_tf_initialized()
    checked, checks = [], []
    for var in tf.global_variables() if target_vars is None else target_vars:
        name = var.name.split(':')[0]
        # The check of a resource variable has another name than the one that it makes for itself.
        if all(_graph_tensor(f'{name}/{check}:0') is None
               for check in ('IsVariableInitialized', 'VarIsInitializedOp')):
            with absolute_name_scope(name), tf.control_dependencies(None):
                checks.append(tf.is_variable_initialized(var))
            checked.append(var)
    if checks:
        run([var.initializer for var, ready in zip(checked, run(checks), strict=True) if not ready])


def set_vars(var_to_value_dict: dict) -> None:
    """Assign NumPy values to variables in one session call, without adding constants to the graph.

    Raises ValueError for a wrong shape.
    """
    assert_tf_initialized()
    setters, feed_dict = [], {}
    for var, value in var_to_value_dict.items():
        name = var.name.split(':')[0]
        if _graph_tensor(name + '/new_value:0') is None:
            with absolute_name_scope(name), tf.control_dependencies(None):
                placeholder = tf.placeholder(var.dtype.base_dtype, shape=var.shape, name='new_value')
                tf.assign(var, placeholder, name='setter')
        setters.append(tf.get_default_graph().get_operation_by_name(name + '/setter'))
        feed_dict[name + '/new_value:0'] = value
    run(setters, feed_dict)


def set_initial_values(var_to_value_dict: dict) -> None:
    """Initialize variables with NumPy values instead of their own initial values, in one session call.

    Adds no operations unless variables share an initial value: networks load in a tenth of the time.
    """
    assert_tf_initialized()
    feed_dict = {var.initializer.inputs[1]: value for var, value in var_to_value_dict.items()}
    if len(feed_dict) < len(var_to_value_dict):
        set_vars(var_to_value_dict)
    else:
        run([var.initializer for var in var_to_value_dict], feed_dict)


def create_var_with_large_initial_value(initial_value: np.ndarray, *args, **kwargs) -> tf.Variable:
    """Create a variable with this value, which is fed and does not become a constant: a graph of more than
    2 GB cannot be stored.

    `args`, `kwargs`: of tf.Variable, after the initial value. If the initializer runs again, it sets zeros.
    Raises RuntimeError before `init_tf()`.
    """
    assert isinstance(initial_value, np.ndarray)
    session = default_session()
    shape, dtype = initial_value.shape, initial_value.dtype
    fed = tf.placeholder_with_default(tf.zeros(shape, dtype), shape)
    var = tf.Variable(fed, *args, **kwargs)
    session.run(var.initializer, {fed: initial_value})
    return var


def convert_images_from_uint8(images, drange=[-1, 1], nhwc_to_nchw=False):
    """Map levels 0 ... 255 linearly to `drange`: uint8 [N,C,H,W], or [N,H,W,C] with `nhwc_to_nchw`,
    -> float32 [N,C,H,W]."""
    if nhwc_to_nchw:
        images = tf.transpose(images, [0, 3, 1, 2])  # [N,H,W,C] -> [N,C,H,W], before bytes become floats
    low, high = drange
    step = (high - low) / 255
    return low + step * tf.cast(images, tf.float32)


def convert_images_to_uint8(images, drange=[-1, 1], nchw_to_nhwc=False, shrink=1, uint8_cast=True):
    """Map `drange` linearly to levels 0 ... 255, after averaging over blocks of `shrink` x `shrink` pixels.

    float [N,C,H,W] -> uint8 [N,C,H,W], or [N,H,W,C] with `nchw_to_nhwc`. Can be the `output_transform` of
    `Network.run`. With uint8_cast=False, as forks have it, the levels stay float32, which has gradients.
    """
    images = tf.cast(images, tf.float32)
    if shrink > 1:
        images = shrink_images(images, shrink)
    if nchw_to_nhwc:
        images = tf.transpose(images, [0, 2, 3, 1])
    scale = 255 / (drange[1] - drange[0])
    images = images * scale + (0.5 - drange[0] * scale)
    return tf.saturate_cast(images, tf.uint8) if uint8_cast else images


def shrink_images(images, factor: int):
    """Average blocks of `factor` x `factor` pixels of [N,C,H,W]; incomplete blocks are dropped."""
    size = [1, factor, factor, 1]
    images = tf.transpose(images, [0, 2, 3, 1])  # [N,C,H,W] -> [N,H,W,C]: CPUs pool only this layout
    images = tf.nn.avg_pool(images, ksize=size, strides=size, padding='VALID')
    return tf.transpose(images, [0, 3, 1, 2])
