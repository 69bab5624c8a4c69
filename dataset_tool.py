"""Create data sets of TFRecord files, show and compare them."""

# TensorFlow takes seconds to load: functions that need it import it.

import script_start  # noqa: F401  (must come first)

# isort: split
import itertools
import os
import sys

import numpy as np

from dnnlib import cli
from dnnlib.util import UserError, printable
from training.data import folders, image_databases, image_files, summary
from training.data.photos import create
from training.data.photos.options import FLAGS, Options
from training.data.stored_images import ImageFiles, open_images
from training.data_tools import archive, brecahad, comparison, hdf5, overview, packing, window
from training.data_tools import info as description
from training.misc import pictures


def info(tfrecord_dir, checksums=0):
    """Print what a data set holds: images, labels, classes and files, and how to train on it."""
    for line in description.lines(tfrecord_dir, reads_all=bool(checksums)):
        print(printable(line))  # names can be anything


def display(tfrecord_dir, output=None, num_images=64, columns=None):
    """Show the images one by one in a window; ESC ends it, any other key shows the next one. Without a screen
    or OpenCV, or with --output, write some of them as one picture: the first ones or, if their labels are
    classes, a row of each class."""
    if output is not None:
        pictures.picture_format(output)
    images = _open(tfrecord_dir)
    cv2 = window.opened() if output is None else None
    if cv2 is not None:
        count = window.show(cv2, images)
    else:
        name = os.path.splitext(os.path.basename(os.path.abspath(tfrecord_dir)))[0]
        count = overview.write(images, output or f'{name}-images.png', num_images, columns)
    print(f'Displayed {count} images.')


def _require_outside(place, tfrecord_dir):
    """Raise UserError if a place is a data set or in a folder of images, which would grow by new ones."""
    place_path, path = os.path.realpath(place), os.path.realpath(tfrecord_dir)
    if place_path == path:
        raise UserError(f'{place}: this is the data set itself; choose another place')
    if place_path.startswith(path + os.sep) and folders.holds_images(path):
        raise UserError(f'{place}: is inside the data set; choose another place')


def extract(tfrecord_dir, output_dir):
    """Write all images as img00000000.png, img00000001.png and so on, in order, to a new folder."""
    _require_outside(output_dir, tfrecord_dir)
    images = _open(tfrecord_dir)
    print(f'Extracting images to "{output_dir}"')
    archive.extract(images, output_dir)
    print(f'Extracted {len(images)} images.')


def compare(tfrecord_dir_a, tfrecord_dir_b, ignore_labels=0):
    """Print which images and labels differ."""
    comparison.compare(_open(tfrecord_dir_a), _open(tfrecord_dir_b), ignore_labels)


def export(tfrecord_dir, destination, image_format=None, max_images=None):
    """Write a zip file or folder of images and labels that stylegan2-ada-pytorch and stylegan3 train on.
    Images that are stored as files are copied."""
    _require_outside(destination, tfrecord_dir)
    images = _open(tfrecord_dir)
    count = archive.write(images, destination, image_format, max_images)
    print(f'Exported {count} images to "{destination}".')
    _, height, width = images.shape
    if height != width or width & (width - 1) != 0:
        print(f'These programs expect squares whose side is a power of two; the images are {width}x{height}.')


def unpack(tfrecord_dir, output_dir, resolution=None):
    """Write all images of a training set as PNG files, and their labels as pack_extras.npz, to a new folder,
    of which pack makes data sets."""
    _require_outside(output_dir, tfrecord_dir)
    images = _open(tfrecord_dir)
    print(f'Extracting images to "{output_dir}"')
    packing.unpack(images, output_dir, resolution)
    print(f'Extracted {len(images)} images.')
    if summary.validation_path(tfrecord_dir) is not None:
        print('The validation set is left out.')


def pack(unpacked_dir, tfrecord_dir, num_train=None, num_validation=0, mirror=0, seed=None):
    """Create a data set of what unpack has written: a training set of some or all images, and a validation
    set of others."""
    print(f'Loading an unpacked dataset from "{unpacked_dir}"')
    unpacked = packing.Unpacked(unpacked_dir)
    training, validation = packing.split(unpacked.num_images, num_train, num_validation, mirror, seed)
    with _exporter(tfrecord_dir, len(training)) as exporter:
        packing.write(unpacked, exporter, training)
        if len(validation) > 0:
            with exporter.validation_set(len(validation)) as validation_exporter:
                packing.write(unpacked, validation_exporter, validation)


