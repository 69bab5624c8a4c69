"""Test dataset_tool.py on CIFAR, SVHN, CelebA and stacked MNIST: contents, order, labels, bad input."""

import inspect
import os
import pickle

import numpy as np
import pytest

import dataset_tool
from dnnlib.util import UserError
from tests.dataset_files import (
    classes_in,
    contents,
    images_in,
    random_pixels,
    refused,
    run,
    shuffled_order,
    write_images,
    write_mnist,
)
from tests.python2_pickles import python2_batch
from training.data import class_names, image_files


@pytest.mark.parametrize('command, options', [
    (['create_mnistrgb', 'set', 'source'], dict(num_images=1000000, random_seed=123)),
    (['create_cifar10', 'set', 'source'], dict(ignore_labels=0)),
    (['create_cifar100', 'set', 'source'], {}),
    (['create_svhn', 'set', 'source'], {}),
    (['create_lsun', 'set', 'source'], dict(resolution=256, max_images=None)),
    (['create_lsun_wide', 'set', 'source'], dict(width=512, height=384, max_images=None)),
    (['create_celeba', 'set', 'source'], dict(cx=89, cy=121, any_count=0)),
    (['create_from_hdf5', 'set', 'source'], dict(shuffle=1))])
def test_options_have_the_published_defaults_and_one_is_our_own(command, options):
    args = vars(dataset_tool.make_parser().parse_args(command))
    function = args.pop('function')
    assert list(args.items())[1:] == [*zip(list(args)[1:3], ['set', 'source'], strict=True), *options.items()]
    assert args.pop('command') == function.__name__
    parameters = inspect.signature(function).parameters
    assert list(parameters) == list(args)
    assert {name: parameters[name].default for name in options} == options


@pytest.mark.parametrize('seed_args, seed', [([], 123), (['--random_seed', 5], 5)])
def test_mnistrgb_stacks_three_random_digits(tmp_path, seed_args, seed):
    source = write_mnist(tmp_path / 'mnist', num_images=9)
    (source / image_files.MNIST_LABELS).unlink()  # not needed
    run('create_mnistrgb', tmp_path / 'set', source, '--num_images', 4, *seed_args)
    digits = image_files.read_mnist_images(str(source))
    assert digits.shape == (9, 32, 32)
    chosen = np.random.RandomState(seed).randint(9, size=[4, 3])
    np.testing.assert_array_equal(images_in(tmp_path / 'set', 32), digits[chosen])
    assert not list((tmp_path / 'set').glob('*.labels'))


def write_cifar10(folder, num_images=(2, 3, 1, 1, 2), **changes):
    """Write five batches as Python 2 did, with `changes` to the third. -> folder."""
    folder.mkdir()
    for idx, num in enumerate(num_images):
        batch = {'data': random_pixels(num, 3072), 'labels': [(idx + 3 * i) % 10 for i in range(num)]}
        (folder / f'data_batch_{idx + 1}').write_bytes(
            python2_batch(batch) if idx != 2 or not changes else pickle.dumps({**batch, **changes}))
    return folder


def test_cifar10_joins_its_batches_in_shuffled_order(tmp_path):
    source = write_cifar10(tmp_path / 'cifar')
    run('create_cifar10', tmp_path / 'set', source)
    batches = [pickle.loads((source / f'data_batch_{idx}').read_bytes(), encoding='latin1')
               for idx in range(1, 6)]
    pixels = np.concatenate([batch['data'] for batch in batches]).reshape(9, 3, 32, 32)
    classes = np.concatenate([batch['labels'] for batch in batches])
    order = shuffled_order(9)
    np.testing.assert_array_equal(images_in(tmp_path / 'set', 32), pixels[order])
    assert classes_in(tmp_path / 'set', num_classes=10) == classes[order].tolist()
    assert len(contents(tmp_path / 'set')) == 5  # 4 resolutions and labels


def test_cifar10_can_be_written_without_labels(tmp_path):
    source = write_cifar10(tmp_path / 'cifar')
    names = {'label_names': [str(idx) for idx in range(10)]}
    (source / 'batches.meta').write_bytes(pickle.dumps(names))
    run('create_cifar10', tmp_path / 'set', source, '--ignore_labels=1')
    assert sorted(contents(tmp_path / 'set')) == [f'set-r0{number}.tfrecords' for number in (2, 3, 4, 5)]


@pytest.mark.parametrize('dtype', ['uint8', 'int32', 'int64', list])
def test_classes_may_be_of_any_integer_type(tmp_path, dtype):
    labels = [4] if dtype is list else np.array([4], dtype)
    run('create_cifar10', tmp_path / 'set', write_cifar10(tmp_path / 'cifar', labels=labels))
    assert 4 in classes_in(tmp_path / 'set', num_classes=10)


