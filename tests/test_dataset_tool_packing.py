"""Test unpack and pack of dataset_tool.py: round trips, seeds, mirroring, validation sets, bad input."""

import os
import zipfile

import numpy as np
import PIL.Image
import pytest

import dataset_tool
from dnnlib.util import UserError
from tests import image_sets
from tests.dataset_files import contents, random_pixels, run, write_images, write_set
from training.data.export import TFRecordExporter
from training.data.stored_images import open_images
from training.data_tools import packing
from training.dataset import TFRecordDataset

NUM_IMAGES = 12
rgb = random_pixels(NUM_IMAGES, 3, 16, 16)
classes = np.eye(4, dtype=np.float32)[np.arange(NUM_IMAGES) % 4]
real_valued = np.random.RandomState(1).randn(NUM_IMAGES, 3).astype(np.float32)


def unpacked(tmp_path, **data):
    write_set(tmp_path / 'source', **{'images': rgb, **data})
    run('unpack', '--tfrecord_dir', tmp_path / 'source', '--output_dir', tmp_path / 'unpacked')
    return tmp_path / 'unpacked'


def pack(source, tmp_path, *args):
    run('pack', '--unpacked_dir', source, '--tfrecord_dir', tmp_path / 'set', *args)
    return open_images(str(tmp_path / 'set'))


def images_of(stored):
    return np.stack([stored.image(index) for index in range(len(stored))])


@pytest.mark.parametrize('images', [rgb, rgb[:, :1], random_pixels(NUM_IMAGES, 3, 12, 20)],
                         ids=['RGB', 'grey', '20x12'])
@pytest.mark.parametrize('labels', [None, classes, real_valued, -classes, 300 * classes],
                         ids=['none', 'classes', 'real', 'negative', 'large'])
def test_images_and_labels_survive_unpack_and_pack(tmp_path, images, labels):
    stored = pack(unpacked(tmp_path, images=images, labels=labels), tmp_path)
    np.testing.assert_array_equal(images_of(stored), images)
    np.testing.assert_array_equal(stored.labels, np.zeros([NUM_IMAGES, 0]) if labels is None else labels)
    before = {name.replace('source', 'set'): data for name, data in contents(tmp_path / 'source').items()}
    assert contents(tmp_path / 'set') == before


def test_unpacked_folders_are_laid_out_as_published(tmp_path, capsys):
    folder = unpacked(tmp_path, labels=classes)
    assert sorted(contents(folder)) == [
        *(f'00000/img{index:08d}.png' for index in range(NUM_IMAGES)), 'pack_extras.npz']
    with np.load(folder / 'pack_extras.npz') as extras:
        assert (extras['labels'].dtype, extras['num_images']) == (np.uint8, NUM_IMAGES)
    assert capsys.readouterr().out.splitlines() == [
        f'Loading dataset "{tmp_path / "source"}"', f'Extracting images to "{folder}"',
        'Extracted 12 images.']


def test_encoded_images_and_names_of_classes_survive_as_well(tmp_path):
    folder = unpacked(tmp_path, labels=classes, store='png', class_names=['a', 'b', 'c', 'd\u00e9'])
    stored = pack(folder, tmp_path)
    np.testing.assert_array_equal(images_of(stored), rgb)
    assert stored.class_names == ['a', 'b', 'c', 'd\u00e9']


@pytest.mark.parametrize('images', [rgb, rgb[:, :1]], ids=['RGB', 'grey'])
def test_unpack_resizes_with_the_lanczos_filter(tmp_path, images):
    write_set(tmp_path / 'source', images=images)
    run('unpack', '--tfrecord_dir', tmp_path / 'source', '--output_dir', tmp_path / 'out', '--resolution', 8)
    pixels = images[3].transpose(1, 2, 0).squeeze()
    with PIL.Image.open(tmp_path / 'out' / '00000' / 'img00000003.png') as written:
        np.testing.assert_array_equal(
            written, PIL.Image.fromarray(pixels).resize((8, 8), PIL.Image.Resampling.LANCZOS))


def test_the_order_follows_from_the_seed(tmp_path):
    order = np.arange(NUM_IMAGES)
    np.random.RandomState(5).shuffle(order)
    folder = unpacked(tmp_path, labels=classes)
    stored = pack(folder, tmp_path, '--num_train=6', '--num_validation', 4, '--seed=5')
    np.testing.assert_array_equal(images_of(stored), rgb[order[:6]])
    np.testing.assert_array_equal(stored.labels, classes[order[:6]])
    rows, _ = packing.split(NUM_IMAGES)
    assert rows.tolist() == [[index, 0] for index in range(NUM_IMAGES)]


