"""Test training.misc: value ranges, image grids, pickles."""

import pickle

import numpy as np
import PIL.Image
import pytest
import tensorflow.compat.v1 as tf

import dnnlib
import dnnlib.tflib as tflib
from dnnlib.util import EasyDict, UserError
from training import misc
from training.misc import pictures


class FakeDataset:
    """Streams uniform images of classes 0, 1, 2, ... in turn. The value of an image is its number."""

    def __init__(self, shape=(1, 4, 4), label_size=4, absent=()):
        self.shape = list(shape)
        self.dtype = 'uint8'
        self.label_size = label_size
        self.label_dtype = 'float32'
        self.present = [idx for idx in range(label_size) if idx not in absent]
        self.num_drawn = 0

    def classes(self):
        return None

    def get_minibatch_np(self, minibatch_size):
        numbers = np.arange(self.num_drawn, self.num_drawn + minibatch_size)
        self.num_drawn += minibatch_size
        images = np.broadcast_to(numbers[:, None, None, None], [minibatch_size, *self.shape]).astype(np.uint8)
        labels = np.eye(self.label_size, dtype=np.float32)
        if self.present:
            labels = labels[np.take(self.present, numbers % len(self.present))]
        return images, labels.reshape(minibatch_size, -1)


def class_map(grid):
    """Return the classes of the grid's cells as [rows, columns]; -1 means empty."""
    (columns, rows), _, labels = grid
    classes = np.where(labels.any(axis=1), labels.argmax(axis=1), -1)
    return classes.reshape(rows, columns)


def test_dynamic_range_is_mapped_linearly_in_float32():
    mapped = misc.adjust_dynamic_range(np.array([0, 51, 255], np.uint8), [0, 255], [-1, 1])
    assert mapped.dtype == np.float32
    np.testing.assert_allclose(mapped, [-1, -0.6, 1], atol=1e-6)
    np.testing.assert_allclose(misc.adjust_dynamic_range(np.float32([-1, 0]), (-1, 1), (10, 30)), [10, 20])


def test_equal_dynamic_ranges_change_nothing():
    data = np.array([1, 2], np.uint8)
    assert misc.adjust_dynamic_range(data, [0, 255], (0, 255)) is data


def test_dynamic_range_of_tensors(session):
    mapped = tflib.run(misc.adjust_dynamic_range(tf.constant([0.0, 255.0]), [0, 255], [-1, 1]))
    np.testing.assert_allclose(mapped, [-1, 1], atol=1e-6)


@pytest.mark.parametrize('num, size', [
    (1, (1, 1)), (2, (2, 1)), (3, (2, 2)), (5, (3, 2)), (9, (3, 3)), (10, (4, 3))])
def test_default_grid_is_about_square(num, size):
    grid = misc.create_image_grid(np.ones([num, 2, 5], np.uint8))
    assert grid.shape == (size[1] * 2, size[0] * 5)
    assert grid.dtype == np.uint8
    assert grid.sum() == num * 10


def test_grid_is_filled_row_by_row():
    images = np.arange(1, 6, dtype=np.float32)[:, None, None, None] * np.ones([5, 3, 2, 2], np.float32)
    grid = misc.create_image_grid(images, grid_size=(3, 2))
    assert grid.shape == (3, 4, 6)
    assert grid[0, ::2, ::2].tolist() == [[1, 2, 3], [4, 5, 0]]


def test_pil_images_are_rounded_and_clipped():
    image = misc.convert_to_pil_image(np.array([[-2, -1, 0, 0.004, 1, 2]]), drange=[-1, 1])
    assert (image.mode, image.size) == ('L', (6, 1))
    assert np.asarray(image).tolist() == [[0, 0, 128, 128, 255, 255]]
    assert misc.convert_to_pil_image(np.ones([1, 2, 3])).mode == 'L'
    colour = misc.convert_to_pil_image(np.arange(6, dtype=np.uint8).reshape(3, 1, 2), drange=[0, 255])
    assert (colour.mode, colour.size) == ('RGB', (2, 1))
    assert np.asarray(colour).tolist() == [[[0, 2, 4], [1, 3, 5]]]