def convert_to_hdf5(hdf5_filename, tfrecord_dir, compress=0):
    """Write the images of a data set at all resolutions to an HDF5 file, and labels to <stem>-labels.npy."""
    _require_outside(hdf5_filename, tfrecord_dir)
    _write_hdf5(hdf5_filename, _open(tfrecord_dir), compress)


def hdf5_from_images(hdf5_filename, image_dir, compress=0):
    """Write the images in a folder or zip file, in the order of their names, to an HDF5 file, and labels in
    dataset.json to <stem>-labels.npy. All images have to be alike."""
    _require_outside(hdf5_filename, image_dir)
    print(f'Loading images from "{image_dir}"')
    _write_hdf5(hdf5_filename, ImageFiles(image_dir), compress)


def extract_brecahad_crops(brecahad_dir, output_dir, cropsize=256):
    """Cut the images of BreCaHAD into squares, which are written as 0000.png, 0001.png and so on."""
    print(f'Cropping the images in "{brecahad_dir}"')
    print(f'Extracted {brecahad.crop_all(brecahad_dir, output_dir, cropsize)} crops.')


def create_mnist(tfrecord_dir, mnist_dir):
    """Create MNIST, Fashion-MNIST or a part of it: images padded from 28x28 to 32x32, with one-hot labels."""
    print(f'Loading MNIST from "{mnist_dir}"')
    _export_classes(tfrecord_dir, *image_files.read_mnist(mnist_dir), num_classes=10)


def create_mnistrgb(tfrecord_dir, mnist_dir, num_images=1000000, random_seed=123):
    """Create Stacked MNIST, whose images have random digits as red, green and blue, without labels."""
    print(f'Loading MNIST from "{mnist_dir}"')
    digits = image_files.read_mnist_images(mnist_dir)
    rnd = np.random.RandomState(random_seed)
    with _exporter(tfrecord_dir, num_images) as exporter:
        for _ in range(num_images):
            exporter.add_image(digits[rnd.randint(len(digits), size=3)])


def create_cifar10(tfrecord_dir, cifar10_dir, ignore_labels=0):
    """Create CIFAR-10, 32x32, with one-hot labels, and the names of the classes if batches.meta is there."""
    print(f'Loading CIFAR-10 from "{cifar10_dir}"')
    names = image_files.read_cifar_names(os.path.join(cifar10_dir, 'batches.meta'), 'label_names', 10)
    _export_classes(tfrecord_dir, *image_files.read_cifar10(cifar10_dir), num_classes=10, class_names=names,
                    ignore_labels=ignore_labels)


def create_cifar100(tfrecord_dir, cifar100_dir):
    """Create CIFAR-100, 32x32, with one-hot labels of the fine classes, and their names if the file meta is
    there."""
    print(f'Loading CIFAR-100 from "{cifar100_dir}"')
    names = image_files.read_cifar_names(os.path.join(cifar100_dir, 'meta'), 'fine_label_names', 100)
    _export_classes(tfrecord_dir, *image_files.read_cifar100(cifar100_dir), num_classes=100,
                    class_names=names)


def create_svhn(tfrecord_dir, svhn_dir):
    """Create Street View House Numbers, 32x32, with one-hot labels."""
    print(f'Loading SVHN from "{svhn_dir}"')
    _export_classes(tfrecord_dir, *image_files.read_svhn(svhn_dir), num_classes=10)


def create_lsun(tfrecord_dir, lmdb_dir, resolution=256, max_images=None):
    """Create a category of LSUN from the resized centres of its images, without labels. Entries that are not
    images are skipped."""
    _export_lsun(tfrecord_dir, lmdb_dir, max_images,
                 lambda image: image_databases.square(image, resolution))


def create_lsun_wide(tfrecord_dir, lmdb_dir, width=512, height=384, max_images=None):
    """Create a category of LSUN as wide images between black bars, without labels. Images that are too small
    and entries that are not images are skipped."""
    if height > width:
        raise UserError(f'--height={height} must not be more than --width, which is {width}')
    _export_lsun(tfrecord_dir, lmdb_dir, max_images,
                 lambda image: image_databases.wide(image, width, height))


