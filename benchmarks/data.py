"""Measure images per second through dataset_tool.py, the input pipeline and the metrics' feature network."""

import pathlib
import tempfile
import time
import zipfile

import numpy as np
import PIL.Image

from benchmarks import processes
from dnnlib.util import num_cores
from training.data import encoding

READ_AHEAD_MB = 32


def write_images(folder, count, resolution):
    """Write PNGs that compress like photographs: soft shapes and a little noise."""
    rnd = np.random.RandomState(1)
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True)
    for idx in range(count):
        shapes = PIL.Image.fromarray(rnd.randint(256, size=[12, 12, 3]).astype(np.uint8))
        pixels = np.asarray(shapes.resize([resolution] * 2, PIL.Image.Resampling.BICUBIC), dtype=np.int16)
        pixels = np.clip(pixels + rnd.randint(-4, 5, size=pixels.shape), 0, 255).astype(np.uint8)
        PIL.Image.fromarray(pixels).save(folder / f'{idx:05d}.png')


def convert(command, source, num_images):
    """Time a whole run of dataset_tool.py, including process start. -> dict for JSON."""
    with tempfile.TemporaryDirectory() as folder:
        done = processes.run(processes.python('dataset_tool.py', command, f'{folder}/dataset', source))
    return {'seconds': done.seconds, 'num_images': num_images,
            'images_per_second': num_images / done.seconds, 'peak_memory_bytes': done.peak_memory_bytes}


def read(data_dir, minibatch, seconds):
    """Time reading minibatches of a data set in the way training reads them. -> dict for JSON."""
    import dnnlib.tflib as tflib
    from training import dataset
    tflib.init_tf({'rnd.np_random_seed': 1})
    # Little is read ahead: what lies ready at the start would count as read in the seconds measured.
    training_set = dataset.load_dataset(tfrecord_dir=data_dir, prefetch_mb=READ_AHEAD_MB)
    start = time.perf_counter()
    training_set.configure(minibatch)
    images = training_set.get_minibatch_tf()[0].op
    tflib.run(images)
    first = time.perf_counter()
    count, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        tflib.run(images)
        count += minibatch
    return {'resolution': training_set.resolution, 'minibatch': minibatch,
            'first_minibatch_seconds': first - start,
            'images_per_second': count / (time.perf_counter() - begin)}


def pipeline(images, store, minibatch, seconds):
    """Time reading a folder of images, which are stored in one way, and decoding alone. -> dict for JSON.

    store: 'raw', 'png' or 'jpeg' for TFRecords; 'folder' or 'zip' for the images as they are.
    """
    with tempfile.TemporaryDirectory() as folder:
        result = read(_stored(images, store, folder), minibatch, seconds)
    limit = None if store == 'raw' else _decoded_per_second(_contents(images, store), seconds)
    return {**result, 'store': store, 'decoding_images_per_second': limit}


def _stored(images, store, folder):
    """Return the path of a data set with the images of a folder."""
    if store == 'folder':
        return images
    if store == 'zip':
        with zipfile.ZipFile(f'{folder}/images.zip', 'w') as file:
            for path in sorted(pathlib.Path(images).iterdir()):
                file.write(path, path.name)
        return f'{folder}/images.zip'
    processes.run(processes.python(
        'dataset_tool.py', 'create_from_images', f'{folder}/dataset', images, f'--store={store}'))
    return f'{folder}/dataset'


def _contents(images, store):
    """Return 32 of the images as the files that are decoded in training."""
    paths = sorted(pathlib.Path(images).iterdir())[:32]
    if store in ('folder', 'zip'):
        return [path.read_bytes() for path in paths]
    pixels = [np.asarray(PIL.Image.open(path)).transpose(2, 0, 1) for path in paths]  # [H,W,3] -> [3,H,W]
    return [encoding.encoded(image, store)[0][1] for image in pixels]


def _decoded_per_second(contents, seconds, minibatch=32):
    """Return how many images a second TensorFlow decodes from memory on all cores."""
    import tensorflow.compat.v1 as tf

    import dnnlib.tflib as tflib

    def decode(content):
        return tf.shape(tf.io.decode_jpeg(content, dct_method='INTEGER_ACCURATE'))  # reads PNG as well

    stream = tf.data.Dataset.from_tensor_slices(contents).repeat().map(
        decode, num_parallel_calls=num_cores())
    shapes = tf.data.make_one_shot_iterator(stream.batch(minibatch).prefetch(1)).get_next()
    tflib.run(shapes)
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        tflib.run(shapes)
        count += minibatch
    return count / (time.perf_counter() - start)


def features(rounds, minibatches):
    """Time the feature network that needs no download. -> dict for JSON."""
    import dnnlib.tflib as tflib
    from benchmarks import metric_features
    tflib.init_tf()
    return metric_features.measure(resolution=256, minibatch_sizes=minibatches, rounds=rounds)
