"""Test folders and zip files of images as data sets: images, labels, order, and errors before and in use."""

import json
import os
import zipfile

import numpy as np
import PIL.Image
import pytest
import tensorflow.compat.v1 as tf

from dnnlib.util import UserError
from metrics import real_cache
from tests import image_sets
from training import dataset
from training.data import encoding, folders, image_source
from training.data import image_sets as reading
from training.data.image_files_dataset import ImageDataset
from training.data.stored_images import open_images
from training.dataset import load_dataset

NUM_IMAGES = 10
IN_ORDER = {'repeat': False, 'shuffle_mb': 0}

images = image_sets.pixels(NUM_IMAGES)
classes = [idx % 3 for idx in range(NUM_IMAGES)]
onehot = np.eye(3, dtype=np.float32)[classes]


def some_are_deflated(name):
    return name.endswith(('1.png', '4.png', '.json'))


def zipped(name, deflated):
    return lambda folder: image_sets.zipped(folder, folder.parent / name, deflated)


KINDS = {
    'folder': str,
    'stored.zip': zipped('stored.zip', lambda name: False),
    'deflated.zip': zipped('deflated.zip', lambda name: True),
    'mixed.zip': zipped('mixed.zip', some_are_deflated),
}


@pytest.fixture(scope='module')
def written(tmp_path_factory):
    """Write the same images in all ways. -> {kind: path}"""
    folder = tmp_path_factory.mktemp('images') / 'photos'
    image_sets.write_folder(folder, images, classes)
    return {kind: make(folder) for kind, make in KINDS.items()}


@pytest.mark.parametrize('kind', KINDS)
def test_folders_and_zip_files_of_the_peers_are_read_as_they_are(module_session, written, kind):
    data = load_dataset(tfrecord_dir=written[kind], max_label_size='full', **IN_ORDER)
    assert type(data) is ImageDataset
    assert (data.shape, data.resolution, data.num_images, data.label_size) == ([3, 8, 8], 8, NUM_IMAGES, 3)
    assert data.label_file == os.path.join(written[kind], 'dataset.json')
    pairs = list(dataset.read_once(data, 4))
    np.testing.assert_array_equal([image for image, _ in pairs], images)
    np.testing.assert_array_equal([label for _, label in pairs], onehot)
    small = load_dataset(tfrecord_dir=written[kind], resolution=4, max_images=3, **IN_ORDER)
    assert (small.shape, small.num_images, small.label_size) == ([3, 4, 4], 3, 0)
    expected = np.rint(images[:3].reshape(3, 3, 4, 2, 4, 2).mean(axis=(3, 5)))
    np.testing.assert_array_equal(small.get_minibatch_np(9)[0], expected)
    data.configure(NUM_IMAGES, lod=1)
    np.testing.assert_array_equal(data.get_minibatch_np(NUM_IMAGES, 1)[0][:3], expected)


@pytest.mark.parametrize('channels, height, width', [(1, 8, 8), (3, 12, 8), (1, 10, 6)])
@pytest.mark.parametrize('extension', ['png', 'jpg'])
def test_grey_and_other_shapes_and_jpeg_give_the_pixels_of_pillow(
        module_session, tmp_path, channels, height, width, extension):
    path = image_sets.write_folder(
        tmp_path / 'a', image_sets.pixels(2, channels, height, width), extension=extension)
    data = load_dataset(tfrecord_dir=path, **IN_ORDER)
    expected = [np.asarray(PIL.Image.open(f'{path}/00000/img0000000{idx}.{extension}')) for idx in (0, 1)]
    found = data.get_minibatch_np(2)[0]
    assert found.shape == (2, channels, height, width)
    np.testing.assert_array_equal(found.transpose(0, 2, 3, 1).reshape(np.shape(expected)), expected)


def test_progressive_jpeg_and_interlaced_png_and_other_names_are_read(module_session, tmp_path):
    folder = tmp_path / 'mit Umlaut ä' / 'b'
    folder.mkdir(parents=True)
    image_sets.save(images[0], folder / '2 drei.JPEG', format='JPEG', progressive=True, subsampling=2)
    image_sets.save(images[1], folder.parent / 'Z.PNG')
    (folder / 'readme.txt').write_text('not an image')
    for path in (str(folder.parent), image_sets.zipped(folder.parent, tmp_path / 'a.zip')):
        found = load_dataset(tfrecord_dir=path, **IN_ORDER).get_minibatch_np(2)[0]
        np.testing.assert_array_equal(found[0], images[1])
        np.testing.assert_array_equal(
            found[1].transpose(1, 2, 0), np.asarray(PIL.Image.open(folder / '2 drei.JPEG')))


