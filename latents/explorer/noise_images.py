"""The noise of a generator as a state describes it, layer by layer."""

import numpy as np

import dnnlib.tflib as tflib
from latents import noise
from latents.explorer.state import DRAWN, NOISE_OF_SEED, OFF, STORED


class NoiseImages:
    """Sets the noise variables of a generator, and only those that change."""

    def __init__(self, Gs):
        """Remember the noise that the network was stored with."""
        self._variables = noise.variables(Gs)
        self._stored = noise.values(Gs) if self._variables else []
        self._latent_shape = Gs.input_shape[1:]
        self._present = [(STORED, None)] * len(self._variables)
        self.shapes = [image.shape for image in self._stored]  # [1,1,H,W] of each layer

    def set(self, state, num_layers=None):
        """Set the noise of the first layers, None = all, to that of a state."""
        wanted = self._origins(state)[:num_layers]
        changed = [layer for layer, origin in enumerate(wanted) if origin != self._present[layer]]
        images = self._images(wanted, changed)
        if images:
            tflib.set_vars({self._variables[layer]: image for layer, image in images.items()})
        for layer in changed:
            self._present[layer] = wanted[layer]

    def of_state(self, state):
        """Return the noise of a state as a list of arrays [1,1,H,W]."""
        layers = range(len(self._variables))
        images = self._images(self._origins(state), layers)
        return [images[layer] for layer in layers]

    def _origins(self, state):
        return [state.noise_of(layer) for layer in range(len(self._variables))]

    def _images(self, origins, layers):
        """Return {layer: noise} of some layers, in ascending order. origins: those of all layers."""
        images = {}
        for origin in {origins[layer] for layer in layers}:
            alike = [layer for layer in layers if origins[layer] == origin]
            images.update(zip(alike, self._alike(origin, alike), strict=True))
        return images

    def _alike(self, origin, layers):
        """Return the noise of layers, in ascending order, that comes from one origin."""
        kind, seed = origin
        if kind == STORED:
            return [self._stored[layer] for layer in layers]
        if kind == OFF:
            return [np.zeros_like(self._stored[layer]) for layer in layers]
        assert kind in (NOISE_OF_SEED, DRAWN)
        rnd = np.random.RandomState(seed)
        if kind == NOISE_OF_SEED:
            rnd.randn(1, *self._latent_shape)  # the latents, which come first
        drawn = [rnd.randn(*shape) for shape in self.shapes[:layers[-1] + 1]]
        return [drawn[layer] for layer in layers]
