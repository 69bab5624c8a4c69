"""Define fixtures for tests with a real Slurm, which take minutes. Only `make test-slurm` runs them."""

import os
import subprocess
import sys

import pytest

from tests.slurm import cluster, trainings

collect_ignore_glob = [] if os.environ.get('SLURM_TESTS') else ['test_*.py']


@pytest.fixture(scope='session', autouse=True)
def slurm_cluster(tmp_path_factory):
    """Run a Slurm that `sbatch` and other commands use."""
    missing = cluster.missing_programs()
    if missing:
        pytest.exit(cluster.MISSING.format(', '.join(missing)), returncode=2)
    with cluster.running(tmp_path_factory.mktemp('slurm')):
        yield


@pytest.fixture(scope='session')
def data_dir(tmp_path_factory):
    """Create a folder whose name has a space, with the data set `tiny` of 32x32 pixels."""
    folder = tmp_path_factory.mktemp('data') / 'my data'
    command = [sys.executable, 'dataset_tool.py', 'create_mnist', folder / 'tiny', 'data/fashion-mnist/test']
    subprocess.run(command, cwd=trainings.ROOT, check=True, capture_output=True)
    return folder