def test_validation_images_are_those_after_the_training_images(tmp_path, module_session, capsys):
    folder = unpacked(tmp_path, labels=real_valued)
    stored = pack(folder, tmp_path, '--num_validation=5')
    np.testing.assert_array_equal(images_of(stored), rgb[:7])
    images, labels = TFRecordDataset(str(tmp_path / 'set'), max_label_size='full').load_validation_set_np()
    np.testing.assert_array_equal(images, rgb[7:])
    np.testing.assert_array_equal(labels, real_valued[7:])
    assert sorted(contents(tmp_path / 'set')) == sorted(
        f'{prefix}set-r{number}' for prefix in ('', 'validation-')
        for number in ('02.tfrecords', '03.tfrecords', '04.tfrecords', 'xx.labels'))
    out = capsys.readouterr().out
    assert f'Creating dataset "{tmp_path / "set"}" (validation-set)' in out
    run('unpack', '--tfrecord_dir', tmp_path / 'set', '--output_dir', tmp_path / 'again')
    assert capsys.readouterr().out.splitlines()[2:] == [
        'Extracted 7 images.', 'The validation set is left out.']


def test_mirrored_copies_follow_the_images(tmp_path):
    stored = pack(unpacked(tmp_path, labels=classes), tmp_path, '--mirror=1', '--num_train=5')
    np.testing.assert_array_equal(images_of(stored), [*rgb[:5], *rgb[:5, :, :, ::-1]])
    np.testing.assert_array_equal(stored.labels, [*classes[:5], *classes[:5]])


def test_mirrored_training_sets_are_shuffled_again_with_the_same_seed():
    order = np.arange(9)
    np.random.RandomState(3).shuffle(order)
    rows = [(index, flip) for flip in (0, 1) for index in order[:6]]
    np.random.RandomState(3).shuffle(rows)
    training, validation = packing.split(9, num_train=6, num_validation=2, mirror=True, seed=3)
    assert training.tolist() == [list(row) for row in rows]
    assert validation.tolist() == [[index, 0] for index in order[6:8]]


def test_zip_files_can_be_packed(tmp_path):
    folder = unpacked(tmp_path, labels=classes)
    stored = pack(image_sets.zipped(folder, tmp_path / 'unpacked.zip'), tmp_path)
    np.testing.assert_array_equal(images_of(stored), rgb)


@pytest.mark.parametrize('args', [
    '--num_train=13', '--num_validation=12', '--num_train=8 --num_validation=5', '--num_validation=20'])
def test_parts_that_do_not_fit_are_refused(tmp_path, args):
    with pytest.raises(UserError, match='--num_train=.* and --num_validation=.* do not fit in 12 images'):
        pack(unpacked(tmp_path), tmp_path, *args.split())
    assert not (tmp_path / 'set').exists()


def remove_image(folder):
    os.remove(folder / '00000' / 'img00000003.png')


def damage_image(folder):
    os.truncate(folder / '00000' / 'img00000003.png', 100)


def resize_image(folder):
    PIL.Image.new('RGB', (8, 8)).save(folder / '00000' / 'img00000003.png')


def extras(**arrays):
    return lambda folder: np.savez(folder / 'pack_extras.npz', **arrays)


@pytest.mark.parametrize('change, match', [
    (remove_image, 'img00000003.png: is missing'),
    (damage_image, 'img00000003.png: the image cannot be decoded'),
    (resize_image, r'img00000003.png: has shape \[3, 8, 8\]; expected \[3, 16, 16\]'),
    (lambda folder: os.remove(folder / 'pack_extras.npz'), 'there is no pack_extras.npz'),
    (lambda folder: (folder / 'pack_extras.npz').write_bytes(b'junk'), 'pack_extras.npz: cannot be read'),
    (lambda folder: (folder / 'pack_extras.npz').write_bytes(b''), 'pack_extras.npz: cannot be read'),
    (lambda folder: zipfile.ZipFile(folder / 'pack_extras.npz', 'w').close(), 'pack_extras.npz: cannot be'),
    (extras(num_images=12), 'pack_extras.npz: cannot be read'),
    (extras(num_images=[1, 2], labels=classes), 'pack_extras.npz: cannot be read'),
    (extras(num_images=np.inf, labels=classes), 'pack_extras.npz: cannot be read'),
    (extras(num_images=12, labels=np.array([None] * 12)), 'pack_extras.npz: cannot be read'),
    (extras(num_images=12, labels=classes[:3]), r'labels are float32 of shape \[3, 4\]'),
    (extras(num_images=12, labels=classes[:, 0]), r'labels are float32 of shape \[12\]'),
    (extras(num_images=12, labels=classes.astype(str)), 'labels are <U32'),
    (extras(num_images=0, labels=classes[:0]), 'for each of 0 images'),
    (extras(num_images=12, labels=classes, class_names=['a']), 'names 1 classes, but labels have 4'),
    (extras(num_images=12, labels=classes, class_names=[1, 2, 3, 4]), 'expected the names of the classes'),
    (extras(num_images=12, labels=classes * np.nan), 'labels are not finite numbers'),
    (extras(num_images=-1, labels=classes), 'for each of -1 images'),
    (extras(num_images=13, labels=np.zeros([13, 1])), 'img00000012.png: is missing'),
])
def test_damaged_folders_are_named_and_leave_nothing(tmp_path, change, match):
    folder = unpacked(tmp_path)
    change(folder)
    with pytest.raises(UserError, match=match) as info:
        pack(folder, tmp_path)
    assert '\n' not in str(info.value)
    assert not (tmp_path / 'set').exists()


