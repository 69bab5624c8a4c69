"""Files of dlatents that the page has loaded, in memory."""

import hashlib
import os
import tempfile
from collections import OrderedDict

from dnnlib.util import UserError
from latents import dlatent_files, noise_files

MAX_BYTES = 64 << 20
MAX_FILES = 64


class Files:
    """Dlatents [N,layers,dlatent_size] by an id, which is a digest of the file."""

    def __init__(self):
        self._files = OrderedDict()  # {id: (name, dlatents)}, the newest at the end

    def add(self, name, content):
        """Check and keep a file -> (id, number of dlatents). Raises UserError, which names the file."""
        name = os.path.basename(name.replace('\\', '/')) or 'dlatents.npz'
        dlatents = _read(name, content)
        key = hashlib.sha256(content).hexdigest()[:16]
        self._files[key] = name, dlatents
        self._files.move_to_end(key)
        while len(self._files) > MAX_FILES:
            self._files.popitem(last=False)
        return key, len(dlatents)

    def dlatents(self, source, shape):
        """Return the dlatents of a state.Source, [layers,dlatent_size]. Raises UserError if there are none of
        this shape."""
        if source.file not in self._files:
            raise UserError('the latents are no longer loaded; load their file again')
        name, dlatents = self._files[source.file]
        if list(dlatents.shape[1:]) not in (list(shape), [1, shape[1]]):
            raise UserError(f'{name}: has dlatents {list(dlatents.shape[1:])}, the network takes '
                            f'{list(shape)}; use the network that the file was made with')
        if source.row >= len(dlatents):
            raise UserError(f'{name}: has {len(dlatents)} dlatents; there is no number {source.row}')
        return dlatent_files.for_layers(dlatents, shape[0])[source.row]


def _read(name, content):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'dlatents.npz')
        with open(path, 'wb') as file:
            file.write(content)
        try:
            return dlatent_files.read(path)
        except UserError as error:
            raise UserError(str(error).replace(path, name)) from None


def npz_of(dlatents):
    """Return dlatents [1,layers,dlatent_size] as the bytes of a projected_w.npz."""
    return _bytes_written(dlatent_files.write, dlatents)


def npz_of_noises(images):
    """Return noise images [1,1,H,W] as the bytes of a projected_noises.npz."""
    return _bytes_written(noise_files.write, images)


def _bytes_written(write, arrays):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'arrays.npz')
        write(path, arrays)
        with open(path, 'rb') as file:
            return file.read()
