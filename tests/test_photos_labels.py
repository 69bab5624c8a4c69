"""Test the labels of create_from_images: from folders, dataset.json and tables."""

import json
import os
import zipfile

import numpy as np
import PIL.Image
import pytest

from dnnlib.util import UserError
from tests import awkward_images
from tests.awkward_images import encoded
from tests.dataset_files import classes_in, images_in, refused, run
from training.data import class_names
from training.data.image_source import ImageSource
from training.data.photos import labels

NAMES = ['bird/a.png', 'cat/b.png', 'cat/old/c.png', 'dog/d.png', 'top.png']


@pytest.fixture
def source(tmp_path):
    """Write images whose pixels are all their number. -> folder."""
    return awkward_images.write(tmp_path / 'photos', {
        name: encoded(PIL.Image.new('L', [4, 4], idx), 'PNG') for idx, name in enumerate(NAMES)})


def numbers_in(folder):
    return images_in(folder, 4)[:, 0, 0, 0].tolist()


def rows_of(source, choice, names):
    """Return the labels of files as a list of lists, and the names of classes."""
    rows, classes = labels.read(ImageSource(str(source)), choice).rows(names)
    return rows.tolist(), classes


def test_folders_are_classes_in_the_order_of_the_images(tmp_path, source, capsys):
    run('create_from_images', tmp_path / 'set', source, '--labels=folders')
    expected = [[0, 1, 1, 2][number] for number in numbers_in(tmp_path / 'set')]
    assert classes_in(tmp_path / 'set', num_classes=3) == expected
    assert class_names.read(class_names.find(str(tmp_path / 'set'))) == ['bird', 'cat', 'dog']
    shown = capsys.readouterr().out
    assert 'Labels: 3 classes: bird (1), cat (2), dog (1).' in shown
    assert 'without a label (1):\n    top.png: not in the folder of a class' in shown


def test_folders_without_a_usable_image_are_no_class(tmp_path, source):
    awkward_images.write(source, {'bird/a.png': b'damaged', 'documents/readme.txt': b'text'})
    run('create_from_images', tmp_path / 'set', source, '--labels=folders', '--shuffle=0')
    assert classes_in(tmp_path / 'set', num_classes=2) == [0, 0, 1]
    assert class_names.read(class_names.find(str(tmp_path / 'set'))) == ['cat', 'dog']


def test_folders_whose_names_are_not_utf_8_are_classes(tmp_path, source, capsys):
    (source / 'bird').rename(source / os.fsdecode(b'caf\xe9'))
    (source / 'dog').rename(source / 'd\nog')
    run('create_from_images', tmp_path / 'set', source, '--labels=folders')
    names = class_names.read(class_names.find(str(tmp_path / 'set')))
    assert names == [os.fsdecode(b'caf\xe9'), 'cat', 'd\nog']
    assert r'Labels: 3 classes: caf\udce9 (1), cat (2), d\nog (1).' in capsys.readouterr().out


def test_names_in_zip_files_may_begin_with_a_dot_or_slash(tmp_path):
    content = encoded(PIL.Image.new('L', [4, 4]), 'PNG')
    with zipfile.ZipFile(tmp_path / 'photos.zip', 'w') as file:
        for name in ('./cat/a.png', '/dog//b.png', './.hidden/c.png', './d.png'):
            file.writestr(name, content)
    assert ImageSource(str(tmp_path / 'photos.zip')).names == ['./cat/a.png', './d.png', '/dog//b.png']
    rows, classes = rows_of(tmp_path / 'photos.zip', 'folders', ['./cat/a.png', '/dog//b.png'])
    assert (rows, classes) == ([[1, 0], [0, 1]], ['cat', 'dog'])


def test_one_folder_around_everything_is_no_class(tmp_path, source):
    (source / 'top.png').unlink()
    source.rename(tmp_path / 'inner')
    (tmp_path / 'photos').mkdir()
    (tmp_path / 'inner').rename(tmp_path / 'photos' / 'inner')
    rows, classes = rows_of(tmp_path / 'photos', 'folders', ['inner/cat/old/c.png', 'inner/dog/d.png'])
    assert (rows, classes) == ([[1, 0], [0, 1]], ['cat', 'dog'])


