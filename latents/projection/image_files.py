"""Image files as targets of a projection: what is usable, and pixels of the network's size. No TensorFlow."""

import numpy as np

from dnnlib.util import UserError
from training.data.image_source import source_at
from training.data.photos import decoding, fitting
from training.data.photos.options import Recipe
from training.data.photos.reasons import Unusable
from training.data.photos.worker import planes


class ImageFiles:
    """The images in a file, folder or zip file. Attributes: `path`; `names` of those that can be decoded.

    Others are named and left out. Raises UserError if there are none.
    """

    def __init__(self, path):
        self.path = path
        self._source = source_at(path)
        reasons = {name: self._why_unusable(name) for name in self._source.names}
        self.names = [name for name, reason in reasons.items() if reason is None]
        if not self.names:
            found = [f'{name}: {reason}' for name, reason in reasons.items()]
            raise UserError(f'{path}: expected an image or a folder of images; {(found or ["no files"])[0]}')
        for name in sorted(reasons.keys() - set(self.names)):
            print(f'Leaving out {self._source.file_path(name)}: {reasons[name]}')

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
