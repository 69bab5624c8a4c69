"""Quick pictures of large generators: the image that the network has at a lower resolution."""

import inspect

import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.base_shapes import level_shape
from dnnlib.tflib.inference import inference, on_this_machine

MAX_SIDE = 64     # of a preview, in pixels
MIN_FACTOR = 4    # A preview is smaller than the picture by at least this.


def of_generator(Gs):
    """Return the preview of a generator; None if it is small or has no images at lower resolutions."""
    synthesis = Gs.components.get('synthesis', Gs)
    sizes = synthesis.output_shape[2:]
    level = argument(synthesis, 'resolution', 4).bit_length() - 1
    down = 0
    while max(sizes) >> down > MAX_SIDE and level - down > 2:
        down += 1
    is_known = synthesis._build_func.__module__.startswith('training.networks_')
    if 1 << down < MIN_FACTOR or not is_known:
        return None
    if 'lod' in synthesis.vars:
        return Growing(Gs, synthesis, level - down, down)
    return Skip(synthesis, level - down, down) if argument(synthesis, 'architecture') == 'skip' else None


def argument(net, name, otherwise=None):
    """Return the value of a parameter of the build function; `otherwise` if there is no such parameter."""
    parameter = inspect.signature(net._build_func).parameters.get(name)
    return net.static_kwargs.get(name, otherwise if parameter is None else parameter.default)


class Skip:
    """Stops a network of skip connections at a lower resolution, where it has the sum of the images so far
    (StyleGAN2, Figure 7b)."""

    def __init__(self, synthesis, level, down):
        """Build the graph up to resolution 2^level, which is smaller by 2^down."""
        self.num_layers = 2 * level - 2
        self.num_noises = self.num_layers - 1
        self.shape = level_shape(argument(synthesis, 'base_shape'), level)
        fewer = {'resolution': 1 << level, 'randomize_noise': False}
        if argument(synthesis, 'num_fp16_res'):  # counts from the last resolution
            fewer['num_fp16_res'] = max(argument(synthesis, 'num_fp16_res') - down, 0)
        fewer.update(on_this_machine(synthesis.static_kwargs))
        self._dlatents = tf.placeholder(tf.float32, [1, self.num_layers, synthesis.input_shape[2]])
        with inference():
            images = synthesis.get_output_for(self._dlatents, **fewer)
        self._images = tflib.convert_images_to_uint8(images)

    def draw(self, dlatents):
        """Draw dlatents [1,layers,dlatent_size] -> uint8 [1,C,h,w]."""
        return tflib.run(self._images, {self._dlatents: dlatents[:, :self.num_layers]})


class Growing:
    """Draws with the blocks up to a lower resolution of a network that has grown (Progressive GAN, Figure 2).

    Its output layers there have not been trained since the next block was complete, so colours may differ.
    """

    def __init__(self, Gs, synthesis, level, down):
        """Remember the level of detail. The preview has resolution 2^level, smaller by 2^down."""
        self._net, self._down = synthesis, down
        self._lod = float(Gs.get_var('lod'))
        self.shape = [size >> down for size in synthesis.output_shape[2:]]
        self.num_noises = 2 * level - 2

    def draw(self, *inputs):
        """Draw dlatents, or latents and labels of a network without styles -> uint8 [1,C,h,w]."""
        self._net.set_var('lod', max(self._lod, self._down))
        try:
            images = self._net.run(*inputs, randomize_noise=False,
                                   output_transform=dict(func=tflib.convert_images_to_uint8))
        finally:
            self._net.set_var('lod', self._lod)
        return images[:, :, ::1 << self._down, ::1 << self._down]  # undoes the repetition of pixels