def test_packing_again_without_validation_set_removes_the_earlier_one(tmp_path):
    folder = unpacked(tmp_path)
    pack(folder, tmp_path, '--num_validation=3')
    pack(folder, tmp_path)
    assert not [name for name in contents(tmp_path / 'set') if name.startswith('validation-')]


def test_a_failure_in_the_validation_set_keeps_the_earlier_data_set(tmp_path):
    folder = unpacked(tmp_path)
    pack(folder, tmp_path, '--num_validation=3')
    before = contents(tmp_path / 'set')
    os.truncate(folder / '00000' / 'img00000011.png', 100)
    with pytest.raises(UserError, match='img00000011.png'):
        pack(folder, tmp_path, '--num_validation=2')
    assert contents(tmp_path / 'set') == before


def test_a_validation_set_can_be_written_alone_as_published(tmp_path, capsys):
    write_set(tmp_path / 'set', rgb)
    before = contents(tmp_path / 'set')
    with TFRecordExporter(str(tmp_path / 'set'), 1, tfr_prefix='validation-set') as exporter:
        exporter.add_image(rgb[0])
    assert f'Creating dataset "{tmp_path / "set"}" (validation-set)' in capsys.readouterr().out
    after = contents(tmp_path / 'set')
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {f'validation-set-r0{number}.tfrecords' for number in (2, 3, 4)}


def test_info_counts_the_validation_set(tmp_path, capsys):
    pack(unpacked(tmp_path), tmp_path, '--num_validation=5')
    capsys.readouterr()
    run('info', tmp_path / 'set')
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f'{tmp_path / "set"}: 7 images of 16x16, RGB'
    assert f'  validation    5 images in {tmp_path / "set" / "validation-*"}' in lines
    os.remove(tmp_path / 'set' / 'validation-set-r02.tfrecords')
    run('info', tmp_path / 'set')
    assert f'  validation    cannot be used: {tmp_path / "set"}/validation-*: resolution 4 is missing' in \
        capsys.readouterr().out


def test_names_of_new_data_sets_are_not_those_of_validation_sets(tmp_path):
    with pytest.raises(UserError, match='expected another name, as files that begin with validation-'):
        run('create_from_images', tmp_path / 'validation-set', tmp_path)


def test_only_squares_are_resized(tmp_path):
    write_set(tmp_path / 'wide', images=random_pixels(1, 3, 12, 20))
    for resolution, match in ((8, 'the images are 20x12, and only squares are resized'),
                              (37, '--resolution: 37x37 is not a size to train on')):
        with pytest.raises(UserError, match=match):
            run('unpack', '--tfrecord_dir', tmp_path / 'wide', '--output_dir', tmp_path / 'out',
                '--resolution', resolution)
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('command, missing', [
    ('pack', '--unpacked_dir, --tfrecord_dir'), ('unpack', '--tfrecord_dir, --output_dir'),
    ('extract_brecahad_crops', '--brecahad_dir, --output_dir')])
def test_flags_that_are_needed_are_asked_for(command, missing, capsys):
    with pytest.raises(SystemExit) as info:
        dataset_tool.main([command])
    assert info.value.code == 2
    assert f'the following arguments are required: {missing}' in capsys.readouterr().err


@pytest.mark.parametrize('size, number', [(256, 20), (512, 12)])
def test_brecahad_is_cut_column_by_column(tmp_path, size, number, capsys):
    pixels = random_pixels(1024, 1360, 3)
    write_images(tmp_path / 'in', [pixels[::-1], pixels], ['b.tif', 'a.tif'])
    run('extract_brecahad_crops', '--brecahad_dir', tmp_path / 'in', '--output_dir', tmp_path / 'set',
        '--cropsize', size)
    names = sorted(contents(tmp_path / 'set'))
    assert names == [f'{index:04d}.png' for index in range(2 * number)]
    for name, crop in (('0000', pixels[:size, :size]), ('0001', pixels[256:256 + size, :size]),
                       (f'{number:04d}', pixels[::-1][:size, :size])):
        with PIL.Image.open(tmp_path / 'set' / f'{name}.png') as written:
            np.testing.assert_array_equal(written, crop)
    assert f'Extracted {2 * number} crops.' in capsys.readouterr().out


@pytest.mark.parametrize('name, pixels, match', [
    ('a.png', random_pixels(300, 300, 3), r'in: there are no \*.tif files'),
    ('a.tif', random_pixels(300, 255, 3), 'a.tif: is 255x300, which is smaller than --cropsize=256'),
    ('a.tif', random_pixels(300, 300), 'a.tif: has mode L; expected RGB')])
def test_unusable_brecahad_images_are_named(tmp_path, name, pixels, match):
    write_images(tmp_path / 'in', [pixels], [name])
    with pytest.raises(UserError, match=match):
        run('extract_brecahad_crops', '--brecahad_dir', tmp_path / 'in', '--output_dir', tmp_path / 'set')
    assert not (tmp_path / 'set').exists()
