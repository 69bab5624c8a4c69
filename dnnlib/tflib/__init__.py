"""TensorFlow 1 graph style on TensorFlow 2: sessions, networks, optimizers, summaries, ops.

Importing this package switches TensorFlow's v2 behaviour off before any graph exists: variable names, control
flow and shapes then follow the TF1 rules that the published networks and pickles rely on.
"""

import logging

# ruff: noqa: E402  (v2 is off before the modules below)
import tensorflow.compat.v1 as tf

logging.getLogger('tensorflow').setLevel(logging.ERROR)  # no deprecation notes for the graph-style API
tf.disable_v2_behavior()

from dnnlib.tflib import autosummary, custom_ops, network, optimizer, parallel, random, tfutil, xla
from dnnlib.tflib.custom_ops import get_plugin
from dnnlib.tflib.network import Network
from dnnlib.tflib.optimizer import Optimizer
from dnnlib.tflib.parallel import Cluster
from dnnlib.tflib.tfutil import *  # noqa: F403

__all__ = [
    'Cluster', 'Network', 'Optimizer', 'autosummary', 'custom_ops', 'get_plugin', 'network', 'optimizer',
    'parallel', 'random', 'tfutil', 'xla', *tfutil.__all__,
]
