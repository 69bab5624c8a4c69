"""Statistics of real images, kept for as long as the data they were computed from stay the same.

A file's name is that of the published code, and follows from the arguments. The file also records the data
set and the feature network, which are compared when it is read.
"""

import hashlib
import os

import numpy as np

from dnnlib.util import UserError, cache_dir
from training import misc
from training.data import folders, image_sets, set_files
from training.data.image_source import is_zip

FORMAT = 2  # increase it when the same arguments lead to other statistics
_SAMPLES = 64  # parts of a data set's file that are read for its fingerprint
_SAMPLE_BYTES = 4096

# Files name the class of their metric. These classes of metrics.lite0 have become arguments of others.
_EARLIER_CLASSES = {'FrechetDistance': 'FID', 'KernelDistance': 'KID', 'PrecisionRecall': 'PR'}


def file_path(metric_name, mirror_augment, dataset_args, extension='pkl', **kwargs):
    """Return the path for the statistics for these arguments; `kwargs` override `dataset_args`."""
    key = {'metric_name': metric_name, 'mirror_augment': mirror_augment, **dataset_args, **kwargs}
    md5 = hashlib.md5(repr(sorted(key.items())).encode('utf-8')).hexdigest()
    location = dataset_args.get('tfrecord_dir') or dataset_args.get('h5_file') or dataset_args.get('path')
    data_name = os.path.splitext(os.path.basename(str(location or 'data')))[0]
    return os.path.join(cache_dir(), f'{md5}-{metric_name}-{data_name}.{extension}')


def fingerprint(data_dir, dataset_args):
    """Return the SHA-256 of the names, sizes, times and sampled contents of a data set's files; 'none' if it
    has no files. Contents of a folder of images are not read.

    The contents distinguish data sets with equal names and sizes whose times were set by a copying program.
    """
    if 'tfrecord_dir' not in dataset_args:
        return 'none'
    folder = os.path.join(data_dir or '', dataset_args['tfrecord_dir'])
    files = {path for suffix in ('.tfrecords', '.labels') for path in set_files.paths(folder, suffix)}
    label_file = dataset_args.get('label_file')
    if label_file is not None:
        files |= {path for path in (label_file, os.path.join(folder, label_file)) if os.path.isfile(path)}
    digest = hashlib.sha256()
    if folders.holds_images(folder):
        digest.update(image_sets.stamp(folder).encode('utf-8'))
        files |= {folder} if is_zip(folder) else set()
    for path in sorted(files):
        status = os.stat(path)
        digest.update(repr((os.path.basename(path), status.st_size, status.st_mtime_ns)).encode('utf-8'))
        starts = np.linspace(0, max(status.st_size - _SAMPLE_BYTES, 0), _SAMPLES).astype(int)
        with open(path, 'rb') as file:
            for start in np.unique(starts).tolist():
                file.seek(start)
                digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()


def read(path, **origin):
    """Return the statistics in a file, an array or a tuple of arrays. None if there is no file, or if it is
    damaged or of another origin, which is printed."""
    if not os.path.isfile(path):
        return None
    try:
        stored = misc.load_pkl(path)
    except UserError as error:
        print(f'The statistics of the real images are computed again: {error}')
        return None
    found = stored.get('origin') if isinstance(stored, dict) else None
    if isinstance(found, dict) and found.get('metric_class') in _EARLIER_CLASSES:
        found = {**found, 'metric_class': _EARLIER_CLASSES[found['metric_class']]}
    if found != {'format': FORMAT, **origin}:
        print(f'{path}: the data set or the feature network has changed; computing the statistics again')
        return None
    statistics = stored.get('statistics')
    if stored.get('sha256') != _digest(statistics):
        print(f'{path}: is damaged; computing the statistics again')
        return None
    return statistics


def write(path, statistics, **origin):
    """Write statistics to a file. Processes that do so at once each write a whole file; the last one stays.
    If the file cannot be written, a line says so: the result does not need it."""
    stored = {'origin': {'format': FORMAT, **origin}, 'statistics': statistics, 'sha256': _digest(statistics)}
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        misc.save_pkl(stored, path)
    except OSError as error:
        print(f'{path}: the statistics of the real images cannot be saved ({error.strerror})')


def _digest(statistics):
    """Return the SHA-256 of an array or a sequence of arrays."""
    digest = hashlib.sha256()
    for array in statistics if isinstance(statistics, (tuple, list)) else [statistics]:
        array = np.ascontiguousarray(array)
        digest.update(repr((array.dtype.str, array.shape)).encode('utf-8'))
        digest.update(array.data)
    return digest.hexdigest()