@pytest.mark.parametrize('changes, match', [
    (dict(data=random_pixels(1, 3071)), r'images are uint8 of shape \[1, 3071\]; expected .* \[N,3072\]'),
    (dict(data=random_pixels(3072)), r'images are uint8 of shape \[3072\]'),
    (dict(data=np.zeros([1, 3072], np.float32)), 'images are float32 of shape'),
    (dict(data=[[0] * 3072]), 'images are list; expected uint8'),
    (dict(data=np.zeros([0, 3072], np.uint8), labels=[]), r'images are uint8 of shape \[0, 3072\]; expected'),
    (dict(labels=[1, 2]), r'labels are int64 of shape \[2\]; expected one integer for each of the 1 images'),
    (dict(labels=[[1]]), r'labels are int64 of shape \[1, 1\]'),
    (dict(labels=[1.0]), 'labels are float64'),
    (dict(labels=['1']), 'labels are <U1'),
    (dict(labels=[2 ** 70]), 'labels are object'),
    (dict(labels=[[1], [1, 2]]), 'the labels are not a list of numbers'),
    (dict(labels={1: 1}), 'labels are object'),
    (dict(labels=[10]), 'contains the class 10; expected 0 to 9'),
    (dict(labels=[-1]), 'contains the class -1; expected 0 to 9')])
def test_cifar_batches_that_do_not_fit_are_named(tmp_path, changes, match):
    source = write_cifar10(tmp_path / 'cifar', **changes)
    refused(tmp_path, f'data_batch_3: {match}', 'create_cifar10', source)


def test_damaged_cifar_files_are_named(tmp_path):
    source = write_cifar10(tmp_path / 'cifar')
    path = source / 'data_batch_2'
    content = path.read_bytes()
    for change, match in [
            (content[:5000], 'data_batch_2: not a readable pickle of arrays'),
            (b'<html>', 'data_batch_2: not a readable pickle of arrays'),
            (pickle.dumps({'data': 1}), "data_batch_2: expected a dictionary with 'data' and 'labels'"),
            (pickle.dumps([1, 2]), "data_batch_2: expected a dictionary with 'data' and 'labels'")]:
        path.write_bytes(change)
        refused(tmp_path, match, 'create_cifar10', source)
    path.unlink()
    refused(tmp_path, 'data_batch_2: cannot be read: No such file', 'create_cifar10', source)
    refused(tmp_path, 'data_batch_1: cannot be read: No such file', 'create_cifar10', tmp_path / 'none')


