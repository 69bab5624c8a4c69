"""Test names of classes: where data sets and run directories have them."""

import shutil

import pytest

from dnnlib.util import UserError
from tests.dataset_files import random_pixels, write_images
from training.data import class_names, dataset_json, folders


def write_peers_folder(folder, names):
    """Write two images with labels, and with names of classes unless they are None."""
    write_images(folder, [random_pixels(8, 8, 3)] * 2)
    (folder / 'dataset.json').write_text(dataset_json.text({'0.png': 0, '1.png': 1}, names))


def test_a_folder_of_images_has_the_names_of_its_dataset_json(tmp_path):
    for name, names in (('named', ['cat', 'dog']), ('unnamed', None)):
        write_peers_folder(tmp_path / name, names)
        assert folders.names_of_classes(str(tmp_path / name)) == names


def test_a_zip_file_has_the_names_of_its_dataset_json(tmp_path):
    write_peers_folder(tmp_path / 'photos', ['cat', 'dog'])
    path = shutil.make_archive(str(tmp_path / 'photos'), 'zip', tmp_path / 'photos')
    assert folders.names_of_classes(path) == ['cat', 'dog']


def test_a_folder_of_records_has_a_file_of_names(tmp_path):
    assert folders.names_of_classes(str(tmp_path)) is None
    class_names.write(tmp_path / 'pets.classes.json', ['Katze', 'Hündin'])
    assert folders.names_of_classes(str(tmp_path)) == ['Katze', 'Hündin']


def test_a_run_keeps_the_names_of_the_classes_that_it_uses(tmp_path, capsys):
    class_names.keep(['cat', 'dog', 'wild'], 2, tmp_path)
    assert class_names.read(tmp_path / 'classes.json') == ['cat', 'dog']
    class_names.keep(['cow', 'hen'], 2, tmp_path)
    assert class_names.read(tmp_path / 'classes.json') == ['cat', 'dog'], 'a resumed run keeps them'
    (tmp_path / 'other').mkdir()
    class_names.keep(['cow', 'hen'], 3, tmp_path / 'other')
    assert 'names 2 classes, but the labels have 3 components' in capsys.readouterr().out
    assert list((tmp_path / 'other').iterdir()) == []


@pytest.mark.parametrize('text', ['', '[]', '{"classes": []}', '{"classes": ["cat", 3]}'])
def test_a_file_without_names_is_an_error_that_names_it(text, tmp_path):
    path = tmp_path / 'classes.json'
    path.write_text(text)
    with pytest.raises(UserError, match=f'^{path}: '):
        class_names.read(path)


def test_long_lists_of_names_are_cut():
    names = [f'class {number}' for number in range(1000)]
    assert class_names.listed(names).endswith('class 18, class 19, ... (1000 in all)')