def test_saved_grid_is_a_picture_in_the_format_of_its_name(tmp_path):
    images = np.arange(4, dtype=np.uint8)[:, None, None, None] * np.ones([4, 1, 8, 8], np.uint8) * 60
    misc.save_image_grid(images, str(tmp_path / 'grid.png'), drange=[0, 255], grid_size=(4, 1))
    misc.save_image_grid(images, tmp_path / 'grid.JPG', drange=[0, 255])
    with PIL.Image.open(tmp_path / 'grid.png') as picture:
        assert picture.format == 'PNG'
        assert np.asarray(picture)[0, ::8].tolist() == [0, 60, 120, 180]
    with PIL.Image.open(tmp_path / 'grid.JPG') as picture:
        assert (picture.format, picture.size) == ('JPEG', (16, 16))
    assert sorted(path.name for path in tmp_path.iterdir()) == ['grid.JPG', 'grid.png']
    with pytest.raises(UserError, match='grid.abc: unknown picture format'):
        misc.save_image_grid(images, tmp_path / 'grid.abc')


@pytest.mark.parametrize('dtype, drange', [(np.float32, [-1, 1]), (np.float64, [0, 1]), (np.uint8, [0, 255])])
def test_a_saved_grid_is_the_picture_of_the_whole_grid_and_its_empty_cells(dtype, drange, tmp_path):
    images = np.random.RandomState(1).uniform(*drange, [5, 3, 8, 8]).astype(dtype)
    misc.save_image_grid(images, tmp_path / 'grid.png', drange, grid_size=(3, 2))
    expected = misc.convert_to_pil_image(misc.create_image_grid(images, (3, 2)), drange)
    with PIL.Image.open(tmp_path / 'grid.png') as picture:
        np.testing.assert_array_equal(np.asarray(picture), np.asarray(expected))


def test_mirroring_reverses_about_half_of_the_images_in_a_copy():
    images = np.tile(np.arange(3), [200, 1, 2, 1])
    np.random.seed(1)
    mirrored = misc.apply_mirror_augment(images)
    assert (images == np.arange(3)).all()
    reversed_images = (mirrored == [2, 1, 0]).all(axis=(1, 2, 3))
    kept = (mirrored == [0, 1, 2]).all(axis=(1, 2, 3))
    assert (reversed_images | kept).all()
    assert 70 < reversed_images.sum() < 130


@pytest.mark.parametrize('size, side, grid_size', [
    ('1080p', 1024, (3, 2)), ('1080p', 256, (7, 4)), ('1080p', 128, (15, 8)), ('1080p', 32, (32, 32)),
    ('4k', 1024, (7, 4)), ('4k', 256, (15, 8)),
    ('8k', 1024, (7, 4)), ('8k', 512, (15, 8)), ('8k', 256, (30, 16)),
    ('8k', 32, (32, 32)), ('other', 32, (1, 1))])
def test_grid_sizes_follow_the_picture_size(size, side, grid_size):
    data = FakeDataset(shape=(1, side, side))
    grid = misc.setup_snapshot_image_grid(data, size=size)
    num = grid_size[0] * grid_size[1]
    assert grid[0] == grid_size
    assert (grid[1].shape, grid[2].shape) == ((num, 1, side, side), (num, 4))
    assert all(type(count) is int for count in grid[0])


