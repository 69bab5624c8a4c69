"""Create data sets of TFRecord files, look at them, compare them."""

import argparse
import contextlib
import gzip
import itertools
import math
import os
import sys
import zlib

import numpy as np
import PIL.Image

import dnnlib.tflib as tflib
from dnnlib import cli
from dnnlib.progress import Progress
from dnnlib.util import UserError, atomic_write
from training import dataset, misc
from training.tfrecord_export import TFRecordExporter

WINDOW = 'dataset_tool'
ESC_KEY = 27
IDX_UINT8 = 0x0800  # plus the number of dimensions: the magic number of an IDX file


def display(tfrecord_dir, output=None, num_images=64):
    """Show the images one by one in a window: any key for the next, ESC to stop. Without a screen or OpenCV,
    or with --output, write the first --num_images as one picture instead."""
    dset = _open_dataset(tfrecord_dir)
    cv2 = _opencv_with_window() if output is None else None
    if cv2 is not None:
        count = _show_in_window(cv2, dset)
    else:
        output = output or f'{os.path.basename(os.path.abspath(tfrecord_dir))}-images.png'
        count = _write_overview(dset, output, num_images)
    print(f'Displayed {count} images.')


def extract(tfrecord_dir, output_dir):
    """Write all images as img00000000.png, img00000001.png and so on, in the order of the records."""
    dset = _open_dataset(tfrecord_dir)
    print(f'Extracting images to "{output_dir}"')
    try:
        os.makedirs(output_dir, exist_ok=True)
    except OSError as error:
        raise UserError(f'{output_dir}: the folder cannot be created: {error.strerror}') from error
    progress = Progress(dset.num_images, 'images')
    count = 0
    for image, _ in dataset.read_once(dset):
        progress.show(count)
        with atomic_write(os.path.join(output_dir, f'img{count:08d}.png')) as file:
            misc.convert_to_pil_image(image, dset.dynamic_range).save(file, format='PNG')
        count += 1
    print(f'{f"Extracted {count} images.":40s}')


def compare(tfrecord_dir_a, tfrecord_dir_b, ignore_labels=0):
    """Say which images and labels differ."""
    streams = [dataset.read_once(_open_dataset(path)) for path in (tfrecord_dir_a, tfrecord_dir_b)]
    count = identical_images = identical_labels = 0
    for item_a, item_b in itertools.zip_longest(*streams):
        if item_a is None or item_b is None:
            print('Datasets contain different number of images')
            break
        same_image, same_label = (np.array_equal(a, b) for a, b in zip(item_a, item_b, strict=True))
        if not same_image:
            print(f'Image {count} is different')
        if not same_label and not ignore_labels:
            print(f'Label {count} is different')
        identical_images += same_image
        identical_labels += same_label
        count += 1
    print(f'Identical images: {identical_images} / {count}')
    if not ignore_labels:
        print(f'Identical labels: {identical_labels} / {count}')


def create_mnist(tfrecord_dir, mnist_dir):
    """Images padded from 28x28 to 32x32, with one-hot labels: MNIST, Fashion-MNIST or any part of them."""
    print(f'Loading MNIST from "{mnist_dir}"')
    images_path = os.path.join(mnist_dir, 'train-images-idx3-ubyte.gz')
    labels_path = os.path.join(mnist_dir, 'train-labels-idx1-ubyte.gz')
    images = _read_idx(images_path, [28, 28])
    labels = _read_idx(labels_path, [])
    if len(images) != len(labels):
        raise UserError(f'{labels_path}: holds {len(labels)} labels, but {images_path} holds {len(images)} '
                        'images; take both files from the same source')
    if labels.max(initial=0) > 9:
        raise UserError(f'{labels_path}: holds the class {labels.max()}; expected 0 to 9')
    images = np.pad(images[:, np.newaxis], [(0, 0), (0, 0), (2, 2), (2, 2)])  # [N,28,28] -> [N,1,32,32]
    _export_classes(tfrecord_dir, images, labels, num_classes=10)


