"""The files that measurements need, made when the first of them asks."""

import functools
import pathlib

from benchmarks import processes

RESOLUTION = 256
MNIST_FILES = 'data/fashion-mnist'  # from the repository's root


class Inputs:
    """Files in a folder that outlives them."""

    num_mnist = 6000

    def __init__(self, folder, num_images):
        """`num_images`: how many images there are of the larger resolution."""
        self._folder = pathlib.Path(folder)
        self.num_images = num_images

    @functools.cached_property
    def mnist_files(self):
        """Folder of Fashion-MNIST's files."""
        return MNIST_FILES

    @functools.cached_property
    def mnist(self):
        """Data set of 32x32 grey images."""
        return self._data_set('create_mnist', self.mnist_files)

    @functools.cached_property
    def images(self):
        """Folder of PNGs."""
        path = str(self._folder / 'images')
        processes.call('data.write_images', dict(folder=path, count=self.num_images, resolution=RESOLUTION))
        return path

    @functools.cached_property
    def images_data_set(self):
        """Data set of these."""
        return self._data_set('create_from_images', self.images)

    @functools.cached_property
    def pickle(self):
        """Network pickle of config F."""
        path = str(self._folder / 'network.pkl')
        processes.call('generation.write_pickle', dict(path=path, resolution=RESOLUTION))
        return path

    def _data_set(self, command, source):
        path = str(self._folder / f'datasets-{command}' / 'dataset')
        pathlib.Path(path).parent.mkdir()
        processes.run(processes.python('dataset_tool.py', command, path, source))
        return path
