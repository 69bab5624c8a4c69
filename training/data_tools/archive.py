"""Writes data sets as stylegan2-ada-pytorch and stylegan3 read them: zip files or folders of images."""

import contextlib
import os
import zipfile

from dnnlib.files import atomic_folder, atomic_write
from dnnlib.progress import shown
from dnnlib.util import UserError
from training.data import dataset_json, encoding
from training.data.image_source import LABELS, is_zip

EXTENSIONS = {'png': 'png', 'jpeg': 'jpg'}


def write(stored, path, image_format=None, max_images=None):
    """Write a data set to a zip file or a new folder, complete or not at all. Returns the number of images.

    image_format: 'png' or 'jpeg'; None = as they are stored, PNG for raw pixels. Files that have this format
    are copied as they are. Raises UserError for a place that cannot be written.
    """
    count = min(max_images or len(stored), len(stored))
    names = []
    with place(path) as add:
        for index in shown(range(count), 'Writing', 'images'):
            kind, data = _content(stored, index, image_format)
            names.append(name_of_image(index, EXTENSIONS[kind]))
            add(names[-1], data)
        if stored.labels.size:
            labels = dict(zip(names, _labels(stored, count), strict=True))
            add(LABELS, dataset_json.text(labels, stored.class_names).encode())
    return count


def name_of_image(index, extension='png'):
    """Return the published name of an image in a zip file or folder, of which each sub-folder has 1,000."""
    return f'{index // 1000:05d}/img{index:08d}.{extension}'


def _content(stored, index, image_format):
    """Return the (format, bytes) of the file of an image."""
    content = stored.content(index)
    if content is not None and image_format in (None, content[0]):
        return content
    kind = image_format or 'png'
    (_, data), = encoding.encoded(stored.image(index), kind)
    return kind, data


def extract(stored, path):
    """Write all images as img00000000.png, img00000001.png and so on to a new folder, which appears at the
    end. Raises UserError if it cannot be written."""
    with place(path) as add:
        for index in shown(range(len(stored)), 'Extracting', 'images'):
            add(f'img{index:08d}.png', png_file(stored, index))


def png_file(stored, index):
    """Return the bytes of an image as a PNG file: those that are stored if it is one."""
    return _content(stored, index, 'png')[1]


def _labels(stored, count):
    """Return labels as numbers of classes if the programs above make the same one-hot labels of them, which
    have a component for each class up to the last that occurs; otherwise as lists."""
    classes = None if stored.classes is None else stored.classes[:count]
    if classes is not None and classes.max() + 1 == stored.labels.shape[1]:
        return classes.tolist()
    return stored.labels[:count].tolist()


@contextlib.contextmanager
def place(path):
    """Give a function (name, content) that adds a file to a zip file or a folder, which appear at the end."""
    try:
        if is_zip(path):
            with atomic_write(path) as file, zipfile.ZipFile(file, 'w', zipfile.ZIP_STORED) as archive:
                # Without a time, the same images give the same bytes.
                yield lambda name, data: archive.writestr(zipfile.ZipInfo(name), data)
        else:
            with atomic_folder(path) as folder:
                yield lambda name, data: _write_file(os.path.join(folder, name), data)
    except OSError as error:
        raise UserError(f'{path}: cannot be written: {error.strerror}') from error


def _write_file(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as file:
        file.write(data)
