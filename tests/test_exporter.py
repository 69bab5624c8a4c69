"""Test what TFRecordExporter writes beside square pixels, and folders that several runs write to."""

import io
import json
import signal
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest
import tensorflow.compat.v1 as tf

from dnnlib.util import UserError
from tests.dataset_files import contents, random_pixels, records
from tests.test_house import ROOT
from training.data import encoding, folders
from training.data.export import TFRecordExporter

PIXELS = random_pixels(3, 3, 12, 20)  # base 3x5 doubled twice: nominal resolution 16


def write(folder, images, labels=None, class_names=None, report=None, **options):
    with TFRecordExporter(str(folder), len(images), print_progress=False, **options) as exporter:
        for image in images:
            exporter.add_image(image)
        if labels is not None:
            exporter.add_labels(labels, class_names)
        if report is not None:
            exporter.add_report(report)
    return folder


def features(path):
    """Return [{name of a feature: its value}] of the records in a file."""
    found = []
    for record in tf.python_io.tf_record_iterator(str(path)):
        feature = tf.train.Example.FromString(record).features.feature
        found.append({name: list(value.int64_list.value) or value.bytes_list.value[0]
                      for name, value in feature.items()})
    return found


def test_files_of_other_sizes_are_named_by_the_nominal_resolution(tmp_path):
    folder = write(tmp_path / 'set', PIXELS)
    shapes = {path.name: records(path)[0][0] for path in folder.iterdir()}
    assert shapes == {'set-r04.tfrecords': [3, 12, 20], 'set-r03.tfrecords': [3, 6, 10],
                      'set-r02.tfrecords': [3, 3, 5]}


@pytest.mark.parametrize('store', encoding.STORES)
@pytest.mark.parametrize('channels', [1, 3])
def test_encoded_images_are_written_as_if_they_were_added_as_pixels(tmp_path, store, channels):
    images = PIXELS[:, :channels]
    by_pixels = contents(write(tmp_path / 'pixels' / 'set', images, store=store))
    with TFRecordExporter(str(tmp_path / 'set'), 3, print_progress=False, store=store) as exporter:
        for image in images:
            exporter.add_encoded(encoding.encoded(image, store))
    assert contents(tmp_path / 'set') == by_pixels


@pytest.mark.parametrize('store', ['png', 'jpeg'])
def test_image_files_are_stored_once_at_full_resolution(tmp_path, store):
    folder = write(tmp_path / 'set', PIXELS, store=store)
    assert list(contents(folder)) == ['set-r04.tfrecords']
    for feature, image in zip(features(folder / 'set-r04.tfrecords'), PIXELS, strict=True):
        assert (feature['shape'], feature['encoding']) == ([3, 12, 20], store.encode())
        with PIL.Image.open(io.BytesIO(feature['data'])) as picture:
            assert picture.format == store.upper()
            difference = np.asarray(picture).transpose(2, 0, 1) - image.astype(float)
        assert (np.abs(difference).max() == 0) == (store == 'png')


def test_numbers_that_are_not_whole_are_rounded_before_a_file_is_encoded(tmp_path):
    folder = write(tmp_path / 'set', [np.full([1, 4, 4], 7.6)], store='png')
    data = features(folder / 'set-r02.tfrecords')[0]['data']
    with PIL.Image.open(io.BytesIO(data)) as picture:
        assert np.unique(picture).tolist() == [8]


def test_names_of_classes_and_a_report_belong_to_the_data_set(tmp_path):
    folder = write(tmp_path / 'set', PIXELS, np.eye(3)[:, :2], ['Äpfel', 'pears'], report='3 images\n')
    assert json.loads((folder / 'set.classes.json').read_text('utf-8')) == {'classes': ['Äpfel', 'pears']}
    assert (folder / 'set-report.txt').read_text() == '3 images\n'
    write(folder, PIXELS, np.eye(3), ['a', 'b', 'c'], store='png')
    assert sorted(contents(folder)) == ['set-r04.tfrecords', 'set-rxx.labels', 'set.classes.json']
    write(folder, PIXELS)
    assert sorted(contents(folder)) == [f'set-r0{log2}.tfrecords' for log2 in (2, 3, 4)]


def test_every_class_needs_a_name(tmp_path):
    with pytest.raises(UserError, match='labels have 3 components, but there are 2 names of classes'):
        write(tmp_path / 'set', PIXELS, np.eye(3), ['a', 'b'])
    assert not (tmp_path / 'set').exists()


def test_a_folder_with_names_of_another_data_set_is_refused(tmp_path):
    (tmp_path / 'set').mkdir()
    (tmp_path / 'set' / 'other.classes.json').write_text('{"classes": ["a"]}')
    with pytest.raises(UserError, match='files of another data set, such as other.classes.json'):
        write(tmp_path / 'set', PIXELS)


# Replace the files of a data set, and kill the process when it is about to move file number `argv[2]`.
KILLED_RUN = """
import os, pathlib, signal, sys
from training.data.work_folder import WorkFolder

replace, left = os.replace, [int(sys.argv[2])]

def replace_or_die(source, target):
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    replace(source, target)

os.replace = replace_or_die
folder = WorkFolder(sys.argv[1])
for name in sys.argv[3:]:
    pathlib.Path(folder.path, name).write_text('new')
folder.move_into_place([name for name in os.listdir(sys.argv[1]) if name.startswith('set')])
"""


def killed_run(folder, moves, names):
    done = subprocess.run([sys.executable, '-c', KILLED_RUN, folder, str(moves), *names], cwd=ROOT,
                          check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


EARLIER = ['set-r02.tfrecords', 'set-report.txt', 'set-rxx.labels']
NEW = ['set-r02.tfrecords', 'set-r03.tfrecords']


@pytest.mark.parametrize('moves', range(5))
def test_the_next_run_takes_up_what_a_killed_one_has_left(tmp_path, moves):
    folder = write(tmp_path / 'set', np.zeros([2, 3, 4, 4]), np.zeros([2, 1]), report='earlier')
    before = contents(folder)
    assert sorted(before) == EARLIER
    killed_run(folder, moves, NEW)
    assert len(list(folder.glob('incomplete-*'))) == 1
    with pytest.raises(UserError, match='there are no images to write'):
        write(folder, [])
    # Until all earlier files have moved, they are put back; after that, the new ones are put in place.
    assert contents(folder) == (before if moves < 3 else dict.fromkeys(NEW, b'new'))


def test_a_folder_with_nothing_complete_is_not_a_data_set(tmp_path):
    killed_run(tmp_path / 'set', 0, NEW)
    with pytest.raises(UserError, match='set: holds only an incomplete data set; wait for'):
        folders.record_paths(str(tmp_path / 'set'))


def test_a_folder_of_the_user_with_such_a_name_stays(tmp_path):
    own = tmp_path / 'set' / 'incomplete-pictures' / 'of the garden.png'
    own.parent.mkdir(parents=True)
    own.write_bytes(b'png')
    write(tmp_path / 'set', PIXELS)
    assert own.read_bytes() == b'png'


def test_a_folder_takes_one_run_at_a_time(tmp_path):
    with TFRecordExporter(str(tmp_path / 'set'), 1, print_progress=False) as exporter:
        with pytest.raises(UserError, match='set: another process writes to this folder; wait for it'):
            TFRecordExporter(str(tmp_path / 'set'), 1, print_progress=False)
        exporter.add_image(PIXELS[0])
    assert len(contents(tmp_path / 'set')) == 3
    write(tmp_path / 'set', PIXELS)