def test_random_layout_is_one_minibatch():
    _, images, labels = misc.setup_snapshot_image_grid(FakeDataset(shape=(1, 512, 512)), size='1080p')
    assert images[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert labels.argmax(axis=1).tolist() == [0, 1, 2, 3, 0, 1]


@pytest.mark.parametrize('layout, rows', [
    ('row_per_class', [[0] * 7, [1] * 7, [2] * 7, [3] * 7]),
    ('col_per_class', [[0, 1, 2, 3, 0, 1, 2]] * 4),
    ('class4x4', [[0, 0, 0, 0, 1, 1, 1]] * 4)])
def test_class_layouts_put_one_class_into_each_block(layout, rows):
    data = FakeDataset(shape=(1, 512, 512))
    grid = misc.setup_snapshot_image_grid(data, size='4k', layout=layout)
    assert class_map(grid).tolist() == rows
    assert (grid[1].dtype, grid[2].dtype) == (np.uint8, np.float32)
    assert len(set(grid[1][:, 0, 0, 0])) == 28  # no image appears twice


def test_blocks_beyond_the_classes_start_again_with_the_first_class():
    data = FakeDataset(shape=(1, 256, 256), label_size=3)
    classes = class_map(misc.setup_snapshot_image_grid(data, size='1080p', layout='row_per_class'))
    assert classes[:, 0].tolist() == [0, 1, 2, 0]
    assert (classes == classes[:, :1]).all()


def test_an_absent_class_leaves_cells_empty_after_bounded_effort(monkeypatch):
    monkeypatch.setattr(pictures, 'MAX_GRID_DRAWS', 500)
    data = FakeDataset(shape=(1, 512, 512), absent=[2])
    grid = misc.setup_snapshot_image_grid(data, size='4k', layout='row_per_class')
    assert class_map(grid)[:, 0].tolist() == [0, 1, -1, 3]
    assert not grid[1].reshape(4, 7, -1)[2].any()
    assert data.num_drawn == 500


def test_a_class_known_to_be_absent_is_not_looked_for():
    data = FakeDataset(shape=(1, 512, 512), absent=[2])
    data.classes = lambda: {0, 1, 3}
    grid = misc.setup_snapshot_image_grid(data, size='4k', layout='row_per_class')
    assert class_map(grid)[:, 0].tolist() == [0, 1, -1, 3]
    assert data.num_drawn == 3 * 7


def test_layouts_that_cannot_be_are_refused():
    with pytest.raises(UserError, match='unknown grid layout "rows"; expected one of random, row_per_class'):
        misc.setup_snapshot_image_grid(FakeDataset(), layout='rows')
    with pytest.raises(UserError, match='grid layout "class4x4" needs labels'):
        misc.setup_snapshot_image_grid(FakeDataset(label_size=0), layout='class4x4')


def test_pickles_come_back_and_replace_files_only_when_complete(tmp_path):
    path = tmp_path / 'some.pkl'
    misc.save_pkl((1, {'a': np.arange(3)}), path)
    number, arrays = misc.load_pkl(str(path))
    assert number == 1
    assert arrays['a'].tolist() == [0, 1, 2]
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
        misc.save_pkl(lambda: None, path)
    assert misc.load_pkl(str(path))[0] == 1
    assert [path.name for path in tmp_path.iterdir()] == ['some.pkl']


def test_files_that_cannot_be_opened_are_named(tmp_path):
    with pytest.raises(UserError, match='none.pkl: cannot be opened .*No such file.*a file or a URL'):
        misc.load_pkl(str(tmp_path / 'none.pkl'))


def test_urls_go_through_the_download_cache(monkeypatch):
    calls = []
    monkeypatch.setattr(dnnlib.util, 'open_url', lambda url, **kwargs: calls.append((url, kwargs)))
    misc.open_file_or_url('https://example.com/net.pkl')
    assert calls == [('https://example.com/net.pkl', {'cache_dir': '.stylegan2-cache'})]


def test_arguments_of_an_earlier_run_are_read_from_its_folder(tmp_path):
    config = dnnlib.SubmitConfig()
    config.run_func_kwargs = EasyDict(total_kimg=5, dataset_args=EasyDict(tfrecord_dir='cats'))
    with open(tmp_path / 'submit_config.pkl', 'wb') as file:
        pickle.dump(config, file)
    earlier = misc.parse_config_for_previous_run(str(tmp_path))
    assert earlier == {'train': config.run_func_kwargs, 'dataset': {'tfrecord_dir': 'cats'}}
    with pytest.raises(UserError, match='submit_config.pkl: cannot be opened'):
        misc.parse_config_for_previous_run(str(tmp_path / 'none'))


def test_images_that_are_bytes_are_not_converted_to_larger_numbers():
    images = np.arange(24, dtype=np.uint8).reshape(2, 3, 2, 2)
    assert pictures.to_bytes(images, [0, 255]) is images
    np.testing.assert_array_equal(pictures.to_bytes(images, [0, 510]), np.rint(images / 2))
