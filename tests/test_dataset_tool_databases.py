"""Test dataset_tool.py on LSUN and HDF5: contents, order, labels, bad input, missing packages."""

import io
import sys
import types

import h5py
import lmdb
import numpy as np
import PIL.Image
import pytest

from dnnlib.util import UserError
from tests.dataset_files import (
    contents,
    images_in,
    random_pixels,
    refused,
    run,
    shuffled_order,
    write_images,
    write_mnist,
    write_set,
)
from training.data import image_databases


def encoded(pixels, image_format='PNG', **options):
    """Encode an image as the content of a file."""
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, image_format, **options)
    return file.getvalue()


def write_lmdb(folder, values):
    """Write an LMDB with these values. The order of the keys is opposite to the order of writing. ->
    folder."""
    with lmdb.open(str(folder), map_size=1 << 24) as env, env.begin(write=True) as txn:
        for idx, value in reversed(list(enumerate(values))):
            txn.put(b'key%02d' % idx, value)
    return folder


def test_lsun_crops_the_centre_in_the_order_of_the_keys(tmp_path, capsys):
    pictures = [random_pixels(16, 21, 3), random_pixels(19, 16, 3), random_pixels(16, 16, 3)]
    source = write_lmdb(tmp_path / 'lmdb', [encoded(pixels) for pixels in pictures])
    run('create_lsun', tmp_path / 'set', source, '--resolution', 16)
    expected = [pictures[0][:, 2:18], pictures[1][1:17], pictures[2]]
    np.testing.assert_array_equal(images_in(tmp_path / 'set', 16), np.stack(expected).transpose(0, 3, 1, 2))
    assert 'Used 3 of 3 entries.' in capsys.readouterr().out
    assert not list((tmp_path / 'set').glob('*.labels'))


def test_lsun_resizes_with_the_lanczos_filter_at_256_by_default(tmp_path):
    pixels = random_pixels(50, 60, 3)
    source = write_lmdb(tmp_path / 'lmdb', [encoded(pixels, 'WEBP', lossless=True)])
    run('create_lsun', tmp_path / 'set', source)
    expected = PIL.Image.fromarray(pixels[:, 5:55]).resize((256, 256), PIL.Image.Resampling.LANCZOS)
    written = images_in(tmp_path / 'set', 256)[0]
    np.testing.assert_array_equal(written, np.asarray(expected).transpose(2, 0, 1))


def test_lsun_names_and_skips_what_is_no_image(tmp_path, capsys):
    pixels = random_pixels(8, 8, 3)
    grey = random_pixels(8, 8)
    whole = encoded(random_pixels(64, 64, 3))
    source = write_lmdb(tmp_path / 'lmdb', [b'junk', encoded(pixels), b'', whole[:2000], encoded(grey)])
    run('create_lsun', tmp_path / 'set', source, '--resolution', 8)
    np.testing.assert_array_equal(
        images_in(tmp_path / 'set', 8), [pixels.transpose(2, 0, 1), np.stack([grey] * 3)])
    told = capsys.readouterr().out.splitlines()
    assert [line.split(':')[0] for line in told if 'key' in line] == [
        'Skipped key00', 'Skipped key02', 'Skipped key03']
    assert 'Skipped key00: not an image file' in told
    assert 'Used 2 of 5 entries.' in told


def test_lsun_stops_at_max_images_that_can_be_used(tmp_path):
    pictures = [random_pixels(8, 8, 3) for _ in range(4)]
    values = [b'junk', *(encoded(pixels) for pixels in pictures)]
    source = write_lmdb(tmp_path / 'lmdb', values)
    run('create_lsun', tmp_path / 'set', source, '--resolution', 8, '--max_images', 2)
    np.testing.assert_array_equal(
        images_in(tmp_path / 'set', 8), np.stack(pictures[:2]).transpose(0, 3, 1, 2))
    run('create_lsun', tmp_path / 'set', source, '--resolution', 8, '--max_images', 99)
    assert len(images_in(tmp_path / 'set', 8)) == 4


