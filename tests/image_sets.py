"""Write folders and zip files of images, and encoded TFRecords, for tests of reading them."""

import json
import os
import zipfile

import numpy as np
import PIL.Image
import tensorflow.compat.v1 as tf

from training.data import encoding


def pixels(count, channels=3, height=8, width=8, seed=1):
    """Return random images, uint8 [count,channels,height,width]."""
    return np.random.RandomState(seed).randint(0, 256, [count, channels, height, width]).astype(np.uint8)


def save(image, path, **options):
    """Write an image [C,H,W] to a file."""
    PIL.Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0)).save(path, **options)


def write_folder(folder, images, labels=None, extension='png', classes=None):
    """Write images as stylegan2-ada-pytorch and stylegan3 do. -> path of the folder."""
    names = [f'00000/img{idx:08d}.{extension}' for idx in range(len(images))]
    (folder / '00000').mkdir(parents=True)
    for name, image in zip(names, images, strict=True):
        save(image, folder / name, **({'quality': 95} if extension == 'jpg' else {}))
    content = {'labels': None if labels is None else [list(pair) for pair in zip(names, labels, strict=True)]}
    content |= {'classes': classes} if classes else {}
    (folder / 'dataset.json').write_text(json.dumps(content))
    return str(folder)


def zipped(folder, path, deflated=lambda name: False):
    """Write the files below a folder to a zip file. deflated: says which names are compressed. -> path."""
    with zipfile.ZipFile(path, 'w') as file:
        for each in sorted(folder.rglob('*')):
            name = str(each.relative_to(folder))
            file.write(each, name, zipfile.ZIP_DEFLATED if deflated(name) else zipfile.ZIP_STORED)
    return str(path)


def write_records(folder, images, store, labels=None):
    """Write a data set with images [N,C,H,W] stored as 'raw', 'png' or 'jpeg'. -> path."""
    folder.mkdir(parents=True)
    parts = [encoding.encoded(image, store) for image in images]
    for level in range(len(parts[0])):
        log2 = len(list(encoding.levels(images[0]))) + 1 - level
        with tf.python_io.TFRecordWriter(str(folder / f'{folder.name}-r{log2:02d}.tfrecords')) as writer:
            for part in parts:
                writer.write(_example(*part[level], store))
    if labels is not None:
        with open(folder / f'{folder.name}-rxx.labels', 'wb') as file:
            np.save(file, labels)
    return str(folder)


def _example(shape, data, store):
    feature = {'shape': tf.train.Feature(int64_list=tf.train.Int64List(value=shape)),
               'data': tf.train.Feature(bytes_list=tf.train.BytesList(value=[bytes(data)]))}
    if store != 'raw':
        feature['encoding'] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[store.encode()]))
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def add_locked_folder(folder, monkeypatch):
    """Add a sub-folder `locked` that cannot be read, for root as well."""
    path = os.path.join(str(folder), 'locked')
    os.mkdir(path)
    scandir = os.scandir

    def fail(place):
        if place == path:
            raise PermissionError(13, 'Permission denied', path)
        return scandir(place)

    monkeypatch.setattr(os, 'scandir', fail)
