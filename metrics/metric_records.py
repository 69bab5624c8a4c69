"""Results as JSON lines, with everything that is needed to repeat them."""

import hashlib
import importlib.metadata
import json
import platform

from metrics import feature_networks, real_cache
from training import misc

_PACKAGES = ('stylegan-tf', 'tensorflow', 'numpy', 'scipy')


def record(metric, network_pkl, dataset_args, data_dir, mirror_augment, seconds, num_gpus):
    """The last run of a metric as a dict for JSON."""
    networks = {name: feature_networks.checksum(name) for name in metric.network_names}
    return {
        'metric': metric.name,
        'results': dict(metric.results()),
        'network': network_pkl,
        'network_sha256': _sha256(network_pkl),
        'data_dir': data_dir,
        'dataset_args': dataset_args,
        'dataset_fingerprint': real_cache.fingerprint(data_dir, dataset_args),
        'mirror_augment': bool(mirror_augment),
        'settings': metric.settings(),
        'feature_networks': networks,
        'feature_network_origins': {name: feature_networks.origin(name) for name in networks},
        'num_gpus': num_gpus,
        'seconds': round(seconds, 3),
        'versions': {'python': platform.python_version(), **_versions()},
    }


def append(path, entry):
    """Add a line to a file."""
    with open(path, 'a', encoding='utf-8') as file:
        file.write(json.dumps(entry) + '\n')


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