def create_from_images(tfrecord_dir, image_dir, shuffle=1):
    """All images of a folder, PNG or JPEG: square, of the same size, either all grey or all RGB."""
    print(f'Loading images from "{image_dir}"')
    paths = _image_paths(image_dir)
    _check_images(paths)
    with TFRecordExporter(tfrecord_dir, len(paths)) as exporter:
        order = exporter.choose_shuffled_order() if shuffle else range(len(paths))
        for idx in order:
            exporter.add_image(_read_image(paths[idx]))


def _open_dataset(tfrecord_dir):
    """The data set with all its labels, in the order of its records."""
    print(f'Loading dataset "{tfrecord_dir}"')
    tflib.init_tf()
    return dataset.TFRecordDataset(
        tfrecord_dir, max_label_size='full', repeat=False, shuffle_mb=0, prefetch_mb=64)


def _opencv_with_window():
    """OpenCV with its window open, or None where it is not installed or there is no screen."""
    if sys.platform == 'linux' and not (os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')):
        return None
    try:
        import cv2
    except ImportError:
        return None
    try:
        cv2.namedWindow(WINDOW)
    except cv2.error:  # built without windows
        return None
    return cv2


def _show_in_window(cv2, dset):
    """Show images until ESC -> how many."""
    count = 0
    for image, label in dataset.read_once(dset):
        print(f'idx = {count:<8d} label = {label.tolist()}')
        bgr = image.transpose(1, 2, 0)[:, :, ::-1]  # RGB [C,H,W] -> BGR [H,W,C]
        cv2.imshow(WINDOW, np.ascontiguousarray(bgr))
        count += 1
        if cv2.waitKey() == ESC_KEY:
            break
    return count


def _write_overview(dset, path, num_images):
    """Write the first images as one picture -> how many."""
    images = [image for image, _ in itertools.islice(dataset.read_once(dset), num_images)]
    try:
        misc.save_image_grid(np.stack(images), path, drange=dset.dynamic_range)
    except OSError as error:
        raise UserError(f'{path}: the picture cannot be written: {error.strerror}') from error
    print(f'Wrote the first {len(images)} images to "{path}".')
    return len(images)


def _read_idx(path, item_shape):
    """Contents of an IDX file, uint8 [N, *item_shape]. Raises UserError if that is not what it holds."""
    try:
        with gzip.open(path) as file:
            data = file.read()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f'{path}: cannot be read ({error}); download or copy the file again') from error
    header_bytes = 4 * (2 + len(item_shape))
    magic, num_items, *shape = (int.from_bytes(data[i:i + 4], 'big') for i in range(0, header_bytes, 4))
    if magic != IDX_UINT8 + 1 + len(item_shape) or shape != item_shape:
        raise UserError(f'{path}: begins with magic number {magic} and size {shape}; expected '
                        f'{IDX_UINT8 + 1 + len(item_shape)} and {item_shape}, as in the files of MNIST')
    num_bytes = num_items * math.prod(item_shape)
    if num_items == 0 or len(data) - header_bytes != num_bytes:
        raise UserError(f'{path}: holds {len(data) - header_bytes} bytes, but its header promises '
                        f'{num_items} entries, which take {num_bytes}; download or copy the file again')
    return np.frombuffer(data, np.uint8, offset=header_bytes).reshape(num_items, *item_shape)


def _export_classes(tfrecord_dir, images, labels, num_classes):
    """Write images [N,C,H,W] and classes [N] in shuffled order, the classes as one-hot labels."""
    onehot = np.eye(num_classes, dtype=np.float32)[labels]
    with TFRecordExporter(tfrecord_dir, len(images)) as exporter:
        order = exporter.choose_shuffled_order()
        for idx in order:
            exporter.add_image(images[idx])
        exporter.add_labels(onehot[order])


def _image_paths(image_dir):
    """Sorted paths of the files in a folder, without hidden ones and folders."""
    if not os.path.isdir(image_dir):
        raise UserError(f'{image_dir}: there is no such folder of images')
    names = [name for name in sorted(os.listdir(image_dir)) if not name.startswith('.')]
    paths = [path for path in (os.path.join(image_dir, name) for name in names) if os.path.isfile(path)]
    if not paths:
        raise UserError(f'No input images found in {image_dir}; expected PNG or JPEG files right inside')
    return paths


