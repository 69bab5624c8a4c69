"""Results as a table and, with all that is needed to repeat them, as JSON lines."""

import hashlib
import importlib.metadata
import json
import os
import platform
import statistics
from dataclasses import dataclass

import tensorflow.compat.v1 as tf

from metrics import real_cache
from metrics.features import feature_networks
from training import misc

_PACKAGES = ('stylegan-tf', 'numpy', 'scipy')


@dataclass(frozen=True)
class Facts:
    """What a metric was run on, and how long it took."""
    network_pkl: str | None = None  # Path or URL of the network.
    images: str | None = None       # Data set that was measured instead.
    data: object = None             # metrics.evaluation.RealData.
    num_gpus: int = 1
    seconds: float = 0.0

    def title(self):
        """Return the name for result lines."""
        if self.images is not None:
            return f'images of {self.images}'
        return os.path.splitext(os.path.basename(self.network_pkl or ''))[0]


def record(metric, facts):
    """Return the last run of a metric as a dict for JSON."""
    data = facts.data
    if facts.images is None:
        with misc.open_file_or_url(facts.network_pkl) as file:
            digest = hashlib.file_digest(file, 'sha256').hexdigest()
        source = {'network': facts.network_pkl, 'network_sha256': digest}
    else:
        fingerprint = real_cache.fingerprint(data.data_dir, {'tfrecord_dir': facts.images})
        source = {'images': facts.images, 'images_fingerprint': fingerprint}
    return {
        'metric': metric.name,
        'results': dict(metric.results()),
        **source,
        'data_dir': data.data_dir,
        'dataset_args': data.dataset_args,
        'dataset_fingerprint': real_cache.fingerprint(data.data_dir, data.dataset_args),
        'mirror_augment': bool(data.mirror_augment),
        'settings': metric.settings(),
        'feature_networks': {name: feature_networks.checksum(name) for name in metric.network_names},
        'feature_network_origins': {name: feature_networks.origin(name) for name in metric.network_names},
        'num_gpus': facts.num_gpus,
        'seconds': round(facts.seconds, 3),
        'versions': {'python': platform.python_version(), 'tensorflow': tf.__version__, **_versions()},
    }


def append(path, entry):
    """Append a line to a file."""
    with open(path, 'a', encoding='utf-8') as file:
        file.write(json.dumps(entry) + '\n')


def print_table(rows):
    """Print [(network or data set, result, values of all repeats)]: the value, or mean and deviation."""
    width, name_width = (max(len(row[column]) for row in rows) for column in (0, 1))
    print(f'\n{"network":{width}s}  {"metric":{name_width}s}  value')
    for title, name, values in rows:
        spread = f' +- {statistics.stdev(values):.3g} ({len(values)} runs)' if len(values) > 1 else ''
        print(f'{title:{width}s}  {name:{name_width}s}  {statistics.mean(values):.6g}{spread}')


def _versions():
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # run from a folder that has not been installed
    return versions
