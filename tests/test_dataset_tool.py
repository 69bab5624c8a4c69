"""Test dataset_tool.py: its files, its errors for bad input, and the files left after a failure."""

import gzip
import itertools
import os
import pathlib
import subprocess
import sys
import types

import numpy as np
import PIL.Image
import pytest

import dataset_tool
from dnnlib import cli
from dnnlib.progress import Progress
from dnnlib.util import UserError
from tests.dataset_files import (
    IMAGES_GZ,
    LABELS_GZ,
    contents,
    records,
    run,
    shuffled_order,
    write_idx,
    write_images,
    write_mnist,
    write_set,
)
from training.data.export import TFRecordExporter
from training.data_tools import window

ROOT = pathlib.Path(__file__).parent.parent
FASHION = ROOT / 'data' / 'fashion-mnist'

grey = np.random.RandomState(3).randint(0, 256, [5, 8, 8]).astype(np.uint8)
rgb = np.random.RandomState(4).randint(0, 256, [5, 8, 8, 3]).astype(np.uint8)


@pytest.mark.parametrize('num_images, first', [
    (40, [6, 10, 12, 38, 5, 11, 23, 1, 13, 20]), (70000, [21971, 16953, 48447, 42344, 4376])])
def test_shuffled_order_is_the_published_one(tmp_path, num_images, first):
    exporter = TFRecordExporter(str(tmp_path / 'set'), num_images, print_progress=False)
    order = exporter.choose_shuffled_order()
    assert order[:len(first)].tolist() == first
    assert sorted(order) == list(range(num_images))


def test_one_file_per_resolution_named_after_the_folder(tmp_path):
    write_set(f'{tmp_path / "set"}/', np.zeros([2, 3, 16, 16], np.uint8), labels=np.zeros([2, 4]))
    assert sorted(contents(tmp_path / 'set')) == [
        'set-r02.tfrecords', 'set-r03.tfrecords', 'set-r04.tfrecords', 'set-rxx.labels']


def test_records_hold_shape_and_pixels_in_the_published_format(tmp_path):
    image = rgb[0].transpose(2, 0, 1)
    write_set(tmp_path / 'set', [image])
    assert records(tmp_path / 'set' / 'set-r03.tfrecords') == [([3, 8, 8], image.tobytes())]
    content = (tmp_path / 'set' / 'set-r03.tfrecords').read_bytes()
    assert int.from_bytes(content[:8], 'little') == len(content) - 16  # minus length, checksums and record


def test_reduced_images_are_rounded_half_to_even(tmp_path):
    # Blocks with means 0.5, 1.5, 2.5 and 0.25.
    row = np.block([[np.array([[0, 1], [1, 0]]), np.array([[1, 2], [2, 1]]),
                     np.array([[2, 3], [3, 2]]), np.array([[0, 0], [1, 0]])]])
    write_set(tmp_path / 'set', [np.tile(row, [4, 1])[np.newaxis].astype(np.uint8)])
    assert list(records(tmp_path / 'set' / 'set-r02.tfrecords')[0][1]) == [0, 2, 2, 0] * 4


def test_rounding_errors_do_not_add_up(tmp_path):
    # 4x4 pixels with mean 0.625. Three of their quarters have mean 0.5, which is rounded to 0.
    half = np.array([[0, 1], [1, 0]])
    block = np.block([[half, half], [half, np.ones([2, 2])]])
    write_set(tmp_path / 'set', [np.tile(block, [4, 4])[np.newaxis].astype(np.uint8)])
    assert list(records(tmp_path / 'set' / 'set-r03.tfrecords')[0][1]) == ([0, 0] * 4 + [0, 1] * 4) * 4
    assert list(records(tmp_path / 'set' / 'set-r02.tfrecords')[0][1]) == [1] * 16


def test_float_images_are_rounded_and_clipped(tmp_path):
    image = np.full([1, 4, 4], 0.5, np.float32)
    image[0, 0] = [-3, 1.5, 254.6, 300]
    write_set(tmp_path / 'set', [image])
    assert list(records(tmp_path / 'set' / 'set-r02.tfrecords')[0][1]) == [0, 2, 255, 255] + [0] * 12


