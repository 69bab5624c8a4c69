"""Test that metrics.real_cache returns the statistics of real images only for the same data."""

import os
import subprocess
import sys

import numpy as np
import pytest

from metrics import real_cache
from tests.test_house import ROOT

ARGS = dict(tfrecord_dir='tiny', shuffle_mb=0)
ORIGIN = dict(data='da7a', feature_network='0e7')
_rnd = np.random.RandomState(3)


@pytest.fixture
def statistics():
    return _rnd.randn(20), _rnd.randn(20, 20)


@pytest.fixture
def cache(tmp_path):
    """Return the path of a file in a folder that does not exist yet."""
    return str(tmp_path / 'cache' / 'reals.pkl')


@pytest.fixture
def data_dir(tmp_path):
    """Write a data set whose files are larger than the part of them that is read."""
    folder = tmp_path / 'data' / 'tiny'
    folder.mkdir(parents=True)
    for name, size in [('tiny-r04.tfrecords', 3_000_000), ('tiny-r03.tfrecords', 700),
                       ('tiny-rxx.labels', 900)]:
        (folder / name).write_bytes(_rnd.bytes(size))
    return folder.parent


def same(actual, expected):
    return len(actual) == len(expected) and all(map(np.array_equal, actual, expected))


def test_statistics_come_back_as_they_were(cache, statistics, capsys):
    assert real_cache.read(cache, **ORIGIN) is None
    real_cache.write(cache, statistics, **ORIGIN)
    assert same(real_cache.read(cache, **ORIGIN), statistics)
    features = statistics[1].astype(np.float32)
    real_cache.write(cache, features, **ORIGIN)
    np.testing.assert_array_equal(real_cache.read(cache, **ORIGIN), features)
    assert capsys.readouterr().out == ''


@pytest.mark.parametrize('other', [dict(data='other'), dict(feature_network='other'), dict(more=1)])
def test_statistics_of_another_origin_are_not_taken(other, cache, statistics, capsys):
    real_cache.write(cache, statistics, **ORIGIN)
    assert real_cache.read(cache, **{**ORIGIN, **other}) is None
    assert 'has changed; computing the statistics again' in capsys.readouterr().out


def test_statistics_of_earlier_classes_are_read(cache, statistics):
    real_cache.write(cache, statistics, **ORIGIN, metric_class='FrechetDistance')
    assert same(real_cache.read(cache, **ORIGIN, metric_class='FID'), statistics)
    assert real_cache.read(cache, **ORIGIN, metric_class='KID') is None


@pytest.mark.parametrize('change', [
    dict(metric_name='other'), dict(mirror_augment=True), dict(num_images=9), dict(max_reals=8),
    dict(dataset_args={**ARGS, 'resolution': 8}), dict(dataset_args={**ARGS, 'max_images': 7}),
    dict(dataset_args={**ARGS, 'tfrecord_dir': 'other'}), dict(dataset_args={**ARGS, 'repeat': False})],
    ids=lambda change: str(list(change.values())[0]))
def test_other_arguments_have_another_file(change):
    arguments = dict(metric_name='fid', mirror_augment=False, dataset_args=ARGS, num_images=8)
    assert real_cache.file_path(**arguments) == real_cache.file_path(**arguments)
    assert real_cache.file_path(**{**arguments, **change}) != real_cache.file_path(**arguments)


@pytest.mark.parametrize('position', [0, 1_500_000, 2_999_000])
def test_a_data_set_written_again_is_another_one_even_with_the_same_size_and_time(position, data_dir):
    before = real_cache.fingerprint(str(data_dir), ARGS)
    path = data_dir / 'tiny' / 'tiny-r04.tfrecords'
    status = path.stat()
    content = path.read_bytes()
    path.write_bytes((content[:position] + _rnd.bytes(100_000) + content[position + 100_000:])[:len(content)])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_size == status.st_size
    assert real_cache.fingerprint(str(data_dir), ARGS) != before


