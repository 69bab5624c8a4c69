"""Test that processes that share a data set read together what a single process reads."""

import numpy as np
import pytest

from training.data.export import TFRecordExporter
from training.dataset import TFRecordDataset


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Write 22 labelled images, each with its number as its value."""
    path = str(tmp_path_factory.mktemp('data') / 'set')
    with TFRecordExporter(path, 22, print_progress=False) as exporter:
        for index in range(22):
            exporter.add_image(np.full([1, 4, 4], index, np.uint8))
        exporter.add_labels(np.arange(22, dtype=np.float32)[:, np.newaxis])
    return path


def minibatches(data, count, size=2):
    """Read minibatches and check their labels. -> numbers of the images."""
    result = []
    for _ in range(count):
        images, labels = data.get_minibatch_np(size)
        np.testing.assert_array_equal(images[:, 0, 0, 0], labels[:, 0])
        result.append(images[:, 0, 0, 0].tolist())
    return result


@pytest.mark.parametrize('shuffle_mb', [0, 1])
@pytest.mark.parametrize('processes, devices', [(2, 1), (2, 2), (4, 1)])
def test_shares_are_the_stream_of_one_process(processes, devices, shuffle_mb, folder, session):
    total, rounds = processes * devices, 20
    alone = TFRecordDataset(folder, max_label_size='full', shuffle_mb=shuffle_mb)
    minibatches(alone, 1, size=3)
    expected = minibatches(alone, rounds * total)
    for process in range(processes):
        data = TFRecordDataset(folder, max_label_size='full', shuffle_mb=shuffle_mb)
        minibatches(data, 1, size=3)
        data.take_share(process * devices, devices, total)
        mine = minibatches(data, rounds * devices)
        for index in range(devices):
            assert mine[index::devices] == expected[process * devices + index::total]


def test_a_share_begins_in_the_middle_of_a_stream(folder, session):
    alone = TFRecordDataset(folder, max_label_size='full')
    before = minibatches(alone, 5)
    expected = minibatches(alone, 12)
    data = TFRecordDataset(folder, max_label_size='full')
    assert minibatches(data, 5) == before
    data.take_share(1, 1, 3)
    assert minibatches(data, 4) == expected[1::3]
    position = alone.position()
    after = minibatches(alone, 6)
    data.restore(position)
    assert minibatches(data, 2) == after[1::3]