def create_celeba(tfrecord_dir, celeba_dir, cx=89, cy=121, any_count=0):
    """Create CelebA, 128x128, by cropping the aligned images in img_align_celeba_png, without labels."""
    print(f'Loading CelebA from "{celeba_dir}"')
    image_files.check_celeba_crop(cx, cy)
    paths = image_files.celeba_paths(celeba_dir, any_count)
    with _exporter(tfrecord_dir, len(paths)) as exporter:
        for idx in exporter.choose_shuffled_order():
            exporter.add_image(image_files.read_celeba_image(paths[idx], cx, cy))


def create_from_images(tfrecord_dir, image_dir, **chosen):
    """Create a data set of the images in a folder, sub-folders included, or in a zip file. Files that cannot
    be used are left out and listed. Without --resolution, images have to be square, of one size, a power of
    two, and all grey or all RGB."""
    create.create(tfrecord_dir, image_dir, Options(**chosen))


def create_from_hdf5(tfrecord_dir, hdf5_filename, shuffle=1):
    """Create a data set of the widest images of an HDF5 file, with labels if <stem>-labels.npy exists."""
    print(f'Loading HDF5 archive from "{hdf5_filename}"')
    with image_databases.open_hdf5(hdf5_filename) as images:
        labels = image_databases.read_hdf5_labels(hdf5_filename, len(images))
        with _exporter(tfrecord_dir, len(images)) as exporter:
            order = exporter.choose_shuffled_order() if shuffle else np.arange(len(images))
            for idx in order:
                exporter.add_image(image_databases.read_hdf5_image(images, idx))
            if labels is not None:
                exporter.add_labels(labels[order])


def _open(path):
    print(f'Loading dataset "{path}"')
    return open_images(path)


def _write_hdf5(hdf5_filename, images, compress):
    hdf5.write(images, hdf5_filename, compress)
    print(f'Wrote {len(images)} images to "{hdf5_filename}".')


def _exporter(tfrecord_dir, num_images):
    folders.require_place(tfrecord_dir)
    from training.data.export import TFRecordExporter
    return TFRecordExporter(tfrecord_dir, num_images)


def _export_classes(tfrecord_dir, images, labels, num_classes, class_names=None, ignore_labels=0):
    """Write images [N,C,H,W] and, as one-hot labels, classes [N] in shuffled order."""
    onehot = np.eye(num_classes, dtype=np.float32)[labels]
    with _exporter(tfrecord_dir, len(images)) as exporter:
        order = exporter.choose_shuffled_order()
        for idx in order:
            exporter.add_image(images[idx])
        if not ignore_labels:
            exporter.add_labels(onehot[order], class_names)


def _export_lsun(tfrecord_dir, lmdb_dir, max_images, fit):
    """Write the images of an LMDB in order. `fit`: uint8 [H,W,3] -> [3,side,side], None = skip."""
    print(f'Loading LSUN dataset from "{lmdb_dir}"')
    with image_databases.open_lsun(lmdb_dir) as (num_entries, images):
        expected_images = min(num_entries, max_images or num_entries)
        with _exporter(tfrecord_dir, expected_images) as exporter:
            fitting = (image for image in map(fit, images) if image is not None)
            for image in itertools.islice(fitting, expected_images):
                exporter.add_image(image)
            if exporter.cur_images == 0:
                raise UserError(f'{lmdb_dir}: none of its {num_entries} entries is a usable image')
            print(f'Used {exporter.cur_images} of {num_entries} entries.')


def _option(value_type, default, metavar, text):
    """Return how argparse treats an option with a default."""
    help_text = f'{text} (default: {default})'
    return {'type': value_type, 'default': default, 'metavar': metavar, 'help': help_text}


def _switch(default, text):
    """Return how argparse treats an option that is 0 or 1."""
    return {'type': int, 'choices': (0, 1), 'default': default, 'help': f'{text} (default: {default})'}


_DATA_SET = {'help': 'data set: a folder of TFRecords, or a folder or zip file of images'}
_NEW_TFRECORD_DIR = {'type': cli.folder, 'help': 'folder of the new data set'}
_LMDB_DIR = {'help': 'folder of the LMDB, with the file data.mdb; needs the package lmdb'}
_COMPRESS = _switch(0, '1 = compress with gzip')
_HDF5_FILENAME = {'help': 'HDF5 file to write; needs the package h5py'}
_MAX_IMAGES = {'type': cli.int_at_least(1), 'metavar': 'N', 'help': 'maximum number of images (default: all)'}

