"""Statistics of real images, kept from run to run for as long as what they were made of is the same.

The name of a file says what was asked for, as in the published code. What else they depend on, the files of
the data set and the feature network, stands inside and is checked when the file is read.
"""

import glob
import hashlib
import os

import numpy as np

from dnnlib.util import UserError, cache_dir
from training import misc

FORMAT = 2  # to be raised when the same arguments give other statistics
_SAMPLES = 64  # places of a file of images that are looked at
_SAMPLE_BYTES = 4096


def file_path(metric_name, mirror_augment, dataset_args, extension='pkl', **kwargs):
    """Where the statistics for these arguments are kept; `kwargs` win over `dataset_args`."""
    key = {'metric_name': metric_name, 'mirror_augment': mirror_augment, **dataset_args, **kwargs}
    md5 = hashlib.md5(repr(sorted(key.items())).encode('utf-8')).hexdigest()
    location = dataset_args.get('tfrecord_dir') or dataset_args.get('h5_file') or dataset_args.get('path')
    data_name = os.path.splitext(os.path.basename(str(location or 'data')))[0]
    return os.path.join(cache_dir(), f'{md5}-{metric_name}-{data_name}.{extension}')


def fingerprint(data_dir, dataset_args):
    """SHA-256 of the files of a data set, images and labels: their names, sizes and times, and the bytes at
    places all over them. 'none' for a data set without files.

    The bytes tell one data set from another that has its names and sizes, and whose times were set by a
    program that copies files.
    """
    if 'tfrecord_dir' not in dataset_args:
        return 'none'
    folder = os.path.join(data_dir or '', dataset_args['tfrecord_dir'])
    files = {path for kind in ('tfrecords', 'labels')
             for path in glob.glob(os.path.join(glob.escape(folder), f'*.{kind}'))}
    label_file = dataset_args.get('label_file')
    if label_file is not None:
        files |= {path for path in (label_file, os.path.join(folder, label_file)) if os.path.isfile(path)}
    digest = hashlib.sha256()
    for path in sorted(files):
        status = os.stat(path)
        digest.update(repr((os.path.basename(path), status.st_size, status.st_mtime_ns)).encode('utf-8'))
        digest.update(_sample(path, status.st_size))
    return digest.hexdigest()


def _sample(path, size):
    """The first bytes of a file, the last ones and some at equal distances between them."""
    starts = np.linspace(0, max(size - _SAMPLE_BYTES, 0), _SAMPLES).astype(int)
    with open(path, 'rb') as file:
        return b''.join(_read_at(file, start) for start in np.unique(starts).tolist())


def _read_at(file, start):
    file.seek(start)
    return file.read(_SAMPLE_BYTES)


def read(path, **origin):
    """The statistics in a file, an array or a tuple of arrays; None if there are none, the file is damaged or
    they come from anything else, which is said in a line."""
    if not os.path.isfile(path):
        return None
    try:
        stored = misc.load_pkl(path)
    except UserError as error:
        print(f'The statistics of real images are computed again: {error}')
        return None
    if not isinstance(stored, dict) or stored.get('origin') != {'format': FORMAT, **origin}:
        print(f'{path}: the data set or the feature network is another one; computing the statistics again')
        return None
    statistics = stored.get('statistics')
    if stored.get('sha256') != _digest(statistics):
        print(f'{path}: is damaged; computing the statistics again')
        return None
    return statistics


def write(path, statistics, **origin):
    """Keep statistics. Processes that do so at once each write a whole file; the last one stays. Where the
    file cannot be written, a line says so: they were dear, and the result needs no file."""
    stored = {'origin': {'format': FORMAT, **origin}, 'statistics': statistics, 'sha256': _digest(statistics)}
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        misc.save_pkl(stored, path)
    except OSError as error:
        print(f'{path}: the statistics of real images cannot be kept ({error.strerror})')


def _digest(statistics):
    """SHA-256 of an array or a sequence of arrays."""
    digest = hashlib.sha256()
    for array in statistics if isinstance(statistics, (tuple, list)) else [statistics]:
        array = np.ascontiguousarray(array)
        digest.update(repr((array.dtype.str, array.shape)).encode('utf-8'))
        digest.update(array.data)
    return digest.hexdigest()