@pytest.mark.parametrize('mode', ['L', 'RGB', 'CMYK'])
@pytest.mark.parametrize('options', [
    {}, {'progressive': True}, {'comment': bytes(3000)}, {'exif': b'Exif\0\0' + bytes(60000)},
    {'restart_marker_blocks': 1}])
def test_sizes_of_jpeg_files_are_found_with_and_without_pillow(tmp_path, mode, options):
    PIL.Image.new(mode, [12, 20]).save(tmp_path / 'a.jpg', **options)
    source = image_source.ImageSource(str(tmp_path))
    assert reading._mode_and_size(source, 'a.jpg', None) == (mode, 12, 20)
    found = reading._jpeg_header((tmp_path / 'a.jpg').read_bytes()[:reading._HEAD_BYTES])
    assert found == (None if mode == 'CMYK' or 'exif' in options else (mode, 12, 20))


def test_names_in_zip_files_may_have_backslashes_and_classes_a_decimal_point(tmp_path):
    path = str(tmp_path / 'a.zip')
    with zipfile.ZipFile(path, 'w') as file:
        for name, image in zip('ab', images[:2], strict=True):
            file.writestr(f'{name}\\1.png', encoding.encoded(image, 'png')[0][1])
        file.writestr('dataset.json', json.dumps({'labels': [['a\\1.png', 2.0], ['b\\1.png', 0.0]]}))
    stored = open_images(path)
    np.testing.assert_array_equal(stored.labels, [[0, 0, 1], [1, 0, 0]])
    np.testing.assert_array_equal(stored.image(1), images[1])
    assert list(image_source.ImageSource(path).names) == ['a/1.png', 'b/1.png', 'dataset.json']


def test_threads_share_a_zip_file_on_systems_without_pread(module_session, tmp_path, monkeypatch):
    monkeypatch.delattr(os, 'pread')
    image_sets.write_folder(tmp_path / 'a', images)
    data = load_dataset(tfrecord_dir=image_sets.zipped(tmp_path / 'a', tmp_path / 'a.zip', some_are_deflated),
                        num_threads=4, **IN_ORDER)
    np.testing.assert_array_equal(data.get_minibatch_np(NUM_IMAGES)[0], images)


def test_orientation_is_ignored_as_by_the_peers(module_session, tmp_path):
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    image_sets.save(images[0], tmp_path / 'a.png', exif=exif)
    np.testing.assert_array_equal(
        load_dataset(tfrecord_dir=str(tmp_path), **IN_ORDER).get_minibatch_np(1)[0][0], images[0])


def test_streams_have_the_order_and_positions_of_records(session, written, tmp_path):
    tf.set_random_seed(7)
    records = image_sets.write_records(tmp_path / 'set', images, 'raw', onehot)
    streams = [load_dataset(tfrecord_dir=path, max_label_size='full', prefetch_mb=0)
               for path in (records, written['folder'], written['mixed.zip'])]
    for _ in range(6):
        first, *others = [stream.get_minibatch_np(4) for stream in streams]
        for other in others:
            assert all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    streams[2].restore(json.loads(json.dumps(streams[0].position())))
    assert np.array_equal(streams[0].get_minibatch_np(4)[0], streams[2].get_minibatch_np(4)[0])
    assert streams[2].take_share(1, 1, 2)


def test_names_of_classes_fix_the_number_of_components(module_session, tmp_path):
    path = image_sets.write_folder(tmp_path / 'a', images[:2], [0, 1], classes=['cat', 'dog', 'hen'])
    data = load_dataset(tfrecord_dir=path, max_label_size='full')
    assert (data.class_names, data.label_size) == (['cat', 'dog', 'hen'], 3)
    assert folders.names_of_classes(path) == data.class_names
    assert folders.label_components(path) == (f'{path}/dataset.json', 3)
    assert dataset.shapes_in(path, max_label_size=2) == ([3, 8, 8], [2])
    assert load_dataset(tfrecord_dir=path).label_size == 0


def test_labels_may_be_lists_of_numbers_and_may_be_missing(module_session, tmp_path):
    path = image_sets.write_folder(tmp_path / 'a', images[:2], [[0.5, 1], [2, -1]])
    labels = load_dataset(tfrecord_dir=path, max_label_size='full', **IN_ORDER).get_minibatch_np(2)[1]
    np.testing.assert_array_equal(labels, [[0.5, 1], [2, -1]])
    path = image_sets.write_folder(tmp_path / 'b', images[:2])
    data = load_dataset(tfrecord_dir=path, max_label_size='full')
    assert (data.label_size, data.label_file, data.class_names) == (0, None, None)
    assert folders.label_components(path) == (None, None)


def refused(path, match, **kwargs):
    with pytest.raises(UserError, match=match) as info:
        load_dataset(tfrecord_dir=str(path), **kwargs)
    assert '\n' not in str(info.value)


