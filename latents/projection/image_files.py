"""Image files as targets of a projection: what is usable, and pixels of the network's size. No TensorFlow."""

import numpy as np

from dnnlib.progress import shown
from dnnlib.util import UserError
from training.data.image_source import source_at
from training.data.photos import decoding, fitting
from training.data.photos.options import Recipe
from training.data.photos.reasons import Unusable
from training.data.photos.worker import planes


class ImageFiles:
    """The images in a file, folder or zip file.

    Attributes: `path`; `names` of the images that can be decoded; `others`, why other files cannot be used.
    Raises UserError if there are no images.
    """

    def __init__(self, path):
        self.path = path
        self._source = source_at(path)
        reasons = {name: self._why_unusable(name)
                   for name in shown(self._source.names, 'Looking at files', 'files')}
        self.names = [name for name, reason in reasons.items() if reason is None]
        self.others = [f'{self._source.file_path(name)}: {reason}'
                       for name, reason in reasons.items() if reason is not None]
        if not self.names:
            found = self.others[0] if self.others else f'{path}: there are no files'
            raise UserError(f'{found}; expected an image, or a folder or zip file of images')

    def _why_unusable(self, name):
        try:
            with decoding.decoded(self._source, name):
                return None
        except Unusable as error:
            return f'{error.kind} ({error.detail})' if error.detail else error.kind

    def read(self, name, shape):
        """Return an image, turned upright, cropped around its centre and resized (Lanczos), in sRGB or grey.

        shape: [C,H,W] -> uint8 [C,H,W].
        """
        channels, height, width = shape
        recipe = Recipe(width, height, channels=channels, enlarge=True)
        try:
            with decoding.decoded(self._source, name) as image:
                return np.array(planes(fitting.fitted(image, recipe)))
        except Unusable as error:
            raise UserError(f'{self._source.file_path(name)}: {error.kind} {error.detail}') from error
