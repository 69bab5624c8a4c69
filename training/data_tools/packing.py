"""Takes data sets apart and puts them together again: folders of PNG files with a file of labels, from which
parts become training sets and validation sets."""

import io
import zipfile
import zlib

import numpy as np
import PIL.Image

from dnnlib.progress import shown
from dnnlib.util import UserError
from training.data import class_names, records, sizes
from training.data.image_source import ImageSource
from training.data_tools import archive

EXTRAS = 'pack_extras.npz'  # labels [N,L], num_images and, if there are any, class_names
_UNREADABLE = (OSError, EOFError, KeyError, MemoryError, OverflowError, RuntimeError, TypeError, ValueError,
               zipfile.BadZipFile, zlib.error)


def unpack(stored, path, resolution=None):
    """Write the images of StoredImages as PNG files, resized to squares if `resolution` is given, and their
    labels to a new folder, which appears at the end."""
    if resolution is not None:
        _require_square(stored, resolution)
    with archive.place(path) as add:
        for index in shown(range(len(stored)), 'Extracting', 'images'):
            same = resolution in (None, stored.shape[1])
            data = archive.png_file(stored, index) if same else _resized(stored.image(index), resolution)
            add(archive.name_of_image(index), data)
        add(EXTRAS, _extras(stored))


def _require_square(stored, resolution):
    sizes.require(resolution, resolution, '--resolution')
    _, height, width = stored.shape
    if height != width:
        raise UserError(f'--resolution={resolution}: the images are {width}x{height}, and only squares are '
                        'resized; omit the flag')


def _resized(image, side):
    """Resize an image, uint8 [C,H,W], with the Lanczos filter -> bytes of a PNG file."""
    pixels = image[0] if image.shape[0] == 1 else image.transpose(1, 2, 0)  # [3,H,W] -> [H,W,3]
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).resize((side, side), PIL.Image.Resampling.LANCZOS).save(file, 'png')
    return file.getvalue()


def _extras(stored):
    """Return the content of the file with labels: uint8, which StyleGAN2-ADA expects, unless that loses
    something."""
    labels = stored.labels
    with np.errstate(invalid='ignore'):
        as_bytes = labels.astype(np.uint8)
    if np.array_equal(as_bytes, labels):
        labels = as_bytes
    names = {} if stored.class_names is None else {'class_names': np.array(stored.class_names, str)}
    file = io.BytesIO()
    np.savez(file, labels=labels, num_images=len(stored), **names)
    return file.getvalue()


class Unpacked:
    """A folder or zip file that `unpack` has written. Attributes: `num_images`, `labels` [N,L], `class_names`
    (list or None).

    Raises UserError, which names the file, for anything else.
    """

    def __init__(self, path):
        self._source = ImageSource(path)
        if EXTRAS not in self._source.names:
            raise UserError(f'{path}: there is no {EXTRAS}; expected what dataset_tool.py unpack writes')
        self._shape = None  # of the first image that is read
        self._where = self._source.file_path(EXTRAS)
        self.num_images, self.labels, self.class_names = self._read_extras()
        names = set(self._source.names)
        for index in range(self.num_images):
            if archive.name_of_image(index) not in names:
                raise UserError(f'{self._source.file_path(archive.name_of_image(index))}: is missing; '
                                f'{self._where} tells of {self.num_images} images')

    def image(self, index):
        """Return an image, uint8 [C,H,W]. Raises UserError if its file is damaged, or unlike those before."""
        name = archive.name_of_image(index)
        try:
            image = records.decoded(self._source.read(name))
        except (OSError, ValueError) as error:
            raise UserError(f'{self._source.file_path(name)}: {error}; replace the file') from error
        self._shape = self._shape or image.shape
        if image.shape != self._shape:
            raise UserError(f'{self._source.file_path(name)}: has shape {list(image.shape)}; expected '
                            f'{list(self._shape)}, as before')
        return image

    def _read_extras(self):
        try:
            with np.load(io.BytesIO(self._source.read(EXTRAS)), allow_pickle=False) as extras:
                num_images, labels = int(extras['num_images']), extras['labels']
                names = extras['class_names'].tolist() if 'class_names' in extras else None
        except _UNREADABLE as error:
            raise UserError(f'{self._where}: cannot be read ({error}); expected num_images and labels, as '
                            'numpy.savez writes them') from error
        if labels.ndim != 2 or len(labels) != num_images or labels.dtype.kind not in 'fiu' or num_images < 1:
            raise UserError(f'{self._where}: labels are {labels.dtype} of shape {list(labels.shape)}; '
                            f'expected a row of numbers for each of {num_images} images')
        if not np.isfinite(labels).all():
            raise UserError(f'{self._where}: labels are not finite numbers; unpack the data set again')
        if names is None:
            return num_images, labels, None
        names = class_names.checked({'classes': names}, self._where)
        if len(names) != labels.shape[1]:
            raise UserError(f'{self._where}: names {len(names)} classes, but labels have {labels.shape[1]} '
                            'components; unpack the data set again')
        return num_images, labels, names


def split(num_images, num_train=None, num_validation=0, mirror=False, seed=None):
    """Divide images among a training and a validation set -> rows of both, (index of an image, 1 = mirrored).

    num_train: None = all that the validation set leaves. mirror: add the mirrored images to the training set.
    seed: shuffle the images before and the training set afterwards. Raises UserError for too few images.
    """
    order = np.arange(num_images)
    if seed is not None:
        np.random.RandomState(seed).shuffle(order)
    num_train = num_images - num_validation if num_train is None else num_train
    if num_train < 1 or num_train + num_validation > num_images:
        raise UserError(f'--num_train={num_train} and --num_validation={num_validation} do not fit in '
                        f'{num_images} images; choose at least 1 for training, and no more than there are')
    training = np.stack([order[:num_train], np.zeros(num_train, int)], axis=1)
    if mirror:
        training = np.concatenate([training, training + [0, 1]])
        if seed is not None:
            np.random.RandomState(seed).shuffle(training)
    validation = order[num_train:num_train + num_validation]
    return training, np.stack([validation, np.zeros(num_validation, int)], axis=1)


def write(unpacked, exporter, rows):
    """Write rows of `split` with a TFRecordExporter. Labels are written if there are any."""
    for index, is_mirrored in rows:
        image = unpacked.image(index)
        exporter.add_image(image[:, :, ::-1] if is_mirrored else image)
    if unpacked.labels.shape[1] > 0:
        exporter.add_labels(unpacked.labels[rows[:, 0]], unpacked.class_names)
