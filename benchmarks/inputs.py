"""Create the files that measurements need, each on first use."""

import functools
import pathlib

from benchmarks import processes

RESOLUTION, LARGE_RESOLUTION = 256, 1024
MNIST_FILES = 'data/fashion-mnist'  # relative to the repository root


class Inputs:
    """Holds the input files in a folder that the caller creates and deletes."""

    num_mnist = 6000

    def __init__(self, folder, num_images):
        """Set the folder and the number of 256x256 images to create."""
        self._folder = pathlib.Path(folder)
        self.num_images = num_images

    @functools.cached_property
    def mnist_files(self):
        """Return the folder with the Fashion-MNIST files."""
        return MNIST_FILES

    @functools.cached_property
    def mnist(self):
        """Create a data set of 32x32 grey images."""
        return self._data_set('create_mnist', self.mnist_files)

    @functools.cached_property
    def images(self):
        """Create a folder of 256x256 PNGs."""
        path = str(self._folder / 'images')
        processes.call('data.write_images', dict(folder=path, count=self.num_images, resolution=RESOLUTION))
        return path

    @functools.cached_property
    def large_images(self):
        """Create a folder of 1024x1024 PNGs, an eighth as many."""
        path = str(self._folder / 'large-images')
        processes.call('data.write_images', dict(
            folder=path, count=self.num_images // 8, resolution=LARGE_RESOLUTION))
        return path

    @functools.cached_property
    def pickle(self):
        """Create a network pickle of config F."""
        path = str(self._folder / 'network.pkl')
        processes.call('generation.write_pickle', dict(path=path, resolution=RESOLUTION))
        return path

    def _data_set(self, command, source):
        path = str(self._folder / f'datasets-{command}' / 'dataset')
        pathlib.Path(path).parent.mkdir()
        processes.run(processes.python('dataset_tool.py', command, path, source))
        return path
