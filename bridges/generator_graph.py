"""The graph of a generator alone, with its variables and without all else that a network keeps."""

import contextlib
import inspect

import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.tflib.ops.conv2d import assumed_layout
from training.layers.styles import truncate
from training.layers.synthesis_inputs import given_noise


@contextlib.contextmanager
def alone(Gs, layout, noise_of=lambda layer, stored, dlatents: stored):
    """Build the GeneratorGraph of a generator in a graph and a session of their own, the default ones in this
    context.

    layout: 'NCHW' or 'NHWC', of feature maps. noise_of: function from the number of a layer, its stored noise
    [1,1,H,W] and the dlatents to the noise of that layer, [1,1,H,W] or [N,1,H,W].
    """
    values = dict(zip(Gs.vars, tflib.run(list(Gs.vars.values())), strict=True))
    with tf.Graph().as_default(), tflib.create_session(), assumed_layout(layout):
        yield GeneratorGraph(Gs, values, noise_of)


def truncation_cutoff(Gs):
    """Return how many layers of the dlatents a generator truncates; None = all, which StyleGAN reads as none.
    """
    default = inspect.signature(Gs._build_func).parameters['truncation_cutoff'].default
    cutoff = Gs.static_kwargs.get('truncation_cutoff', default)
    return 0 if cutoff is None and Gs._build_func_name == 'G_style' else cutoff


class GeneratorGraph:
    """The tensors of a generator, built in the default graph for minibatches of any size.

    inputs    {name: placeholder}: latents [N,latent_size], labels [N,label_size] if there are any, and
              truncation_psi [] if there are dlatents.
    dlatents  [N,layers,dlatent_size], truncated, for which others can be fed; None for Progressive GAN.
    images    float32 [N,C,H,W].

    The level of detail is that of the network, all is float32, and noise does not change by itself.
    """

    def __init__(self, Gs, values, noise_of):
        """Create the variables with these values and build the graph; see `alone`."""
        self._Gs, self._noise_of = Gs, noise_of
        self._create_variables(values)
        grows = 'lod' in Gs.components.get('synthesis', Gs).vars
        self._growth = {'structure': 'fixed' if values['lod'] == 0 else 'linear'} if grows else {}
        latent_size, label_size = (shape[1] for shape in Gs.input_shapes)
        self.inputs = {'latents': tf.placeholder(tf.float32, [None, latent_size], 'latents')}
        if label_size > 0:
            self.inputs['labels'] = tf.placeholder(tf.float32, [None, label_size], 'labels')
        images = self._styled_images() if 'mapping' in Gs.components else self._images_of_progan()
        self.images = tf.identity(images, name='images')

    def _create_variables(self, values):
        """Create the variables under their names, where `get_output_for` finds them."""
        initial = {}
        for name, var in self._Gs.vars.items():
            value = values['lod'] if name.endswith('/lod') else values[name]
            fed = tf.placeholder(tf.float32, value.shape)
            tf.get_variable(var.op.name, initializer=fed, trainable=var.trainable, use_resource=True)
            initial[fed] = value
        tflib.run(tf.global_variables_initializer(), initial)

    def _labels(self):
        """Return the labels [N,label_size]; without labels, an empty row for each of the latents."""
        return self.inputs.get('labels', self.inputs['latents'][:, :0])

    def _styled_images(self):
        mapping, synthesis = self._Gs.components.mapping, self._Gs.components.synthesis
        psi = self.inputs['truncation_psi'] = tf.placeholder(tf.float32, [], 'truncation_psi')
        dlatents = mapping.get_output_for(self.inputs['latents'], self._labels(), dtype='float32')
        with tflib.tfutil.absolute_variable_scope(self._Gs.scope, reuse=True):
            dlatent_avg = tf.get_variable('dlatent_avg', [dlatents.shape[2]])
        dlatents = truncate(dlatents, dlatent_avg, psi, truncation_cutoff(self._Gs))
        self.dlatents = tf.placeholder_with_default(dlatents, dlatents.shape, 'dlatents')
        noise = self._noise(synthesis)
        with given_noise(noise) if noise else contextlib.nullcontext():
            return synthesis.get_output_for(
                self.dlatents, randomize_noise=False, fused_modconv=False, dtype='float32', num_fp16_res=0,
                **self._growth)

    def _noise(self, synthesis):
        names = [name for name in synthesis.vars if name.startswith('noise')]
        with tflib.tfutil.absolute_variable_scope(synthesis.scope, reuse=True):
            stored = [tf.get_variable(name, synthesis.vars[name].shape) for name in names]
        return [self._noise_of(layer, image, self.dlatents) for layer, image in enumerate(stored)]

    def _images_of_progan(self):
        self.dlatents = None
        return self._Gs.get_output_for(
            self.inputs['latents'], self._labels(), dtype='float32', **self._growth)