def test_labels_are_float32_in_the_format_of_numpy(tmp_path):
    write_set(tmp_path / 'set', np.zeros([2, 1, 4, 4], np.uint8), labels=np.array([[1, 2], [3, 4]]))
    labels = np.load(tmp_path / 'set' / 'set-rxx.labels')
    assert labels.dtype == np.float32
    assert labels.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize('shape, match', [
    ([2, 8, 8], r'images have shape \[2, 8, 8\]; expected 1 or 3 channels'),
    ([8, 8], r'images have shape \[8, 8\]; expected'),
    ([1, 2, 2], 'set: 2x2 is not a size to train on'),
    ([3, 9, 21], 'set: 21x9 is not a size to train on; .*such as')])
def test_images_of_unusable_shape_are_refused(tmp_path, shape, match):
    with pytest.raises(UserError, match=match):
        write_set(tmp_path / 'set', [np.zeros(shape, np.uint8)])
    assert not (tmp_path / 'set').exists()


def test_images_and_labels_that_do_not_fit_together_are_refused(tmp_path):
    with pytest.raises(UserError, match=r'image 1 has shape \[3, 4, 4\]; expected \[1, 4, 4\]'):
        write_set(tmp_path / 'set', [np.zeros([1, 4, 4]), np.zeros([3, 4, 4])])
    for shape in ([2, 3], [1]):
        with pytest.raises(UserError, match='expected one row for each of the 1 images'):
            write_set(tmp_path / 'set', [np.zeros([1, 4, 4])], labels=np.zeros(shape))
    with pytest.raises(UserError, match='there are no images to write'):
        write_set(tmp_path / 'set', [])
    assert contents(tmp_path / 'set') == {}


def test_a_folder_with_another_data_set_is_refused(tmp_path):
    write_set(tmp_path / 'one', grey[:, np.newaxis])
    (tmp_path / 'one').rename(tmp_path / 'two')
    before = contents(tmp_path / 'two')
    with pytest.raises(UserError, match='two: contains files of another data set, such as one-r0'):
        write_set(tmp_path / 'two', grey[:, np.newaxis])
    assert contents(tmp_path / 'two') == before


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(UserError, match='file/set: the data set cannot be written: .*Not a directory'):
        write_set(tmp_path / 'file' / 'set', grey[:, np.newaxis])


def test_a_complete_new_data_set_replaces_all_of_the_earlier_one(tmp_path, capsys):
    folder = write_set(tmp_path / 'set', np.zeros([2, 1, 16, 16], np.uint8), labels=np.zeros([2, 1]))
    (folder / 'notes.txt').write_text('stays')
    assert 'Replacing' not in capsys.readouterr().out
    write_set(folder, grey[:, np.newaxis], print_progress=True)
    assert f'Replacing the data set in {folder}.' in capsys.readouterr().out
    assert sorted(contents(folder)) == ['notes.txt', 'set-r02.tfrecords', 'set-r03.tfrecords']
    assert records(folder / 'set-r03.tfrecords') == [([1, 8, 8], image.tobytes()) for image in grey]


@pytest.mark.parametrize('error', [KeyboardInterrupt, MemoryError])
def test_an_interrupted_run_leaves_only_the_earlier_data_set(tmp_path, error):
    folder = write_set(tmp_path / 'set', grey[:, np.newaxis], labels=np.zeros([5, 1]))
    before = contents(folder)
    with pytest.raises(error), TFRecordExporter(str(folder), 9, print_progress=False) as exporter:
        exporter.add_image(np.zeros([1, 16, 16], np.uint8))
        raise error
    assert contents(folder) == before