# (function = name of the command, example of its arguments, {argument: how argparse treats it})
COMMANDS = [
    (info, 'datasets/fashion-mnist', {
        'tfrecord_dir': _DATA_SET,
        '--checksums': {'action': 'store_const', 'const': 1, 'default': 0,
                        'help': 'read large files completely, for checksums of all bytes'}}),
    (display, 'datasets/fashion-mnist', {
        'tfrecord_dir': _DATA_SET,
        '--output': {'metavar': 'FILE', 'help': 'write a picture to this file instead of opening a window'},
        '--num_images': _option(cli.int_at_least(1), 64, 'N',
                                'number of images in the picture; for classes, --columns decides'),
        '--columns': {'type': cli.int_at_least(1), 'metavar': 'N',
                      'help': 'images in a row of the picture (default: as suits their number)'}}),
    (extract, 'datasets/fashion-mnist ~/fashion-mnist-images', {
        'tfrecord_dir': _DATA_SET,
        'output_dir': {'type': cli.folder, 'help': 'new folder for the images'}}),
    (compare, 'datasets/mydataset datasets/fashion-mnist', {
        'tfrecord_dir_a': _DATA_SET, 'tfrecord_dir_b': _DATA_SET,
        '--ignore_labels': _switch(0, '1 = compare images only')}),
    (export, 'datasets/fashion-mnist fashion-mnist.zip', {
        'tfrecord_dir': _DATA_SET,
        'destination': {'help': 'zip file, or new folder'},
        '--format': {'dest': 'image_format', 'choices': ('png', 'jpeg'),
                     'help': 'format of the images (default: as they are stored, PNG for raw pixels)'},
        '--max_images': _MAX_IMAGES}),
    (unpack, '--tfrecord_dir datasets/cifar10 --output_dir ~/cifar10-images', {
        '--tfrecord_dir': {**_DATA_SET, 'required': True, 'metavar': 'DIR'},
        '--output_dir': {'type': cli.folder, 'required': True, 'metavar': 'DIR', 'help': 'new folder'},
        '--resolution': {'type': cli.int_at_least(1), 'metavar': 'SIDE',
                         'help': 'resize the images, which are squares (default: as they are)'}}),
    (pack, '--unpacked_dir ~/cifar10-images --tfrecord_dir datasets/cifar10-5k --num_train 5000 --seed 123', {
        '--unpacked_dir': {'required': True, 'metavar': 'DIR', 'help': 'what unpack has written'},
        '--tfrecord_dir': {**_NEW_TFRECORD_DIR, 'required': True, 'metavar': 'DIR'},
        '--num_train': {'type': cli.int_at_least(1), 'metavar': 'N',
                        'help': 'images of the training set (default: all that the validation set leaves)'},
        '--num_validation': _option(cli.int_at_least(0), 0, 'N', 'images of the validation set'),
        '--mirror': _switch(0, '1 = add mirrored copies to the training set'),
        '--seed': {'type': cli.seed, 'metavar': 'SEED',
                   'help': 'seed of the order of the images (default: keep their order)'}}),
    (convert_to_hdf5, 'cifar10.h5 datasets/cifar10', {
        'hdf5_filename': _HDF5_FILENAME, 'tfrecord_dir': _DATA_SET, '--compress': _COMPRESS}),
    (hdf5_from_images, 'mydataset.h5 myimagedir', {
        'hdf5_filename': _HDF5_FILENAME, 'image_dir': {'help': 'folder or zip file of the images'},
        '--compress': _COMPRESS}),
    (extract_brecahad_crops, '--brecahad_dir ~/BreCaHAD/images --output_dir ~/brecahad --cropsize 512', {
        '--brecahad_dir': {'required': True, 'metavar': 'DIR', 'help': 'folder of the *.tif images'},
        '--output_dir': {'type': cli.folder, 'required': True, 'metavar': 'DIR', 'help': 'new folder'},
        '--cropsize': {'type': int, 'choices': tuple(brecahad.STEPS), 'default': 256,
                       'help': 'side of the crops: 256, or 512, which overlap by half (default: 256)'}}),
    (create_mnist, 'datasets/fashion-mnist data/fashion-mnist', {
        'tfrecord_dir': _NEW_TFRECORD_DIR,
        'mnist_dir': {'help': f'folder with {image_files.MNIST_IMAGES} and {image_files.MNIST_LABELS}'}}),
    (create_mnistrgb, 'datasets/mnistrgb ~/mnist', {
        'tfrecord_dir': _NEW_TFRECORD_DIR,
        'mnist_dir': {'help': f'folder with {image_files.MNIST_IMAGES}'},
        '--num_images': _option(cli.int_at_least(1), 1000000, 'N', 'number of images'),
        '--random_seed': _option(cli.seed, 123, 'SEED', 'seed of the choice of digits')}),
    (create_cifar10, 'datasets/cifar10 ~/cifar-10-batches-py', {
        'tfrecord_dir': _NEW_TFRECORD_DIR,
        'cifar10_dir': {'help': 'folder with data_batch_1 to data_batch_5, the version for Python'},
        '--ignore_labels': _switch(0, '1 = write no labels, for unconditional training')}),
    (create_cifar100, 'datasets/cifar100 ~/cifar-100-python', {
        'tfrecord_dir': _NEW_TFRECORD_DIR,
        'cifar100_dir': {'help': 'folder with the file train, the version for Python'}}),
    (create_svhn, 'datasets/svhn ~/svhn', {
        'tfrecord_dir': _NEW_TFRECORD_DIR,
        'svhn_dir': {'help': 'folder with train_1.pkl to train_3.pkl: images uint8 [N,3,32,32], labels [N]'},
    }),
    (create_lsun, 'datasets/lsun-car-100k ~/lsun/car_lmdb --resolution 256 --max_images 100000', {
        'tfrecord_dir': _NEW_TFRECORD_DIR, 'lmdb_dir': _LMDB_DIR,
        '--resolution': _option(cli.power_of_two, 256, 'SIDE', 'side of the images, a power of two'),
        '--max_images': _MAX_IMAGES}),
    (create_lsun_wide, 'datasets/lsun-car-512x384 ~/lsun/car_lmdb --width 512 --height 384', {
        'tfrecord_dir': _NEW_TFRECORD_DIR, 'lmdb_dir': _LMDB_DIR,
        '--width': _option(cli.power_of_two, 512, 'W', 'width of the images, a power of two'),
        '--height': _option(cli.int_at_least(1), 384, 'H', 'height of the images without the bars'),
        '--max_images': _MAX_IMAGES}),
    (create_celeba, 'datasets/celeba ~/celeba', {
        'tfrecord_dir': _NEW_TFRECORD_DIR,
        'celeba_dir': {'help': f'folder that contains {image_files.CELEBA_FOLDER}'},
        '--cx': _option(int, 89, 'X', 'column of the centre'),
        '--cy': _option(int, 121, 'Y', 'row of the centre'),
        '--any_count': _switch(0, f'1 = accept any number, not only {image_files.CELEBA_IMAGES}')}),
    (create_from_images, 'datasets/mydataset myimagedir --resolution=256', {
        'tfrecord_dir': _NEW_TFRECORD_DIR,
        'image_dir': {'help': 'folder or zip file of the images'}, **FLAGS}),
    (create_from_hdf5, 'datasets/celebahq ~/celeba-hq-1024x1024.h5', {
        'tfrecord_dir': _NEW_TFRECORD_DIR,
        'hdf5_filename': {'help': "file with data sets 'data...', uint8 [N,C,H,W]; needs the package h5py"},
        '--shuffle': _switch(1, '0 = keep the order of the file')}),
]


def make_parser():
    """Return the parser of the command line."""
    parser = cli.ArgumentParser(prog='dataset_tool.py', description=__doc__,
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


def _spelled(argv):
    """Return a command line with its options as the command spells them: words may be joined by - or _."""
    known = {name.replace('-', '_'): name for function, _, arguments in COMMANDS
             if function.__name__ == argv[0] for name in arguments if name.startswith('--')}
    parts = [argument.partition('=') for argument in argv]
    return [known.get(name.replace('-', '_'), name) + equals + value for name, equals, value in parts]


def main(argv=None):
    """Run the command in `argv`, by default that of the command line; show the help without one."""
    argv = sys.argv[1:] if argv is None else argv
    args = vars(make_parser().parse_args(_spelled(argv or ['--help'])))
    args.pop('command')
    args.pop('function')(**args)


if __name__ == '__main__':
    cli.run_script(main)
