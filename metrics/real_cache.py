"""Statistics of real images, kept from run to run for as long as what they were made of is the same.

The name of a file says what was asked for, as in the published code. What else they depend on, the files of
the data set and the feature network, stands inside and is checked when the file is read.
"""

import glob
import hashlib
import os

from dnnlib.util import UserError
from training import misc

FORMAT = 1  # to be raised when the same arguments give other statistics


def file_path(metric_name, mirror_augment, dataset_args, extension='pkl', **kwargs):
    """Where the statistics for these arguments are kept; `kwargs` win over `dataset_args`."""
    key = {'metric_name': metric_name, 'mirror_augment': mirror_augment, **dataset_args, **kwargs}
    md5 = hashlib.md5(repr(sorted(key.items())).encode('utf-8')).hexdigest()
    location = dataset_args.get('tfrecord_dir') or dataset_args.get('h5_file') or dataset_args.get('path')
    data_name = os.path.splitext(os.path.basename(str(location or 'data')))[0]
    return os.path.join(misc.CACHE_DIR, f'{md5}-{metric_name}-{data_name}.{extension}')


def fingerprint(data_dir, dataset_args):
    """SHA-256 of names, sizes and times of the files of a data set, 'none' for one without files. Images and
    labels count; what is in them is not read."""
    if 'tfrecord_dir' not in dataset_args:
        return 'none'
    folder = glob.escape(os.path.join(data_dir or '', dataset_args['tfrecord_dir']))
    files = [path for kind in ('tfrecords', 'labels')
             for path in glob.glob(os.path.join(folder, f'*.{kind}'))]
    label_file = dataset_args.get('label_file')
    if label_file is not None and os.path.isfile(label_file):
        files.append(label_file)
    facts = []
    for path in sorted(files):
        status = os.stat(path)
        facts.append((os.path.basename(path), status.st_size, status.st_mtime_ns))
    return hashlib.sha256(repr(facts).encode('utf-8')).hexdigest()


def read(path, **origin):
    """The statistics in a file, or None if there is none, it is damaged or they come from anything else."""
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
    return stored['statistics']


def write(path, statistics, **origin):
    """Keep statistics. Processes that do so at once each write a whole file; the last one stays."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    misc.save_pkl({'origin': {'format': FORMAT, **origin}, 'statistics': statistics}, path)