def test_an_image_without_a_label_is_named(tmp_path):
    path = image_sets.write_folder(tmp_path / 'a', images[:2], [0, 1])
    image_sets.save(images[2], tmp_path / 'a' / 'more.png')
    refused(path, 'dataset.json: has no label for more.png', max_label_size='full')
    (tmp_path / 'a' / 'dataset.json').write_text('{')
    refused(path, 'dataset.json: cannot be read as JSON', max_label_size='full')
    (tmp_path / 'a' / 'dataset.json').write_text('[' * 9999)
    refused(path, 'dataset.json: cannot be read as JSON', max_label_size='full')
    (tmp_path / 'a' / 'more.png').unlink()
    (tmp_path / 'a' / 'dataset.json').write_text(json.dumps(
        {'labels': [[f'00000/img{idx:08d}.png', []] for idx in range(2)]}))
    refused(path, 'dataset.json: expected a class, 0 or more, or equally many numbers', max_label_size='full')


COMMAND = 'create a data set .*with: python dataset_tool.py create_from_images datasets/a /.*/a'


def new(mode, name, size=(8, 8), **options):
    """Return a function that adds an image to a folder."""
    return lambda folder: PIL.Image.new(mode, size).save(folder / name, **options)


@pytest.mark.parametrize('change, match', [
    (new('RGB', 'z.png', [4, 8]), 'z.png: is 4x8 RGB, but 00000/img00000000.png is 8x8 RGB'),
    (new('L', 'z.jpg'), 'z.jpg: is 8x8 grey, but 00000/img00000000.png is 8x8 RGB'),
    (new('RGBA', '0.png'), '0.png: is 8x8 RGBA; expected 8-bit RGB or grey'),
    (new('I;16', '0.png'), '0.png: is 8x8 16-bit L; expected 8-bit RGB or grey'),
    (new('CMYK', '0.jpg'), '0.jpg: is 8x8 CMYK; expected 8-bit RGB or grey'),
    (new('P', '0.png'), '0.png: is 8x8 P; expected 8-bit RGB or grey'),
    (new('RGB', '0.png', [50, 46]), '0.png: 50x46 is not a size to train on; .*such as 48x48'),
    (new('RGB', '0.bmp'), '0.bmp: is neither a PNG nor a JPEG file'),
    (new('RGB', '0.png', format='GIF'), '0.png: cannot be read as a PNG or JPEG file'),
    (lambda folder: (folder / '0.jpg').write_bytes(b'hello'), '0.jpg: cannot be read as a PNG or JPEG file'),
    (lambda folder: (folder / '0.png').write_bytes(b''), '0.png: cannot be read as a PNG or JPEG file')],
    ids=['size', 'mode', 'alpha', '16 bits', 'CMYK', 'palette', 'no base', 'bmp', 'gif', 'text', 'empty'])
def test_images_that_are_not_alike_are_refused_with_the_command_to_run(tmp_path, change, match):
    image_sets.write_folder(tmp_path / 'a', images[:2])
    change(tmp_path / 'a')
    refused(tmp_path / 'a', f'{match}.*; {COMMAND}$')
    refused(image_sets.zipped(tmp_path / 'a', tmp_path / 'a.zip', lambda name: True), match)
    refused(image_sets.zipped(tmp_path / 'a', tmp_path / 'a.zip'), f'{match}.*; {COMMAND}.zip$')


def test_a_folder_with_an_unreadable_sub_folder_is_refused(tmp_path, monkeypatch):
    image_sets.write_folder(tmp_path / 'a', images[:2])
    image_sets.add_locked_folder(tmp_path / 'a', monkeypatch)
    refused(tmp_path / 'a', 'a/locked: the folder cannot be read: Permission denied; change its permissions')


def test_zip_files_that_cannot_be_read_in_the_graph_are_refused(tmp_path):
    image_sets.write_folder(tmp_path / 'a', images[:2])
    with zipfile.ZipFile(tmp_path / 'b.zip', 'w', zipfile.ZIP_LZMA) as file:
        file.write(tmp_path / 'a/00000/img00000000.png', 'x.png')
    refused(tmp_path / 'b.zip', 'b.zip: x.png is encrypted or compressed in a way that cannot be read')
    path = image_sets.zipped(tmp_path / 'a', tmp_path / 'c.zip')
    with open(path, 'rb') as file:
        content = file.read()
    with open(path, 'wb') as file:
        file.write(content.replace(b'PK\3\4', b'PK\3\5'))
    refused(path, 'c.zip: 00000/img00000000.png is damaged in the zip file')
    refused(tmp_path / 'none.zip', 'none.zip: no such folder or zip file')