def test_lsun_wide_puts_black_bars_above_and_below(tmp_path, capsys):
    # Kept rows: 16 * 14 / 20 = 11.2 -> 11 of 14; 16 * 12 / 16 = 12 of 12.
    pictures = [random_pixels(14, 20, 3), random_pixels(12, 16, 3)]
    too_narrow, too_flat = random_pixels(20, 15, 3), random_pixels(13, 32, 3)  # 13 / 2 -> 6 rows
    values = [encoded(pixels) for pixels in (too_narrow, pictures[0], too_flat, pictures[1])]
    source = write_lmdb(tmp_path / 'lmdb', values)
    run('create_lsun_wide', tmp_path / 'set', source, '--width', 16, '--height', 10)
    written = images_in(tmp_path / 'set', 16)
    assert len(written) == 2
    assert not written[:, :, :3].any() and not written[:, :, 13:].any()
    for image, kept in zip(written, [pictures[0][1:12], pictures[1]], strict=True):
        expected = PIL.Image.fromarray(kept).resize((16, 10), PIL.Image.Resampling.LANCZOS)
        np.testing.assert_array_equal(image[:, 3:13], np.asarray(expected).transpose(2, 0, 1))
    assert 'Used 2 of 4 entries.' in capsys.readouterr().out


def test_a_height_above_the_width_is_refused(tmp_path):
    refused(tmp_path, '--height=32 must not be more than --width, which is 16',
            'create_lsun_wide', tmp_path, '--width', 16, '--height', 32)


@pytest.mark.parametrize('command, values', [
    (['create_lsun'], [b'junk', b'']), (['create_lsun_wide'], [encoded(random_pixels(8, 8, 3))])])
def test_lsun_without_any_usable_image_leaves_nothing(tmp_path, command, values):
    source = write_lmdb(tmp_path / 'lmdb', values)
    refused(tmp_path, f'lmdb: none of its {len(values)} entries is a usable image', *command, source)


def test_lsun_without_any_usable_image_keeps_the_earlier_data_set(tmp_path):
    run('create_mnist', tmp_path / 'set', write_mnist(tmp_path / 'mnist'))
    before = contents(tmp_path / 'set')
    with pytest.raises(UserError, match='none of its 1 entries'):
        run('create_lsun', tmp_path / 'set', write_lmdb(tmp_path / 'lmdb', [b'junk']))
    assert contents(tmp_path / 'set') == before