@pytest.mark.parametrize('name', ['tiny-r04.tfrecords', 'tiny-r03.tfrecords', 'tiny-rxx.labels'])
def test_every_file_of_a_data_set_counts(name, data_dir):
    before = real_cache.fingerprint(str(data_dir), ARGS)
    path = data_dir / 'tiny' / name
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    changed = real_cache.fingerprint(str(data_dir), ARGS)
    path.unlink()
    assert len({before, changed, real_cache.fingerprint(str(data_dir), ARGS)}) == 3


def test_labels_below_the_folder_count_whatever_their_name_is(data_dir):
    args = {**ARGS, 'label_file': 'classes.npy'}
    (data_dir / 'tiny' / 'classes.npy').write_bytes(b'one')
    before = real_cache.fingerprint(str(data_dir), args)
    (data_dir / 'tiny' / 'classes.npy').write_bytes(b'two')
    assert real_cache.fingerprint(str(data_dir), args) != before


def test_data_without_files_has_no_fingerprint():
    assert real_cache.fingerprint(None, dict(class_name='training.dataset.SyntheticDataset')) == 'none'


@pytest.mark.parametrize('length', [0, 1, 100, 1000, 3000])
def test_a_file_that_is_cut_off_is_not_taken(length, cache, statistics, capsys):
    real_cache.write(cache, statistics, **ORIGIN)
    with open(cache, 'r+b') as file:
        file.truncate(length)
    assert real_cache.read(cache, **ORIGIN) is None
    assert 'computed again' in capsys.readouterr().out


def test_a_damaged_byte_anywhere_is_noticed_or_does_no_harm(cache, statistics):
    real_cache.write(cache, statistics, **ORIGIN)
    with open(cache, 'rb') as file:
        content = bytearray(file.read())
    for position in range(0, len(content), 23):
        damaged = content.copy()
        damaged[position] ^= 0x55
        with open(cache, 'wb') as file:
            file.write(damaged)
        result = real_cache.read(cache, **ORIGIN)
        assert result is None or same(result, statistics), position


def test_a_folder_that_takes_no_files_costs_a_line_and_no_result(tmp_path, statistics, capsys):
    (tmp_path / 'file').write_text('in the way')
    real_cache.write(str(tmp_path / 'file' / 'reals.pkl'), statistics, **ORIGIN)
    assert 'cannot be saved (File exists)' in capsys.readouterr().out


FOUR_WRITERS = """
import os, sys
import numpy as np
from metrics import real_cache
path, origin = sys.argv[1], dict(data='da7a', feature_network='0e7')
children = []
for index in range(4):
    child = os.fork()
    if child:
        children.append(child)
        continue
    status = 1
    try:
        for turn in range(20):
            real_cache.write(path, np.full([300, 300], 7.0), **origin)
            status = int(not np.all(real_cache.read(path, **origin) == 7.0))
            if status:
                break
    finally:
        os._exit(status)
sys.exit(any([os.waitpid(child, 0)[1] for child in children]))
"""


@pytest.mark.long
def test_processes_that_write_at_once_leave_one_whole_file(cache):
    done = subprocess.run([sys.executable, '-c', FOUR_WRITERS, cache], cwd=ROOT, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == b''
    assert os.listdir(os.path.dirname(cache)) == ['reals.pkl']
    assert np.all(real_cache.read(cache, **ORIGIN) == 7.0)


KILLED_WRITER = """
import os, signal, sys
import numpy as np
from metrics import real_cache
os.replace = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)
real_cache.write(sys.argv[1], np.zeros(1000), data='da7a', feature_network='0e7')
"""


def test_a_process_that_is_killed_while_it_writes_leaves_nothing_to_be_read(cache):
    done = subprocess.run([sys.executable, '-c', KILLED_WRITER, cache], cwd=ROOT, capture_output=True)
    assert done.returncode == -9
    assert real_cache.read(cache, **ORIGIN) is None