def test_a_zip_file_that_is_damaged_where_an_image_begins_is_refused(tmp_path):
    image_sets.write_folder(tmp_path / 'a', images[:2], extension='jpg')
    for deflated in (False, True):
        path = image_sets.zipped(tmp_path / 'a', tmp_path / 'b.zip', lambda name, deflated=deflated: deflated)
        entries = reading.require(path).entries
        with open(path, 'r+b') as file:
            file.seek(entries.offsets[1])
            file.write(b'\xff' * 40)
        refused(path, 'b.zip/00000/img00000001.jpg: cannot be read as a PNG or JPEG file')


def test_a_folder_without_images_is_one_of_records(tmp_path):
    (tmp_path / 'notes.txt').write_text('nothing')
    refused(tmp_path, 'there are no .*tfrecords files')
    with zipfile.ZipFile(tmp_path / 'a.zip', 'w') as file:
        file.writestr('notes.txt', 'nothing')
    refused(tmp_path / 'a.zip', r'a.zip: there are no images \(\*.png, \*.jpg, \*.jpeg\) in it')


def damaged_folder(tmp_path):
    path = tmp_path / 'a/00000/img00000004.png'
    path.write_bytes(path.read_bytes()[:90])
    return tmp_path / 'a'


def emptied_folder(tmp_path):
    (tmp_path / 'a/00000/img00000004.png').unlink()
    return tmp_path / 'a'


def damaged_zip(tmp_path, deflated=False):
    path = image_sets.zipped(tmp_path / 'a', tmp_path / 'a.zip', lambda name: deflated)
    with zipfile.ZipFile(path) as file:
        where = file.getinfo('00000/img00000004.png').header_offset
    with open(path, 'r+b') as file:
        file.seek(where + 140)
        file.write(b'\xff' * 8)
    return path


@pytest.mark.parametrize('kwargs', [IN_ORDER, {'prefetch_mb': 0}])
@pytest.mark.parametrize('damage', [damaged_folder, emptied_folder, damaged_zip,
                                    lambda tmp_path: damaged_zip(tmp_path, deflated=True)],
                         ids=['folder', 'removed', 'stored', 'deflated'])
def test_an_image_that_is_damaged_later_is_named_when_it_is_read(module_session, tmp_path, damage, kwargs):
    image_sets.write_folder(tmp_path / 'a', images)
    if damage is emptied_folder:
        data = load_dataset(tfrecord_dir=str(tmp_path / 'a'), **kwargs)
        damage(tmp_path)
    else:
        data = load_dataset(tfrecord_dir=str(damage(tmp_path)), **kwargs)
    with pytest.raises(UserError, match='/00000/img00000004.png: the image is damaged, or was changed or '
                                        'removed; copy the (zip )?file again$'):
        for _ in range(NUM_IMAGES):
            data.get_minibatch_np(1)


def test_headers_are_read_once_unless_files_change(tmp_path, monkeypatch):
    path = image_sets.write_folder(tmp_path / 'a', images)
    looked = []
    mode_and_size = reading._mode_and_size
    monkeypatch.setattr(reading, '_mode_and_size', lambda *args: looked.append(args) or mode_and_size(*args))
    for _ in range(3):
        reading.require(path)
    assert len(looked) == NUM_IMAGES
    os.utime(tmp_path / 'a/00000/img00000000.png', ns=(0, 0))
    reading.require(path)
    assert len(looked) == 2 * NUM_IMAGES


@pytest.mark.parametrize('kind', KINDS)
def test_statistics_of_real_images_belong_to_the_files(tmp_path, kind):
    image_sets.write_folder(tmp_path / 'a', images, classes)
    data_dir, name = os.path.split(KINDS[kind](tmp_path / 'a'))
    before = real_cache.fingerprint(data_dir, {'tfrecord_dir': name})
    assert real_cache.fingerprint(data_dir, {'tfrecord_dir': name}) == before
    (tmp_path / 'a/dataset.json').write_text('{"labels": null}')
    KINDS[kind](tmp_path / 'a')
    labelled = real_cache.fingerprint(data_dir, {'tfrecord_dir': name})
    image_sets.save(images[0], tmp_path / 'a/more.png')
    KINDS[kind](tmp_path / 'a')
    assert len({before, labelled, real_cache.fingerprint(data_dir, {'tfrecord_dir': name})}) == 3


def test_a_source_can_open_its_files(tmp_path):
    image_sets.write_folder(tmp_path / 'a', images[:1])
    for path in (tmp_path / 'a', image_sets.zipped(tmp_path / 'a', tmp_path / 'a.zip')):
        source = image_source.ImageSource(str(path))
        with source.open('dataset.json') as file:
            assert file.read() == source.read('dataset.json')