def test_dataset_json_is_used_unless_it_is_refused(tmp_path, source, capsys):
    content = {'labels': [[name, 2 * idx] for idx, name in enumerate(NAMES[:3])] + [[NAMES[3], None]]}
    (source / 'dataset.json').write_text(json.dumps(content))
    run('create_from_images', tmp_path / 'set', source, '--shuffle=0')
    assert classes_in(tmp_path / 'set', num_classes=5) == [0, 2, 4]
    shown = capsys.readouterr().out
    assert 'dataset.json; --labels=none leaves them out.' in shown and 'without a label (2):' in shown
    assert class_names.find(str(tmp_path / 'set')) is None
    run('create_from_images', tmp_path / 'set', source, '--labels=none')
    assert len(numbers_in(tmp_path / 'set')) == 5 and not list((tmp_path / 'set').glob('*.labels'))
    (source / 'dataset.json').write_text(json.dumps(content | {'classes': list('abcdef')}))
    rows, classes = rows_of(source, 'dataset.json', NAMES[:2])
    assert (rows, classes) == ([[1, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0]], list('abcdef'))


def test_a_missing_dataset_json_is_named(tmp_path, source):
    refused(tmp_path, 'dataset.json: .*photos/dataset.json does not exist or has no labels',
            'create_from_images', source, '--labels=dataset.json')


@pytest.mark.parametrize('table, rows, classes', [
    ('file,class\nbird/a.png,x\ncat/b.png,y\n', [[1, 0], [0, 1]], ['x', 'y']),
    ('bird/a.png,y\ncat/b.png,x\n', [[0, 1], [1, 0]], ['x', 'y']),
    ('\ufeffa.png;y z\r\n./cat\\b.png;"x;"\r\n', [[0, 1], [1, 0]], ['x;', 'y z']),
    ('a.png\t2\nb.png\t0\n', [[0, 0, 1], [1, 0, 0]], None),
    ('a.png,0.5\nb.png,1\n', [[0.5], [1]], None),
    ('a.png,1,-2.5\nb.png,0,1e3\n\nlost.png,7,8\n', [[1, -2.5], [0, 1000]], None)])
def test_tables_have_classes_or_numbers(source, tmp_path, table, rows, classes):
    (tmp_path / 'labels.csv').write_text(table, encoding='utf-8', newline='')
    assert rows_of(source, str(tmp_path / 'labels.csv'), NAMES[:2]) == (rows, classes)


def test_a_table_in_the_source_is_no_image(tmp_path, source, capsys):
    (source / 'labels.csv').write_text('name,class\nd.png,dog\ntop.png,none\nlost.png,cat\n')
    run('create_from_images', tmp_path / 'set', source, '--labels=labels.csv', '--shuffle=0')
    assert numbers_in(tmp_path / 'set') == [3, 4]
    assert classes_in(tmp_path / 'set', num_classes=2) == [0, 1]
    shown = capsys.readouterr().out
    assert 'labels.csv: 1 of 3 lines name no file in' in shown
    assert 'without a label (3):' in shown and 'not an image' not in shown


@pytest.mark.parametrize('table, match', [
    ('bird/a.png,x\na.png,y\n', "line 2: another label for 'a.png' than in an earlier line"),
    ('a.png\n', 'line 1: expected a file name and a class'),
    ('a.png,1\nb.png,1,2\n', 'line 2: expected a file name'),
    ('a.png,1,x\nb.png,1,y\n', 'expected a file name and one class, or only numbers'),
    ('lost.png,1\nlost2.png,2\n', 'none of its 1 lines names a file'),
    ('', 'none of its 0 lines names a file'),
    ('a.png,1\nsame.png,2\n', "line 2: 2 files have the name 'same.png'; write their paths"),
    ('a.png,1\nb.png,nan\n', 'expected a class, 0 or more, or equally many numbers'),
    ('a.png,99999999\n', 'contains the class 99999999')])
def test_tables_that_do_not_fit_are_named(tmp_path, source, table, match):
    awkward_images.write(source, {'x/same.png': b'', 'y/same.png': b''})
    (tmp_path / 'labels.csv').write_text(table)
    with pytest.raises(UserError, match=f'labels.csv: {match}') as info:
        labels.read(ImageSource(str(source)), str(tmp_path / 'labels.csv'))
    assert '\n' not in str(info.value)


def test_labels_keep_their_images_when_files_are_left_out(tmp_path, source):
    (source / 'cat' / 'b.png').write_bytes(b'damaged')
    (tmp_path / 'l.csv').write_text(''.join(f'{name},{idx},0\n' for idx, name in enumerate(NAMES)))
    run('create_from_images', tmp_path / 'set', source, f'--labels={tmp_path}/l.csv', '--max-images=3')
    rows = np.load(tmp_path / 'set' / 'set-rxx.labels')
    assert rows[:, 0].tolist() == numbers_in(tmp_path / 'set') and 1 not in rows[:, 0] and len(rows) == 3
