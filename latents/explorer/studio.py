"""Draws the pictures of one generator. Everything here runs in the session of the generator."""

import functools
import io

import numpy as np
from PIL import Image

from dnnlib import faults
from dnnlib.util import UserError
from latents import styles
from latents.explorer import preview, walks
from latents.explorer.noise_images import NoiseImages
from training import generation
from training.misc import pictures

THUMBNAIL_SIDE = 128
_COMPRESSION = 1  # Of PNG: at 1024x1024, higher levels take longer than the page should wait.


class Studio:
    """A generator, and what the page needs to know about it."""

    def __init__(self, network_pkl, Gs, class_names, files, trust_source=False):
        """Look at a generator. class_names: list, or None if they are unknown. files: uploads.Files."""
        self.network_pkl, self.Gs, self.class_names, self._files = network_pkl, Gs, class_names, files
        self.trust_source = trust_source  # Commands need the flag, too.
        self.has_styles = 'mapping' in Gs.components
        self.num_layers = Gs.components.synthesis.input_shape[1] if self.has_styles else 0
        self.cutoff = self._default_cutoff() if self.has_styles else 0
        self.label_size = Gs.input_shapes[1][1]
        self.noise = NoiseImages(Gs)
        self.preview = preview.of_generator(Gs)
        self._dlatent_avg = Gs.get_var('dlatent_avg') if self.has_styles else None
        self._mapped = functools.lru_cache(maxsize=256)(self._map_seed)

    def _default_cutoff(self):
        """Return how many layers the network truncates unless told otherwise."""
        cutoff = preview.argument(self.Gs, 'truncation_cutoff')
        if cutoff is None:  # which StyleGAN and StyleGAN2 read differently
            return 0 if self.Gs._build_func_name == 'G_style' else self.num_layers
        return min(max(cutoff, 0), self.num_layers)

    def about(self):
        """Return what the page shows and offers, as JSON can hold it."""
        _, channels, height, width = self.Gs.output_shape
        sizes = [f'{shape[3]}×{shape[2]}' for shape in self.noise.shapes]
        rest = 'to RGB' if sizes else ''  # Only the noise says which resolution a layer has.
        return {
            'file': self.network_pkl, 'width': width, 'height': height, 'channels': channels,
            'layers': (sizes + [rest] * self.num_layers)[:self.num_layers],
            'noises': len(self.noise.shapes),
            'ranges': {name: list(layers) for name, layers in styles.ranges(self.num_layers).items()},
            'cutoff': self.cutoff, 'classes': self.label_size, 'classNames': self.class_names,
            'preview': None if self.preview is None else self.preview.shape}

    # Latents and dlatents.

    def _latents(self, state):
        """Return latents [1,latent_size] of the first source. Raises UserError if these are dlatents."""
        if state.base.seed is None:
            raise UserError(f'{self.network_pkl}: has no styles, and cannot draw loaded latents; pick a seed')
        if state.walk is not None:
            return walks.latents(state.base.seed, state.walk, self.Gs.input_shape[1])
        return generation.latents_from_seeds(self.Gs, [state.base.seed])

    def _label(self, state):
        return generation.label_of_class(self.Gs, state.class_idx)

    def _map_seed(self, seed, class_idx):
        label = generation.label_of_class(self.Gs, class_idx)
        return self.Gs.components.mapping.run(generation.latents_from_seeds(self.Gs, [seed]), label)[0]

    def _source_dlatents(self, state, source):
        """Return dlatents [layers,dlatent_size]. Those of files have been chosen and are not truncated."""
        if source.file is not None:
            return self._files.dlatents(source, self.Gs.components.synthesis.input_shape[1:])
        if state.walk is not None and source is state.base:
            dlatents = self.Gs.components.mapping.run(self._latents(state), self._label(state))[0]
        else:
            dlatents = self._mapped(source.seed, state.class_idx)
        cutoff = self.cutoff if state.cutoff is None else state.cutoff
        return styles.truncate(dlatents, self._dlatent_avg, state.psi, cutoff)

    def dlatents(self, state):
        """Return the dlatents [1,layers,dlatent_size] of a state, truncated and mixed."""
        each = [self._source_dlatents(state, source) for source in state.sources]
        mixed = each[0]
        for index, others in enumerate(each[1:], 1):
            layers = [layer for layer in range(self.num_layers) if state.source_of(layer) == index]
            mixed = styles.mix(mixed, others, layers)
        return mixed[np.newaxis]

    # Pictures.

    @faults.described('use a smaller network')
    def draw(self, state):
        """Draw a state -> uint8 [C,H,W]."""
        self.noise.set(state)
        if self.has_styles:
            return generation.images_from_dlatents(self.Gs, self.dlatents(state))[0]
        return self.Gs.run(self._latents(state), self._label(state), **generation.SYNTHESIS)[0]

    @faults.described('use a smaller network')
    def draw_preview(self, state):
        """Draw a state at the resolution of the preview, or at its own without one. -> uint8 [C,h,w]."""
        if self.preview is None:
            return self.draw(state)
        self.noise.set(state, self.preview.num_noises)
        if self.has_styles:
            return self.preview.draw(self.dlatents(state))[0]
        return self.preview.draw(self._latents(state), self._label(state))[0]

    def png(self, state):
        """Draw a state -> bytes of a PNG file."""
        return encoded(self.draw(state))

    def preview_png(self, state):
        """Draw a state quickly -> bytes of a PNG file."""
        return encoded(self.draw_preview(state))

    def thumbnail_png(self, state):
        """Draw a state quickly and small -> bytes of a PNG file."""
        picture = pictures.convert_to_pil_image(self.draw_preview(state), [0, 255])
        picture.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BOX)
        return _png(picture)


def encoded(image):
    """Return uint8 [C,H,W] as the bytes of a PNG file."""
    return _png(pictures.convert_to_pil_image(image, [0, 255]))


def _png(picture):
    file = io.BytesIO()
    picture.save(file, format='PNG', compress_level=_COMPRESSION)
    return file.getvalue()
