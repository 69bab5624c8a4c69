"""Folders and zip files of images: the names of their files, and what is in them. No TensorFlow."""

import os
import zipfile

from dnnlib.util import UserError

LABELS = 'dataset.json'  # where stylegan2-ada-pytorch and stylegan3 keep labels
IMAGE_EXTENSIONS = ('.png', '.jpg', '.jpeg', '.webp', '.bmp', '.tif', '.tiff', '.gif')
_UNREADABLE = (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, ValueError, EOFError)


def is_zip(path):
    """Return whether a path is that of a zip file, by its extension."""
    return os.path.splitext(path)[1].lower() == '.zip'


class ImageSource:
    """A folder or a zip file. Attributes: `path`; `names`, the sorted relative paths of its files, with '/';
    `unreadable`, {relative path: reason} of sub-folders that cannot be read.

    Hidden files and folders, and what macOS adds to zip files, do not count. Links to folders are followed.
    Raises UserError if it cannot be read.
    """

    def __init__(self, path):
        self.path = path
        self.zip, self.unreadable = None, {}
        if os.path.isdir(path):
            names = self._names_in_folder()
        elif os.path.isfile(path) and is_zip(path):
            self.zip = _open_zip(path)
            names = [entry.filename for entry in self.zip.infolist() if not entry.is_dir()]
        else:
            raise UserError(f'{path}: no such folder or zip file of images')
        self.names = sorted({name for name in names if not _is_hidden(name)})

    def read(self, name):
        """Return the content of a file. Raises OSError if it cannot be read."""
        if self.zip is None:
            with open(self.file_path(name), 'rb') as file:
                return file.read()
        try:
            return self.zip.read(name)
        except _UNREADABLE as error:
            raise OSError(f'damaged or encrypted in the zip file: {error}') from error

    def open(self, name):
        """Open a file to read a part of its content. Raises OSError if it cannot be read."""
        if self.zip is None:
            return open(self.file_path(name), 'rb')
        try:
            return self.zip.open(name)
        except _UNREADABLE as error:
            raise OSError(f'damaged or encrypted in the zip file: {error}') from error

    def file_path(self, name):
        """Return the path of a file in a folder, or how to call it in a zip file."""
        return os.path.join(self.path, name)

    def _names_in_folder(self):
        def fail(error):
            if error.filename == self.path:
                raise UserError(f'{self.path}: the folder cannot be read: {error.strerror}') from error
            self.unreadable[self._relative(error.filename)] = error.strerror

        names, seen = [], {os.path.realpath(self.path)}
        for folder, subfolders, files in os.walk(self.path, onerror=fail, followlinks=True):
            below = [os.path.join(folder, name) for name in subfolders if not name.startswith('.')]
            below.sort(key=lambda path: (os.path.islink(path), path))
            subfolders[:] = [os.path.basename(path) for path in below if _is_new(path, seen)]
            relative = self._relative(folder)
            names += files if relative == '.' else [f'{relative}/{name}' for name in files]
        return names

    def _relative(self, path):
        return os.path.relpath(path, self.path).replace(os.sep, '/')

    def __reduce__(self):  # for other processes, which open the zip file themselves
        return _reopened, (self.path, self.names)


def source_at(path):
    """Return the ImageSource of a folder, a zip file or a single file. Raises UserError if it is missing."""
    if os.path.isfile(path) and not is_zip(path):
        return _reopened(os.path.dirname(path) or '.', [os.path.basename(path)])
    return ImageSource(path)


def _reopened(path, names):
    source = ImageSource.__new__(ImageSource)
    source.path, source.names = path, names
    source.unreadable = {}
    source.zip = None if os.path.isdir(path) else _open_zip(path)
    return source


def _open_zip(path):
    try:
        opened = zipfile.ZipFile(path)
    except _UNREADABLE as error:
        raise UserError(f'{path}: cannot be read as a zip file ({error}); copy it again') from error
    for info in opened.infolist():  # Some programs for Windows write names with '\\'.
        info.filename = info.filename.replace('\\', '/')
        opened.NameToInfo[info.filename] = info
    return opened


def _is_new(folder, seen):
    """Return whether a folder is not among those seen, and add it: links can lead in circles."""
    real = os.path.realpath(folder)
    is_new = real not in seen
    seen.add(real)
    return is_new


def _is_hidden(name):
    parts = [part for part in name.split('/') if part not in ('.', '..')]  # as in './a.png' of zip files
    return any(part.startswith('.') for part in parts) or parts[0] == '__MACOSX'
