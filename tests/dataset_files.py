"""Run dataset_tool.py, write small files for it, and read its output."""

import gzip

import numpy as np
import PIL.Image
import pytest
import tensorflow.compat.v1 as tf

import dataset_tool
from dnnlib.util import UserError
from training.data.export import TFRecordExporter

IMAGES_GZ, LABELS_GZ = 'train-images-idx3-ubyte.gz', 'train-labels-idx1-ubyte.gz'


_rnd = np.random.RandomState(7)


def run(*args):
    """Run the tool with these arguments."""
    dataset_tool.main([str(arg) for arg in args])


def records(path):
    """Read the records of a file. -> [(shape, pixels)]."""
    features = [tf.train.Example.FromString(record).features.feature
                for record in tf.python_io.tf_record_iterator(str(path))]
    return [(list(feature['shape'].int64_list.value), feature['data'].bytes_list.value[0])
            for feature in features]


def write_set(folder, images, labels=None, class_names=None, store='raw', print_progress=False):
    """Write a data set of images [C,H,W]. -> folder."""
    with TFRecordExporter(str(folder), len(images), print_progress=print_progress, store=store) as exporter:
        for image in images:
            exporter.add_image(image)
        if labels is not None:
            exporter.add_labels(labels, class_names)
    return folder


def contents(folder):
    """Return {name: content} of all files below the folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob('*') if path.is_file()}


def shuffled_order(num_images):
    """Return the published order, in which data sets with a fixed number of images are written."""
    order = np.arange(num_images)
    np.random.RandomState(123).shuffle(order)
    return order


def write_images(folder, arrays, names=None):
    """Write [H,W] or [H,W,3] as 0.png, 1.png, ... or under other names. -> folder."""
    folder.mkdir(parents=True)
    for idx, pixels in enumerate(arrays):
        PIL.Image.fromarray(pixels).save(folder / (names[idx] if names else f'{idx}.png'))
    return folder


def write_idx(path, magic, counts, data):
    """Write a compressed IDX file."""
    header = b''.join(number.to_bytes(4, 'big') for number in [magic, *counts])
    path.write_bytes(gzip.compress(header + bytes(data)))


def write_mnist(folder, num_images=3, labels=(0, 9, 5)):
    """Write random digits in the format of MNIST. -> folder."""
    folder.mkdir(exist_ok=True)
    pixels = np.random.RandomState(5).randint(0, 256, num_images * 28 * 28).astype(np.uint8)
    write_idx(folder / IMAGES_GZ, 2051, [num_images, 28, 28], pixels)
    write_idx(folder / LABELS_GZ, 2049, [len(labels)], labels)
    return folder


def random_pixels(*shape):
    """Return random pixels, uint8 [*shape]."""
    return _rnd.randint(0, 256, shape).astype(np.uint8)


def images_in(folder, side):
    """Return all images of this resolution in a data set named `set`, uint8 [N,C,side,side]."""
    parsed = records(folder / f'set-r{side.bit_length() - 1:02d}.tfrecords')
    assert all(shape[1:] == [side, side] for shape, _ in parsed)
    return np.stack([np.frombuffer(pixels, np.uint8).reshape(shape) for shape, pixels in parsed])


def classes_in(folder, num_classes):
    """Return the classes of a data set named `set`, which has one-hot labels."""
    labels = np.load(folder / 'set-rxx.labels')
    assert labels.dtype == np.float32 and labels.shape[1:] == (num_classes,)
    np.testing.assert_array_equal(np.sort(labels, axis=1)[:, -2:], [[0, 1]] * len(labels))
    return labels.argmax(axis=1).tolist()


def refused(tmp_path, match, *args):
    """Check that the command fails with a clear one-line error and leaves nothing behind."""
    with pytest.raises(UserError, match=match) as info:
        run(args[0], tmp_path / 'set', *args[1:])
    assert '\n' not in str(info.value)
    assert not (tmp_path / 'set').exists()