class Hostile:
    """Creates a folder when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ('executed',)


@pytest.mark.parametrize('command, name', [
    ('create_cifar10', 'data_batch_1'), ('create_cifar100', 'train'), ('create_svhn', 'train_1.pkl')])
def test_a_hostile_pickle_executes_nothing(tmp_path, monkeypatch, command, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(pickle.dumps(Hostile()))
    refused(tmp_path, f'{name}: refused: the file asks for .*mkdir', command, tmp_path)
    assert not (tmp_path / 'executed').exists()


def test_cifar100_has_its_fine_classes(tmp_path):
    pixels = random_pixels(4, 3072)
    content = python2_batch({'data': pixels, 'coarse_labels': [1, 1, 1, 1], 'fine_labels': [99, 0, 50, 7]})
    (tmp_path / 'train').write_bytes(content)
    run('create_cifar100', tmp_path / 'set', tmp_path)
    order = shuffled_order(4)
    np.testing.assert_array_equal(images_in(tmp_path / 'set', 32), pixels.reshape(4, 3, 32, 32)[order])
    assert classes_in(tmp_path / 'set', num_classes=100) == np.array([99, 0, 50, 7])[order].tolist()


@pytest.mark.parametrize('command, file, key, num_classes', [
    ('create_cifar10', 'batches.meta', 'label_names', 10),
    ('create_cifar100', 'meta', 'fine_label_names', 100)])
def test_cifar_has_the_names_of_its_classes_where_they_are(tmp_path, command, file, key, num_classes):
    source = write_cifar10(tmp_path / 'cifar')
    batch = {'data': random_pixels(1, 3072), 'fine_labels': [0]}
    (source / 'train').write_bytes(pickle.dumps(batch))
    names = [f'class {idx}' for idx in range(num_classes)]
    (source / file).write_bytes(pickle.dumps({key: names, 'num_vis': 3072}, protocol=2))
    run(command, tmp_path / 'set', source)
    assert class_names.read(tmp_path / 'set' / 'set.classes.json') == names
    (source / file).write_bytes(pickle.dumps({key: names[1:]}))
    with pytest.raises(UserError, match=f"{file}: expected a dictionary with {num_classes} names as '{key}'"):
        run(command, tmp_path / 'set', source)
    (source / file).write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(UserError, match=f'{file}: refused: the file asks for .*mkdir'):
        run(command, tmp_path / 'set', source)


def test_cifar100_without_fine_classes_is_refused(tmp_path):
    pixels = random_pixels(1, 3072)
    (tmp_path / 'train').write_bytes(pickle.dumps({'data': pixels, 'labels': [1]}))
    refused(tmp_path, "train: expected a dictionary with .* 'fine_labels'", 'create_cifar100', tmp_path)
    (tmp_path / 'train').write_bytes(pickle.dumps({'data': pixels, 'fine_labels': [100]}))
    refused(tmp_path, 'train: contains the class 100; expected 0 to 99', 'create_cifar100', tmp_path)


def test_svhn_joins_its_parts_in_shuffled_order(tmp_path):
    pixels = random_pixels(7, 3, 32, 32)
    classes = np.array([9, 0, 3, 1, 1, 8, 2], np.uint8)
    for idx, part in enumerate([slice(0, 3), slice(3, 4), slice(4, 7)]):
        content = pickle.dumps((pixels[part], classes[part]), protocol=2)
        (tmp_path / f'train_{idx + 1}.pkl').write_bytes(content)
    run('create_svhn', tmp_path / 'set', tmp_path)
    order = shuffled_order(7)
    np.testing.assert_array_equal(images_in(tmp_path / 'set', 32), pixels[order])
    assert classes_in(tmp_path / 'set', num_classes=10) == classes[order].tolist()


@pytest.mark.parametrize('batch, match', [
    ((random_pixels(2, 3, 32, 32),), r'expected the pair \(images, labels\)'),
    ({'data': 1, 'labels': 2}, 'expected the pair'),
    ((random_pixels(2, 32, 32, 3), [1, 2]), r'images are .*\[2, 32, 32, 3\]; expected uint8 .*\[N,3,32,32\]'),
    ((random_pixels(2, 3, 32, 32), [1, 10]), 'contains the class 10; expected 0 to 9')])
def test_svhn_files_that_do_not_fit_are_named(tmp_path, batch, match):
    (tmp_path / 'train_1.pkl').write_bytes(pickle.dumps(batch))
    refused(tmp_path, f'train_1.pkl: {match}', 'create_svhn', tmp_path)


celeba_pixels = random_pixels(3, 218, 178, 3)


def write_celeba(folder, pixels=celeba_pixels):
    names = [f'{idx:06d}.png' for idx in range(len(pixels), 0, -1)]
    write_images(folder / image_files.CELEBA_FOLDER, pixels, names)
    return folder


@pytest.mark.parametrize('args, rows, columns', [
    ([], slice(57, 185), slice(25, 153)),
    (['--cx', 64, '--cy', 154], slice(90, 218), slice(0, 128))])
def test_celeba_is_cropped_in_shuffled_order(tmp_path, monkeypatch, args, rows, columns):
    monkeypatch.setattr(image_files, 'CELEBA_IMAGES', 3)
    run('create_celeba', tmp_path / 'set', write_celeba(tmp_path / 'celeba'), *args)
    by_name = celeba_pixels[::-1, rows, columns].transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(images_in(tmp_path / 'set', 128), by_name[shuffled_order(3)])
    assert not list((tmp_path / 'set').glob('*.labels'))


def test_part_of_celeba_has_to_be_asked_for(tmp_path):
    source = write_celeba(tmp_path / 'celeba')
    refused(tmp_path, '^Expected to find 202599 images: .* contains 3 PNG files; .*add --any_count 1',
            'create_celeba', source)
    run('create_celeba', tmp_path / 'set', source, '--any_count', 1)
    assert len(images_in(tmp_path / 'set', 128)) == 3


@pytest.mark.parametrize('folder', ['celeba', 'none'])
def test_celeba_without_images_is_refused(tmp_path, folder):
    write_celeba(tmp_path / 'celeba', pixels=[])
    refused(tmp_path, 'Expected to find 202599 images: .* contains 0 PNG files',
            'create_celeba', tmp_path / folder, '--any_count', 1)


@pytest.mark.parametrize('pixels, match', [
    (random_pixels(1, 178, 218, 3), '000001.png: has 218x178 and mode RGB; expected 178x218 and mode RGB'),
    (random_pixels(1, 218, 178), '000001.png: has 178x218 and mode L; expected')])
def test_celeba_images_of_another_shape_are_named(tmp_path, pixels, match):
    refused(tmp_path, match, 'create_celeba', write_celeba(tmp_path / 'celeba', pixels), '--any_count', 1)


def test_damaged_celeba_images_are_named(tmp_path):
    source = write_celeba(tmp_path / 'celeba')
    path = source / image_files.CELEBA_FOLDER / '000002.png'
    content = path.read_bytes()
    for damaged in (b'junk', content[:len(content) // 2]):
        path.write_bytes(damaged)
        refused(tmp_path, '000002.png: cannot be read as an image', 'create_celeba', source, '--any_count', 1)


@pytest.mark.parametrize('args, match', [
    (['--cx', 63], '--cx must be from 64 to 114, not 63'), (['--cx', 115], '--cx must be from 64 to 114'),
    (['--cy', 63], '--cy must be from 64 to 154, not 63'), (['--cy', 155], '--cy must be from 64 to 154')])
def test_crops_beyond_the_images_of_celeba_are_refused(tmp_path, args, match):
    refused(tmp_path, match, 'create_celeba', tmp_path, *args)
