"""Draws the images of a generator one by one, so that a picture of many large ones takes little memory."""

import numpy as np
from PIL import Image

import dnnlib.tflib as tflib
import pretrained_networks
from dnnlib.progress import Progress
from dnnlib.util import UserError
from latents import noise, styles
from training import generation
from training.settings import picture_requests

_MINIBATCH_SIZE = 8                 # as published, for images of up to 128x128...
_MINIBATCH_PIXELS = 8 * 128 ** 2    # ...and fewer for larger ones, to show progress and save memory
_TO_UINT8 = dict(func=tflib.convert_images_to_uint8, nchw_to_nhwc=True)


class Painter:
    """A generator, a class, and what figures ask of them."""

    def __init__(self, network_pkl, class_idx=None, trust_source=False):
        """Load the generator. Raises UserError for a file without one, or for a class that it lacks."""
        print(f'Loading networks from "{network_pkl}"...')
        self._name = network_pkl
        self._Gs = pretrained_networks.load_generator(network_pkl, trust_source)
        self._label = generation.label_of_class(self._Gs, class_idx)
        channels, height, width = self._Gs.output_shape[1:]
        self.size = width, height
        self.mode = 'L' if channels == 1 else 'RGB'

    @property
    def has_styles(self):
        """Whether the generator has a mapping network."""
        return 'mapping' in self._Gs.components

    @property
    def num_layers(self):
        """Number of layers that take styles."""
        self._check_styles()
        return self._Gs.components.synthesis.input_shape[1]

    @property
    def num_noises(self):
        """Number of layers that take noise."""
        return len(noise.variables(self._Gs))

    @property
    def dlatent_avg(self):
        """The mean of W, [dlatent_size]."""
        self._check_styles()
        return self._Gs.get_var('dlatent_avg')

    def _check_styles(self):
        if not self.has_styles:
            raise UserError(f'{self._name}: {picture_requests.NO_STYLES}')

    def check_noise(self) -> None:
        """Raise UserError for a generator without noise."""
        if self.num_noises == 0:
            raise UserError(f'{self._name}: {picture_requests.NO_NOISE}')

    def latents(self, seeds):
        """Return latents [N,latent_size], each by a generator of random numbers of its own."""
        return generation.latents_from_seeds(self._Gs, seeds)

    def random_latents(self, count, rnd):
        """Return latents [count,latent_size] by one RandomState."""
        return rnd.randn(count, *self._Gs.input_shape[1:])

    def dlatents(self, latents, psi=1):
        """Map latents [N,latent_size] to dlatents [N,layers,dlatent_size]; psi truncates all layers."""
        self._check_styles()
        dlatents = self._Gs.components.mapping.run(latents, self._labels(len(latents)))
        return dlatents if psi == 1 else styles.truncate(dlatents, self.dlatent_avg, psi)

    def from_latents(self, latents, psi=None, title='Drawing', **kwargs):
        """Yield the Pillow images of latents [N,latent_size]. psi=None: truncated as the generator does."""
        if psi is not None:
            kwargs['truncation_psi'] = psi
        return self._drawn(self._Gs, [latents, self._labels(len(latents))], title, **kwargs)

    def from_dlatents(self, dlatents, title='Drawing', **kwargs):
        """Yield the Pillow images of dlatents [N,layers,dlatent_size]."""
        return self._drawn(self._Gs.components.synthesis, [dlatents], title, **kwargs)

    def only_noise(self, layers):
        """Return a context in which only these layers have noise."""
        return noise.only(self._Gs, layers)

    def _labels(self, count):
        return np.repeat(self._label, count, axis=0)

    def _drawn(self, net, in_arrays, title, **kwargs):
        total = len(in_arrays[0])
        progress = Progress(total, 'images', title=title)
        step = max(min(_MINIBATCH_SIZE, _MINIBATCH_PIXELS // (self.size[0] * self.size[1])), 1)
        for begin in range(0, total, step):
            progress.show(begin)
            part = [array[begin:begin + step] for array in in_arrays]
            for image in net.run(*part, output_transform=_TO_UINT8, **kwargs):
                yield Image.fromarray(image[..., 0] if self.mode == 'L' else image)
        progress.clear()