def test_folders_that_hold_no_usable_lmdb_are_named(tmp_path):
    for folder in (tmp_path, tmp_path / 'none'):
        refused(tmp_path, f'{folder}: there is no LMDB here; expected a folder that holds data.mdb',
                'create_lsun', folder)
    refused(tmp_path, 'empty: none of its 0 entries', 'create_lsun', write_lmdb(tmp_path / 'empty', []))
    source = write_lmdb(tmp_path / 'lmdb', [random_pixels(99999).tobytes()] * 3)
    content = (source / 'data.mdb').read_bytes()
    for damaged, match in [
            (b'', 'cannot be read as an LMDB'), (b'junk' * 5000, 'cannot be read as an LMDB'),
            (content[:len(content) // 2], 'is truncated to .* bytes'),
            (content[:-1], 'is truncated to .* bytes')]:
        (source / 'data.mdb').write_bytes(damaged)
        refused(tmp_path, f'data.mdb: {match}', 'create_lsun', source)


def fake_opencv(decode):
    class OpenCVError(Exception):
        """Stands for cv2.error."""

    def imdecode(data, flags):
        assert (data.dtype, flags) == (np.uint8, 1)
        if len(data) == 0:
            raise OpenCVError('empty')
        return decode(data)
    return types.SimpleNamespace(imdecode=imdecode, IMREAD_COLOR=1, error=OpenCVError)


def test_opencv_decodes_where_it_is_installed_and_pillow_what_it_cannot(tmp_path, monkeypatch, capsys):
    bgr = random_pixels(8, 8, 3)
    pixels = random_pixels(8, 8, 3)
    opencv = fake_opencv(lambda data: bgr if data.tobytes() == b'known to OpenCV' else None)
    monkeypatch.setitem(sys.modules, 'cv2', opencv)
    source = write_lmdb(tmp_path / 'lmdb', [b'known to OpenCV', encoded(pixels), b''])
    run('create_lsun', tmp_path / 'set', source, '--resolution', 8)
    np.testing.assert_array_equal(
        images_in(tmp_path / 'set', 8), np.stack([bgr[:, :, ::-1], pixels]).transpose(0, 3, 1, 2))
    assert 'Skipped key02: not an image file' in capsys.readouterr().out


def test_images_are_turned_upright():
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # orientation: rotated by 90 degrees
    pixels = random_pixels(4, 8, 3)
    data = encoded(pixels, 'PNG', exif=exif)
    np.testing.assert_array_equal(image_databases.decode_image(data), np.rot90(pixels, -1))


def write_hdf5(path, **arrays):
    with h5py.File(path, 'w') as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array, compression='gzip', chunks=(1, *array.shape[1:]))
    return path


hdf5_images = dict(data4x4=random_pixels(5, 3, 4, 4), data8x8=random_pixels(5, 3, 8, 8),
                   other16x16=random_pixels(5, 3, 16, 16), data1x1=random_pixels(5, 3, 1, 1))


@pytest.mark.parametrize('args, order', [
    ([], shuffled_order(5)), (['--shuffle', 1], shuffled_order(5)), (['--shuffle', 0], np.arange(5))])
def test_hdf5_gives_its_widest_images_and_the_labels_beside_it(tmp_path, args, order):
    labels = np.random.RandomState(1).rand(5, 3)
    np.save(tmp_path / 'pack-labels.npy', labels)
    run('create_from_hdf5', tmp_path / 'set', write_hdf5(tmp_path / 'pack.h5', **hdf5_images), *args)
    np.testing.assert_array_equal(images_in(tmp_path / 'set', 8), hdf5_images['data8x8'][order])
    np.testing.assert_array_equal(np.load(tmp_path / 'set' / 'set-rxx.labels'), np.float32(labels[order]))


def test_hdf5_without_a_label_file_has_no_labels(tmp_path):
    path = write_hdf5(tmp_path / 'pack.h5', data=random_pixels(2, 1, 4, 4))
    run('create_from_hdf5', tmp_path / 'set', path)
    assert list(contents(tmp_path / 'set')) == ['set-r02.tfrecords']


@pytest.mark.parametrize('arrays, match', [
    ({}, "pack.h5: contains no images; expected a data set 'data...', uint8"),
    (dict(images=random_pixels(2, 3, 8, 8)), 'pack.h5: contains no images'),
    (dict(data=random_pixels(2, 8, 8)), 'pack.h5: contains no images'),
    (dict(data=np.zeros([2, 3, 8, 8], np.float32)), 'pack.h5: contains no images'),
    (dict(data=random_pixels(2, 8, 8, 3)), r'images have shape \[8, 8, 3\]; expected 1 or 3 channels')])
def test_hdf5_files_without_usable_images_are_named(tmp_path, arrays, match):
    refused(tmp_path, match, 'create_from_hdf5', write_hdf5(tmp_path / 'pack.h5', **arrays))


def test_damaged_hdf5_files_are_named(tmp_path):
    path = write_hdf5(tmp_path / 'pack.h5', **hdf5_images)
    content = path.read_bytes()
    for damaged in (b'', b'junk' * 1000, content[:len(content) // 2]):
        path.write_bytes(damaged)
        refused(tmp_path, 'pack.h5: cannot be read as HDF5', 'create_from_hdf5', path)
    path.unlink()
    refused(tmp_path, 'pack.h5: no such HDF5 file$', 'create_from_hdf5', path)


def test_a_damaged_image_in_an_hdf5_file_is_named(tmp_path):
    path = write_hdf5(tmp_path / 'pack.h5', data=hdf5_images['data8x8'])
    with h5py.File(path) as file:
        chunk = file['data'].id.get_chunk_info(3)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset:chunk.byte_offset + chunk.size] = bytes(chunk.size)
    path.write_bytes(content)
    refused(tmp_path, 'pack.h5: cannot be read as HDF5', 'create_from_hdf5', path)


@pytest.mark.parametrize('labels, match', [
    (np.zeros([4, 2]), r'pack-labels.npy: labels are float64 of shape \[4, 2\]; expected one row of numbers'),
    (np.zeros([5]), r'pack-labels.npy: labels are float64 of shape \[5\]'),
    (np.array([['a']] * 5), 'pack-labels.npy: labels are <U1'),
    (np.array([[None]] * 5), 'pack-labels.npy: cannot be read as an array')])
def test_labels_that_do_not_fit_an_hdf5_file_are_named(tmp_path, labels, match):
    np.save(tmp_path / 'pack-labels.npy', labels)
    refused(tmp_path, match, 'create_from_hdf5', write_hdf5(tmp_path / 'pack.h5', **hdf5_images))


@pytest.mark.parametrize('command, package, extra', [
    ('create_lsun', 'lmdb', 'lsun'), ('create_lsun_wide', 'lmdb', 'lsun'),
    ('create_from_hdf5', 'h5py', 'hdf5')])
def test_a_package_that_is_not_installed_is_named(tmp_path, monkeypatch, command, package, extra):
    monkeypatch.setitem(sys.modules, package, None)  # makes the import fail
    expected = rf"the Python package {package} .*; install it with: pip install -e '\.\[{extra}\]'$"
    refused(tmp_path, expected, command, tmp_path / 'source')


@pytest.mark.parametrize('compress', [0, 1])
def test_a_data_set_becomes_an_hdf5_file_with_all_resolutions(tmp_path, compress):
    images, labels = random_pixels(5, 3, 16, 16), np.random.RandomState(1).randn(5, 2).astype(np.float32)
    path = tmp_path / 'pack.h5'
    run('convert_to_hdf5', path, write_set(tmp_path / 'source', images, labels), '--compress', compress)
    with h5py.File(path) as file:
        assert sorted(file) == sorted(f'data{side}x{side}' for side in (16, 8, 4, 2, 1))
        for side in (16, 8, 4, 2, 1):
            blocks = images.reshape(5, 3, side, 16 // side, side, 16 // side)
            array = file[f'data{side}x{side}']
            np.testing.assert_array_equal(array, np.rint(blocks.mean(axis=(3, 5))))
            assert array.chunks == (min(-(-128 // (3 * side * side)), 5), 3, side, side)
            assert (array.compression, array.compression_opts) == (('gzip', 4) if compress else (None, None))
    np.testing.assert_array_equal(np.load(tmp_path / 'pack-labels.npy'), labels)
    run('create_from_hdf5', tmp_path / 'source2', path, '--shuffle=0')
    assert [data for _, data in sorted(contents(tmp_path / 'source2').items())] == [
        data for _, data in sorted(contents(tmp_path / 'source').items())]


def test_images_become_an_hdf5_file_in_the_order_of_their_names(tmp_path):
    grey = [random_pixels(8, 8) for _ in range(3)]
    write_images(tmp_path / 'images', grey, ['b.png', 'c.png', 'a.png'])
    run('hdf5_from_images', tmp_path / 'pack.h5', tmp_path / 'images')
    with h5py.File(tmp_path / 'pack.h5') as file:
        np.testing.assert_array_equal(file['data8x8'][:, 0], [grey[2], grey[0], grey[1]])
    assert not (tmp_path / 'pack-labels.npy').exists()


def test_labels_of_an_earlier_hdf5_file_are_not_taken_for_those_of_a_new_one(tmp_path):
    np.save(tmp_path / 'pack-labels.npy', np.zeros([2, 3]))
    source = write_set(tmp_path / 'source', random_pixels(2, 3, 8, 8))
    with pytest.raises(UserError, match='pack-labels.npy: would be taken for labels of these images'):
        run('convert_to_hdf5', tmp_path / 'pack.h5', source)
    assert not (tmp_path / 'pack.h5').exists()


def test_a_failure_leaves_the_earlier_hdf5_file(tmp_path):
    write_images(tmp_path / 'images', [random_pixels(8, 8, 3) for _ in range(2)])
    (tmp_path / 'pack.h5').write_bytes(b'earlier')
    content = (tmp_path / 'images' / '1.png').read_bytes()
    (tmp_path / 'images' / '1.png').write_bytes(content[:len(content) // 2])
    with pytest.raises(UserError, match='1.png: the image cannot be decoded'):
        run('hdf5_from_images', tmp_path / 'pack.h5', tmp_path / 'images')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['images', 'pack.h5']
    assert (tmp_path / 'pack.h5').read_bytes() == b'earlier'


@pytest.mark.parametrize('pixels, match', [
    ([(8, 8, 3), (8, 8)], '1.png: is 8x8 grey, but 0.png is 8x8 RGB'),
    ([(8, 8, 3), (16, 16, 3)], '1.png: is 16x16 RGB, but 0.png is 8x8 RGB'),
    ([(37, 37, 3)], '0.png: 37x37 is not a size to train on')])
def test_images_that_are_not_alike_are_refused(tmp_path, pixels, match):
    write_images(tmp_path / 'images', [random_pixels(*shape) for shape in pixels])
    with pytest.raises(UserError, match=match):
        run('hdf5_from_images', tmp_path / 'pack.h5', tmp_path / 'images')


def test_hdf5_files_that_cannot_be_written_are_named(tmp_path):
    source = write_set(tmp_path / 'source', random_pixels(2, 3, 8, 8))
    with pytest.raises(UserError, match='gone/pack.h5: cannot be written: No such file'):
        run('convert_to_hdf5', tmp_path / 'gone' / 'pack.h5', source)