def test_a_killed_run_leaves_the_earlier_data_set_whole(tmp_path):
    folder = write_set(tmp_path / 'set', grey[:, np.newaxis])
    before = contents(folder)
    exporter = TFRecordExporter(str(folder), 9, print_progress=False)
    exporter.add_image(np.zeros([1, 16, 16], np.uint8))
    exporter.add_labels(np.zeros([1, 1]))
    # The files on disk now are those that a killed process leaves.
    assert {name: content for name, content in contents(folder).items() if '/' not in name} == before
    assert all(name.startswith('incomplete-') for name in contents(folder) if '/' in name)


@pytest.mark.parametrize('failing_move', range(5))
def test_a_failure_at_the_very_end_brings_the_earlier_data_set_back(tmp_path, monkeypatch, failing_move):
    folder = write_set(tmp_path / 'set', grey[:, np.newaxis])
    before = contents(folder)
    moves = itertools.count()
    replace = os.replace

    def failing_replace(source, target):
        if next(moves) == failing_move:
            raise OSError(5, 'Input/output error')
        replace(source, target)

    monkeypatch.setattr(os, 'replace', failing_replace)
    with pytest.raises(UserError, match='the data set cannot be written: .*Input/output error'):
        write_set(folder, np.zeros([2, 3, 16, 16], np.uint8))
    assert contents(folder) == before


def test_nothing_in_between_passes_for_a_data_set(tmp_path, monkeypatch):
    folder = write_set(tmp_path / 'set', grey[:, np.newaxis], labels=np.zeros([5, 1]))
    states = []
    replace = os.replace

    def watched_replace(source, target):
        replace(source, target)
        states.append({path.name for path in folder.glob('set-*')})

    monkeypatch.setattr(os, 'replace', watched_replace)
    write_set(folder, np.zeros([2, 3, 16, 16], np.uint8))
    assert len(states) == 6  # 3 files moved away, 3 moved in
    assert all('set-r02.tfrecords' not in state for state in states[:-1])
    assert states[-1] == {'set-r02.tfrecords', 'set-r03.tfrecords', 'set-r04.tfrecords'}


def test_progress_is_told_every_so_many_images(tmp_path, monkeypatch, capsys):
    told = []
    monkeypatch.setattr(Progress, 'show', lambda progress, done: told.append(done))
    with TFRecordExporter(str(tmp_path / 'set'), 25) as exporter:
        for _ in range(25):
            exporter.add_image(np.zeros([1, 4, 4], np.uint8))
    assert told == [0, 10, 20]
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        f'Creating dataset "{tmp_path / "set"}"', 'Flushing data...', 'Added 25 images.']


def test_embedded_images_become_a_data_set_in_shuffled_order(tmp_path, session, capsys):
    run('create_mnist', tmp_path / 'fashion', FASHION)
    assert capsys.readouterr().out.splitlines()[-1] == 'Added 6000 images.'
    assert sorted(contents(tmp_path / 'fashion')) == [
        *(f'fashion-r{log2_side:02d}.tfrecords' for log2_side in (2, 3, 4, 5)), 'fashion-rxx.labels']
    raw_images = np.frombuffer(gzip.decompress((FASHION / IMAGES_GZ).read_bytes()), np.uint8, offset=16)
    raw_labels = np.frombuffer(gzip.decompress((FASHION / LABELS_GZ).read_bytes()), np.uint8, offset=8)
    order = shuffled_order(6000)
    padded = np.zeros([6000, 32, 32], np.uint8)
    padded[:, 2:30, 2:30] = raw_images.reshape(6000, 28, 28)

    written = records(tmp_path / 'fashion' / 'fashion-r05.tfrecords')
    assert all(shape == [1, 32, 32] for shape, _ in written)
    assert b''.join(pixels for _, pixels in written) == padded[order].tobytes()
    labels = np.load(tmp_path / 'fashion' / 'fashion-rxx.labels')
    assert (labels.shape, labels.dtype) == ((6000, 10), np.float32)
    np.testing.assert_array_equal(labels.argmax(axis=1), raw_labels[order])
    np.testing.assert_array_equal(labels.sum(axis=1), 1)


def test_idx_files_may_hold_any_number_of_images(tmp_path):
    run('create_mnist', tmp_path / 'set', write_mnist(tmp_path / 'mnist'))
    assert len(records(tmp_path / 'set' / 'set-r05.tfrecords')) == 3