@contextlib.contextmanager
def _bad_image_named(path):
    """Turn what Pillow finds wrong with a file into a UserError."""
    try:
        yield
    except (OSError, SyntaxError, ValueError, zlib.error, PIL.Image.DecompressionBombError) as error:
        raise UserError(f'{path}: cannot be read as an image ({error}); expected nothing but PNG and JPEG '
                        'files in the folder') from error


def _check_images(paths):
    """Raise UserError if a file is no image or does not go with the first one. Reads the headers only."""
    first = None
    for path in paths:
        with _bad_image_named(path), PIL.Image.open(path) as image:
            (width, height), mode = image.size, image.mode
        if width != height:
            raise UserError(f'Input images must have the same width and height: {path} has {width}x{height}; '
                            'crop or resize it')
        if width < 4 or width & (width - 1) != 0:
            raise UserError(f'Input image resolution must be a power-of-two: {path} has {width}x{height}; '
                            'resize it to 4, 8, 16 and so on')
        if mode not in ('L', 'RGB'):
            raise UserError(f'Input images must be stored as RGB or grayscale: {path} has mode {mode}; '
                            "convert it, for example with Pillow's convert('RGB')")
        first = first or (width, mode)
        if (width, mode) != first:
            raise UserError(f'{path}: has {width}x{height} and mode {mode}, but {paths[0]} has '
                            f'{first[0]}x{first[0]} and mode {first[1]}; all input images must be alike')


def _read_image(path):
    """Pixels of an image file, uint8 [C,H,W]."""
    with _bad_image_named(path), PIL.Image.open(path) as image:
        pixels = np.asarray(image)
    return pixels[np.newaxis] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)  # -> [C,H,W]


_TFRECORD_DIR = {'help': 'folder of the data set'}
_NEW_TFRECORD_DIR = {'help': 'folder of the new data set'}

# (function = name of the command, example of its arguments, {argument: how argparse treats it})
COMMANDS = [
    (display, 'datasets/fashion-mnist', {
        'tfrecord_dir': _TFRECORD_DIR,
        '--output': {'metavar': 'FILE', 'help': 'write a picture to this file instead of opening a window'},
        '--num_images': {'type': cli.int_at_least(1), 'default': 64, 'metavar': 'N',
                         'help': 'number of images in the picture (default: %(default)s)'},
    }),
    (extract, 'datasets/fashion-mnist ~/fashion-mnist-images', {
        'tfrecord_dir': _TFRECORD_DIR,
        'output_dir': {'help': 'folder for the images'},
    }),
    (compare, 'datasets/mydataset datasets/fashion-mnist', {
        'tfrecord_dir_a': _TFRECORD_DIR,
        'tfrecord_dir_b': _TFRECORD_DIR,
        '--ignore_labels': {'type': int, 'default': 0, 'help': '1 = compare images only (default: 0)'},
    }),
    (create_mnist, 'datasets/fashion-mnist data/fashion-mnist', {
        'tfrecord_dir': _NEW_TFRECORD_DIR,
        'mnist_dir': {'help': 'folder with train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz'},
    }),
    (create_from_images, 'datasets/mydataset myimagedir', {
        'tfrecord_dir': _NEW_TFRECORD_DIR,
        'image_dir': {'help': 'folder with the images'},
        '--shuffle': {'type': int, 'default': 1, 'help': '0 = keep the order of the file names (default: 1)'},
    }),
]


def _parser():
    parser = argparse.ArgumentParser(prog='dataset_tool.py', description=__doc__,
                                     epilog="'dataset_tool.py <command> -h' explains a command.")
    subparsers = parser.add_subparsers(dest='command', metavar='command', required=True)
    for function, example, arguments in COMMANDS:
        name = function.__name__
        subparser = subparsers.add_parser(
            name, help=' '.join(function.__doc__.split()), description=function.__doc__,
            epilog=f'example: python dataset_tool.py {name} {example}')
        for argument, options in arguments.items():
            subparser.add_argument(argument, **options)
        subparser.set_defaults(function=function)
    return parser


def main(argv=None):
    """Run the command in `argv` (default: the command line's arguments); show the help if there is none."""
    argv = sys.argv[1:] if argv is None else argv
    args = vars(_parser().parse_args(argv or ['--help']))
    args.pop('command')
    args.pop('function')(**args)


if __name__ == '__main__':
    cli.run_script(main)
