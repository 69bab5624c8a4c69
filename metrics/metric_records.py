"""Results as a table and, with everything that is needed to repeat them, as JSON lines."""

import hashlib
import importlib.metadata
import json
import platform
import statistics

import tensorflow.compat.v1 as tf

from metrics import real_cache
from metrics.features import feature_networks
from training import misc

_PACKAGES = ('stylegan-tf', 'numpy', 'scipy')


def record(metric, network_pkl, dataset_args, data_dir, mirror_augment, seconds, num_gpus, images=None):
    """The last run of a metric as a dict for JSON. `images`: data set that was measured in place of a
    network, or None."""
    networks = {name: feature_networks.checksum(name) for name in metric.network_names}
    return {
        'metric': metric.name,
        'results': dict(metric.results()),
        **(_network(network_pkl) if images is None else _images(data_dir, images)),
        'data_dir': data_dir,
        'dataset_args': dataset_args,
        'dataset_fingerprint': real_cache.fingerprint(data_dir, dataset_args),
        'mirror_augment': bool(mirror_augment),
        'settings': metric.settings(),
        'feature_networks': networks,
        'feature_network_origins': {name: feature_networks.origin(name) for name in networks},
        'num_gpus': num_gpus,
        'seconds': round(seconds, 3),
        'versions': {'python': platform.python_version(), 'tensorflow': tf.__version__, **_versions()},
    }


def _network(network_pkl):
    return {'network': network_pkl, 'network_sha256': _sha256(network_pkl)}


def _images(data_dir, name):
    return {'images': name,
            'images_fingerprint': real_cache.fingerprint(data_dir, {'tfrecord_dir': name})}


def append(path, entry):
    """Add a line to a file."""
    with open(path, 'a', encoding='utf-8') as file:
        file.write(json.dumps(entry) + '\n')


def print_table(rows):
    """Print [(network or data set, result, values of all repeats)]: the value or its mean and deviation."""
    width, name_width = (max(len(row[column]) for row in rows) for column in (0, 1))
    print(f'\n{"network":{width}s}  {"metric":{name_width}s}  value')
    for title, name, values in rows:
        spread = f' +- {statistics.stdev(values):.3g} ({len(values)} runs)' if len(values) > 1 else ''
        print(f'{title:{width}s}  {name:{name_width}s}  {statistics.mean(values):.6g}{spread}')


def _sha256(file_or_url):
    with misc.open_file_or_url(file_or_url) as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def _versions():
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # run from a folder without having been installed
    return versions
