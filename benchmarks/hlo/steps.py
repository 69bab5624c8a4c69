"""The steps that are exported: generation and training of config F in the form for GPUs."""

import contextlib
from dataclasses import dataclass

import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from benchmarks import training
from benchmarks.hlo.functions import PureFunction
from dnnlib.tflib import xla
from dnnlib.tflib.inference import inference
from dnnlib.tflib.ops.conv2d import assumed_layout
from training.dataset import SyntheticDataset
from training.settings import precision
from training.settings.configs import config_settings

TRAINING = {'G': 'G_train', 'D': 'D_train', 'G-reg': 'G_reg', 'D-reg': 'D_reg'}  # names -> of TrainGraph
RUNS_PER_MINIBATCH = {'G': 1, 'D': 1, 'G-reg': 1 / training.G_REG_INTERVAL,
                      'D-reg': 1 / training.D_REG_INTERVAL}
GENERATION = 'generate'
SEED = 1000


@dataclass(frozen=True)
class Size:
    """The networks, and how many images they process at a time."""
    resolution: int
    minibatch: int
    fmap_base: int = 16 << 10
    fmap_max: int = 512

    @property
    def width(self):
        return dict(fmap_base=self.fmap_base, fmap_max=self.fmap_max)


def settings_for(is_mixed):
    """Return the settings of config F with --precision=mixed or float32."""
    return precision.in_settings(config_settings('config-f'), 'mixed' if is_mixed else 'float32', 'config-f')


def build(name, size, is_mixed=False):
    """Build a step of this name in a graph of its own. -> PureFunction, {name of a variable: its value}.

    name: 'generate', or a key of TRAINING.
    """
    with built_for_xla(), tf.Graph().as_default(), tflib.create_session(), assumed_layout('NCHW'):
        fetches, known, name = (_generation if name == GENERATION else _step(name))(size, is_mixed)
        function = PureFunction(fetches, name, known)
        variables = [item.variable for item in function.inputs if item.variable is not None]
        return function, dict(zip((var.op.name for var in variables), tflib.run(variables), strict=True))


@contextlib.contextmanager
def built_for_xla():
    """Build graphs in this context in the form that XLA can compile."""
    was_enabled = xla.is_enabled()
    xla.enable()
    try:
        yield
    finally:
        if not was_enabled:
            xla.disable()


def _generation(size, is_mixed):
    G = training.networks(size.resolution, 3, size.width, settings_for(is_mixed))[0]
    step = tf.placeholder(tf.int64, [], 'Inputs/step_in')
    latents = tf.placeholder(tf.float32, [size.minibatch, *G.input_shape[1:]], 'Inputs/latents_in')
    labels = tf.zeros([size.minibatch, 0])
    with inference(), tflib.random.counted(SEED, step):
        images = G.get_output_for(latents, labels, randomize_noise=True)
    return [images], {}, 'images'


def _step(name):
    def build_step(size, is_mixed):
        training_set = SyntheticDataset(resolution=size.resolution, num_channels=3)
        _, _, graph, feed = training.build(
            training_set, **size.width, minibatch=size.minibatch, seed=SEED,
            settings=settings_for(is_mixed))
        inputs = graph.inputs
        known = {tensor: feed[tensor] for tensor in (inputs.lod, inputs.minibatch_size, inputs.minibatch_gpu)}
        return [getattr(graph, TRAINING[name])], known, 'done'
    return build_step