def remove(name):
    return lambda folder: (folder / name).unlink()


def rewrite(name, change):
    return lambda folder: (folder / name).write_bytes(change((folder / name).read_bytes()))


def replace(name, magic, counts, num_bytes):
    return lambda folder: write_idx(folder / name, magic, counts, [0] * num_bytes)


@pytest.mark.parametrize('prepare, match', [
    (remove(IMAGES_GZ), f'{IMAGES_GZ}: cannot be read .*No such file'),
    (remove(LABELS_GZ), f'{LABELS_GZ}: cannot be read .*No such file'),
    (rewrite(IMAGES_GZ, lambda content: content[:len(content) // 2]), f'{IMAGES_GZ}: cannot be read'),
    (rewrite(IMAGES_GZ, gzip.decompress), f'{IMAGES_GZ}: cannot be read .*Not a gzipped file'),
    (rewrite(LABELS_GZ, lambda content: gzip.compress(b'')), f'{LABELS_GZ}: starts with magic number 0'),
    (replace(IMAGES_GZ, 2049, [3, 28, 28], 2352), 'magic number 2049 .*expected 2051'),
    (replace(LABELS_GZ, 2051, [3], 3), 'magic number 2051 .*expected 2049'),
    (replace(IMAGES_GZ, 2051, [3, 32, 32], 3072), r'size \[32, 32\]; expected .*\[28, 28\]'),
    (replace(IMAGES_GZ, 2051, [3, 28, 28], 2351), 'contains 2351 bytes; the 3 entries in its header need'),
    (replace(LABELS_GZ, 2049, [3], 4), 'contains 4 bytes'),
    (replace(LABELS_GZ, 2049, [0], 0), 'the 0 entries in its header'),
    (replace(LABELS_GZ, 2049, [2], 2), 'contains 2 labels, but .* beside it 3 images'),
    (lambda folder: write_mnist(folder, labels=[0, 10, 0]), 'contains the class 10; expected 0 to 9')])
def test_damaged_idx_files_are_named(tmp_path, prepare, match):
    folder = write_mnist(tmp_path / 'mnist')
    prepare(folder)
    with pytest.raises(UserError, match=match) as info:
        run('create_mnist', tmp_path / 'set', folder)
    assert '\n' not in str(info.value)
    assert not (tmp_path / 'set').exists()


@pytest.mark.parametrize('pixels', [grey, rgb], ids=['grey', 'rgb'])
def test_images_survive_the_way_into_a_data_set_and_back(tmp_path, session, capsys, pixels):
    source = write_images(tmp_path / 'images', pixels)
    run('create_from_images', tmp_path / 'set', source, '--shuffle', 0)
    run('extract', tmp_path / 'set', tmp_path / 'out')
    assert capsys.readouterr().out.splitlines()[-1].rstrip() == 'Extracted 5 images.'
    assert sorted(contents(tmp_path / 'out')) == [f'img0000000{idx}.png' for idx in range(5)]
    for idx in range(5):
        with PIL.Image.open(tmp_path / 'out' / f'img0000000{idx}.png') as image:
            np.testing.assert_array_equal(np.asarray(image), pixels[idx])


def test_image_files_are_taken_in_sorted_order_and_shuffled_by_default(tmp_path):
    names = ['b.png', 'a.png', '10.png', '9.png', 'C.png']
    source = write_images(tmp_path / 'images', grey, names)
    (source / 'folder.png').mkdir()
    (source / '.hidden').write_text('no image')
    run('create_from_images', tmp_path / 'set', source)
    by_name = [grey[names.index(name)] for name in sorted(names)]
    assert [pixels for _, pixels in records(tmp_path / 'set' / 'set-r03.tfrecords')] == [
        by_name[idx].tobytes() for idx in shuffled_order(5)]


def test_jpeg_files_are_read_too(tmp_path):
    source = write_images(tmp_path / 'images', rgb, [f'{idx}.jpg' for idx in range(5)])
    run('create_from_images', tmp_path / 'set', source, '--shuffle=0')
    with PIL.Image.open(source / '0.jpg') as image:
        expected = np.asarray(image).transpose(2, 0, 1).tobytes()
    assert records(tmp_path / 'set' / 'set-r03.tfrecords')[0] == ([3, 8, 8], expected)


@pytest.mark.parametrize('mode', ['RGBA', 'LA', 'P', '1', 'I;16', 'CMYK'])
def test_images_of_other_modes_are_refused(tmp_path, mode):
    source = write_images(tmp_path / 'images', grey)
    PIL.Image.new(mode, [8, 8]).save(source / f'3.{"jpg" if mode == "CMYK" else "png"}')
    expected = (f'^Input images must be stored as RGB or grayscale: .*3.... has mode {mode}; '
                '. of . images are at least 8 pixels: --resolution=8')
    with pytest.raises(UserError, match=expected):
        run('create_from_images', tmp_path / 'set', source)
    assert not (tmp_path / 'set').exists()


@pytest.mark.parametrize('size, mode, match', [
    ([8, 4], 'L', '^Input images must have the same width and height: .*2.png has 8x4; .*--resolution=8'),
    ([6, 6], 'L', '^Input image resolution must be a power-of-two: .*2.png has 6x6; 4 of 5 images are at'),
    ([2, 2], 'L', '^Input image resolution must be a power-of-two: .*2.png has 2x2'),
    ([16, 16], 'L', '2.png: has 16x16 and mode L, but .*0.png has 8x8 and mode L; .* must match; 5 of 5'),
    ([8, 8], 'RGB', '2.png: has 8x8 and mode RGB, but .*0.png has 8x8 and mode L')])
def test_images_that_do_not_go_with_the_first_are_named(tmp_path, size, mode, match):
    source = write_images(tmp_path / 'images', grey)
    PIL.Image.new(mode, size).save(source / '2.png')
    with pytest.raises(UserError, match=match):
        run('create_from_images', tmp_path / 'set', source)
    assert not (tmp_path / 'set').exists()


def test_folders_without_images_are_refused(tmp_path):
    (tmp_path / 'empty' / 'folder').mkdir(parents=True)
    with pytest.raises(UserError, match='No input images found in .*empty'):
        run('create_from_images', tmp_path / 'set', tmp_path / 'empty')
    with pytest.raises(UserError, match='none: no such folder'):
        run('create_from_images', tmp_path / 'set', tmp_path / 'none')


def test_an_image_cut_off_is_left_out_or_strictly_the_earlier_data_set_stays(tmp_path, capsys):
    source = write_images(tmp_path / 'images', grey)
    run('create_from_images', tmp_path / 'set', source)
    before = contents(tmp_path / 'set')
    content = (source / '1.png').read_bytes()
    (source / '1.png').write_bytes(content[:len(content) - 40])
    with pytest.raises(UserError, match='1.png: damaged'):
        run('create_from_images', tmp_path / 'set', source, '--strict')
    assert contents(tmp_path / 'set') == before
    run('create_from_images', tmp_path / 'set', source)
    assert len(records(tmp_path / 'set' / 'set-r03.tfrecords')) == 4
    assert '    1.png: ' in capsys.readouterr().out


def test_compare_counts_what_is_identical(tmp_path, session, capsys):
    changed = grey.copy()
    changed[2, 0, 0] ^= 1
    labels = np.eye(5)
    write_set(tmp_path / 'a', grey[:, np.newaxis], labels)
    write_set(tmp_path / 'b', changed[:, np.newaxis], labels[[0, 1, 2, 4, 3]])
    run('compare', tmp_path / 'a', tmp_path / 'b')
    assert capsys.readouterr().out.splitlines()[2:] == [
        'Image 2 is different', 'Label 3 is different', 'Label 4 is different',
        'Identical images: 4 / 5', 'Identical labels: 3 / 5']
    run('compare', tmp_path / 'a', tmp_path / 'b', '--ignore_labels', 1)
    assert capsys.readouterr().out.splitlines()[2:] == ['Image 2 is different', 'Identical images: 4 / 5']


def test_compare_ends_with_the_shorter_data_set(tmp_path, session, capsys):
    write_set(tmp_path / 'a', grey[:, np.newaxis])
    write_set(tmp_path / 'b', grey[:3, np.newaxis])
    run('compare', tmp_path / 'a', tmp_path / 'b')
    assert capsys.readouterr().out.splitlines()[2:] == [
        'Datasets contain different number of images', 'Identical images: 3 / 3', 'Identical labels: 3 / 3']


@pytest.fixture
def no_screen(monkeypatch):
    monkeypatch.setattr(sys, 'platform', 'linux')
    monkeypatch.delenv('DISPLAY', raising=False)
    monkeypatch.delenv('WAYLAND_DISPLAY', raising=False)


def fake_opencv(keys, window_error=None):
    """Return a stand-in for OpenCV that records the images shown and returns these keys."""
    class OpenCVError(Exception):
        """Stands for cv2.error."""

    def named_window(name):
        if window_error:
            raise OpenCVError(window_error)

    shown = []
    keys = iter(keys)
    return types.SimpleNamespace(
        shown=shown, error=OpenCVError, namedWindow=named_window, waitKey=lambda: next(keys),
        imshow=lambda name, image: shown.append((name, image)))


def test_display_without_a_screen_writes_a_picture(tmp_path, session, monkeypatch, capsys, no_screen):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, 'cv2', fake_opencv([]))
    write_set(tmp_path / 'set', rgb.transpose(0, 3, 1, 2))
    run('display', 'set')
    assert capsys.readouterr().out.splitlines()[1:] == [
        'Wrote the first 5 images to "set-images.png".', 'Displayed 5 images.']
    with PIL.Image.open('set-images.png') as picture:
        assert picture.size == (24, 16)
        np.testing.assert_array_equal(np.asarray(picture)[8:, 8:16], rgb[4])


@pytest.mark.parametrize('opencv', [None, fake_opencv([], window_error='not implemented')],
                         ids=['not installed', 'without windows'])
def test_display_without_a_usable_opencv_writes_a_picture(tmp_path, session, monkeypatch, opencv):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('DISPLAY', ':0')
    monkeypatch.setitem(sys.modules, 'cv2', opencv)  # None makes the import fail
    write_set(tmp_path / 'set', grey[:, np.newaxis])
    run('display', 'set')
    assert (tmp_path / 'set-images.png').exists()


def test_display_writes_as_many_images_as_wanted_where_it_is_told(tmp_path, session, monkeypatch):
    monkeypatch.setenv('DISPLAY', ':0')
    monkeypatch.setitem(sys.modules, 'cv2', fake_opencv([]))
    write_set(tmp_path / 'set', grey[:, np.newaxis])
    run('display', tmp_path / 'set', '--output', tmp_path / 'two.png', '--num_images', 2)
    with PIL.Image.open(tmp_path / 'two.png') as picture:
        np.testing.assert_array_equal(np.asarray(picture), np.concatenate(grey[:2], axis=1))
    with pytest.raises(UserError, match='two: unknown picture format'):
        run('display', tmp_path / 'set', '--output', tmp_path / 'two')
    with pytest.raises(UserError, match='gone/two.png: the picture cannot be written: No such file'):
        run('display', tmp_path / 'set', '--output', tmp_path / 'gone' / 'two.png')


def test_display_shows_images_in_a_window_until_escape(tmp_path, session, monkeypatch, capsys):
    opencv = fake_opencv([ord(' '), ord('x'), window.ESC_KEY])
    monkeypatch.setenv('DISPLAY', ':0')
    monkeypatch.setitem(sys.modules, 'cv2', opencv)
    write_set(tmp_path / 'set', rgb.transpose(0, 3, 1, 2), labels=np.eye(5))
    run('display', tmp_path / 'set')
    assert capsys.readouterr().out.splitlines()[1:] == [
        'idx = 0        label = [1.0, 0.0, 0.0, 0.0, 0.0]',
        'idx = 1        label = [0.0, 1.0, 0.0, 0.0, 0.0]',
        'idx = 2        label = [0.0, 0.0, 1.0, 0.0, 0.0]',
        'Displayed 3 images.']
    assert [name for name, _ in opencv.shown] == ['dataset_tool'] * 3
    np.testing.assert_array_equal(opencv.shown[1][1], rgb[1][:, :, ::-1])  # OpenCV expects BGR


@pytest.mark.parametrize('command', [['display', 'set'],
                                     ['extract', 'set', 'out'], ['compare', 'set', 'set']])
def test_commands_that_read_name_a_damaged_record(tmp_path, session, monkeypatch, capsys, no_screen, command):
    monkeypatch.chdir(tmp_path)
    write_set(tmp_path / 'set', grey[:, np.newaxis])
    path = pathlib.Path('set', 'set-r03.tfrecords')
    content = path.read_bytes()
    path.write_bytes(content[:len(content) // 2])
    with pytest.raises(SystemExit) as info:
        cli.run_script(lambda: run(*command))
    assert info.value.code == 2
    error, = capsys.readouterr().err.splitlines()
    assert error.startswith(f'Error: {path}: record 2 is damaged or cut off;')


def test_commands_that_read_name_a_missing_data_set(tmp_path, session):
    with pytest.raises(UserError, match='none: the data set does not exist; create it with dataset_tool.py'):
        run('extract', tmp_path / 'none', tmp_path / 'out')


def test_extract_names_a_folder_that_cannot_be_made(tmp_path, session):
    write_set(tmp_path / 'set', grey[:, np.newaxis])
    (tmp_path / 'file').write_text('')
    with pytest.raises(UserError, match='file/in: cannot be written: Not a directory'):
        run('extract', tmp_path / 'set', tmp_path / 'file' / 'in')


def test_help_comes_before_tensorflow_is_loaded():
    code = 'import sys, dataset_tool; sys.exit("tensorflow" in sys.modules)'
    assert subprocess.run([sys.executable, '-c', code], cwd=ROOT, check=False).returncode == 0


def test_interrupting_the_load_of_tensorflow_is_one_line(tmp_path):
    (tmp_path / 'tensorflow').mkdir()
    (tmp_path / 'tensorflow' / '__init__.py').write_text('raise KeyboardInterrupt')
    command = [sys.executable, ROOT / 'dataset_tool.py', 'create_mnist', tmp_path / 'set', FASHION]
    done = subprocess.run(command, check=False,
                          env={**os.environ, 'PYTHONPATH': str(tmp_path)}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, 'Loading TensorFlow...\nInterrupted.\n')


def test_help_is_shown_without_arguments(capsys):
    with pytest.raises(SystemExit) as info:
        dataset_tool.main([])
    assert info.value.code == 0
    shown = capsys.readouterr().out
    for command in (
            'info', 'display', 'extract', 'compare', 'export', 'create_mnist', 'create_mnistrgb',
            'create_cifar10', 'create_cifar100', 'create_svhn', 'create_lsun', 'create_lsun_wide',
            'create_celeba', 'create_from_images', 'create_from_hdf5'):
        assert f'\n    {command}' in shown


@pytest.mark.parametrize('args', [
    ['unknown'], ['extract', 'only_one'], ['display', 'set', '--num_images', '0'],
    ['create_from_images', 'set', 'images', '--shuffle', 'no'],
    ['create_mnistrgb', 'set', 'mnist', '--num_images', '0'],
    ['create_mnistrgb', 'set', 'mnist', '--random_seed=-1'],
    ['create_lsun', 'set', 'lsun', '--resolution', '100'],
    ['create_lsun', 'set', 'lsun', '--max_images', '0'],
    ['create_lsun_wide', 'set', 'lsun', '--width', '500']])
def test_wrong_arguments_end_with_status_2(args, capsys):
    with pytest.raises(SystemExit) as info:
        run(*args)
    assert info.value.code == 2
    assert capsys.readouterr().err.startswith('Error: ')
