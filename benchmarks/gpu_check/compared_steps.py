"""One generator and one training step on two devices, from the same weights and noise."""

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.util import call_func_by_name
from training.dataset import SyntheticDataset
from training.settings.configs import config_settings

SEED = 7
MINIBATCH = 4
NOISE_STRENGTH = '/noise_strength'
# As for the golden figures: relative to the largest value of images, and to the norm of a gradient.
IMAGES_TOLERANCE, GRADIENTS_TOLERANCE = 1e-4, 1e-3


def compare(devices, image_resolution, step_resolution, **width):
    """Compute on two devices, TF32 off. Yields {name, error, allowed, where} for images and gradients."""
    tf.config.experimental.enable_tensor_float_32_execution(False)
    works = [('images of config F', _images, image_resolution, IMAGES_TOLERANCE),
             ('training step of G', _step_of_G, step_resolution, GRADIENTS_TOLERANCE),
             ('training step of D', _step_of_D, step_resolution, GRADIENTS_TOLERANCE)]
    for name, work, resolution, allowed in works:
        values = None
        outputs = []
        for device in devices:
            output, values = _computed(work, device, resolution, width, values)
            outputs.append(output)
        error, where = difference(*outputs)
        yield dict(name=f'{name}, {resolution}x{resolution}', error=error, allowed=allowed, where=where)


def difference(expected, actual):
    """Return the largest relative difference between two {name: array}, and the name where it is. Differences
    of gradients are relative to their norms, others to the largest value."""
    errors = {}
    for name, array in expected.items():
        off = np.asarray(actual[name], np.float64) - array
        size = np.linalg.norm if name.startswith('gradient') else lambda x: np.abs(x).max(initial=0)
        errors[name] = float(size(off) / max(size(array), 1e-6))
    where = max(errors, key=lambda name: np.inf if np.isnan(errors[name]) else errors[name])
    return errors[where], where


def _computed(work, device, resolution, width, values):
    """Build on a device and run. values: of all variables, None = as they are initialized.
    -> {name: array}, values."""
    settings = config_settings('config-f')
    shape = dict(num_channels=3, resolution=resolution, label_size=0)
    with tf.Graph().as_default(), tflib.create_session().as_default() as session:
        tf.set_random_seed(SEED)
        with tf.device(device), tflib.random.counted(SEED, tf.constant(0, tf.int64)):
            nets = [tflib.Network(name, **shape, **settings[f'{name}_args'], **width) for name in 'GD']
            outputs = work(*nets, settings)
        tflib.init_uninitialized_vars()
        variables = tf.global_variables()
        values = session.run(variables) if values is None else values
        tflib.set_vars(dict(zip(variables, values, strict=True)))
        found = session.run(outputs)
        session.close()
    return found, values


def _latents(G):
    return tf.constant(np.random.RandomState(SEED).randn(MINIBATCH, *G.input_shape[1:]), tf.float32)


def _images(G, D, settings):
    images = G.get_output_for(_latents(G), tf.zeros([MINIBATCH, 0]), randomize_noise=True)
    return {'images': images, 'scores': D.get_output_for(images, tf.zeros([MINIBATCH, 0]))}


def _step_of_G(G, D, settings):
    return _step(settings['G_loss_args'], G, G=G, D=D)


def _step_of_D(G, D, settings):
    reals = np.random.RandomState(SEED).uniform(-1, 1, [MINIBATCH, *G.output_shape[1:]])
    return _step(settings['D_loss_args'], D, G=G, D=D, reals=tf.constant(reals, tf.float32),
                 labels=tf.zeros([MINIBATCH, 0]))


def _step(loss_args, trained, **kwargs):
    """Return the loss with its regularizer, and their gradients by all weights of a network."""
    data = SyntheticDataset(resolution=trained.static_kwargs.resolution)
    loss, reg = call_func_by_name(**loss_args, **kwargs, opt=tflib.Optimizer(), training_set=data,
                                  minibatch_size=MINIBATCH)
    total = tf.reduce_mean(loss) + tf.reduce_mean(reg)
    gradients = zip(trained.trainables, tf.gradients(total, list(trained.trainables.values())), strict=True)
    return {'loss': loss, 'regularizer': reg, **_together({name: each for name, each in gradients
                                                           if each is not None})}


def _together(gradients):
    """Name the gradients, those of all noise strengths as one vector.

    Each of these is a single number, the sum of a product over all pixels and feature maps. Its terms cancel,
    while their rounding errors do not, so that a healthy device can be far off in relation to one that
    happens to be small. Their norm as a vector depends less on such chance.
    """
    strengths = [each for name, each in gradients.items() if name.endswith(NOISE_STRENGTH)]
    found = {f'gradient of {name}': each for name, each in gradients.items()
             if not name.endswith(NOISE_STRENGTH)}
    return {**found, 'gradient of all noise strengths': tf.stack(strengths)} if strengths else found
