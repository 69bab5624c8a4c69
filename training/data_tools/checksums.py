"""Checksums of the files of a data set: of all bytes, or of samples where these are too many for a second."""

import hashlib

from dnnlib.progress import Progress

SMALL = 200_000_000     # Bytes of all files; more are read only when asked for,
FEW = 10_000            # and so are more files.
MAX_FILES = 16          # With a line each; more have one checksum together.
BLOCK_BYTES = 1 << 16   # Of a sample.
NUM_BLOCKS = 64         # Samples of a file.


def described(files, num_bytes, reads_all):
    """Return what the checksums are of, and the lines: 'checksum  name', or one checksum of many files.

    files: {name: path}. num_bytes: {name: size}. reads_all: read large files completely.
    """
    is_small = sum(num_bytes.values()) <= SMALL and len(files) <= FEW
    if len(files) <= MAX_FILES:
        if reads_all or is_small:
            return 'of each file', _lines(files, num_bytes)
        return (f'of each file; of those with "samples", the size and {NUM_BLOCKS} blocks of 64 KiB '
                '(--checksums reads all)', _sampled_lines(files, num_bytes))
    if reads_all or is_small:
        return 'of what sha256sum prints for all files, sorted by name', [_of_text(_lines(files, num_bytes))]
    listed = [f'{size}  {name}' for name, size in num_bytes.items()]
    return 'of a list of sizes and names (--checksums reads the files)', [_of_text(listed)]


def _lines(files, num_bytes):
    progress = Progress(sum(num_bytes.values()), 'bytes', title='Reading')
    lines, done = [], 0
    for name, path in files.items():
        checksum = _of_file(path, lambda read, done=done: progress.show(done + read))
        lines.append(f'{checksum}  {name}')
        done += num_bytes[name]
    progress.clear()
    return lines


def _sampled_lines(files, num_bytes):
    """Return lines for all files, of which only the small ones are read completely."""
    lines = []
    for name, path in files.items():
        is_small = num_bytes[name] <= NUM_BLOCKS * BLOCK_BYTES
        checksum = _of_file(path) if is_small else _of_samples(path, num_bytes[name])
        lines.append(f'{checksum}  {name}{"" if is_small else "  samples"}')
    return lines


def _of_text(lines):
    text = ''.join(f'{line}\n' for line in lines)
    return hashlib.sha256(text.encode('utf-8', 'surrogateescape')).hexdigest()  # the bytes of file names


def _of_file(path, show=lambda read: None):
    """Return the SHA-256 of a file. show: is called with the bytes read."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while data := file.read(1 << 20):
            digest.update(data)
            show(file.tell())
    return digest.hexdigest()


def _of_samples(path, num_bytes):
    """Return the SHA-256 of the size of a file, as text, and of blocks at equal distances, the first and the
    last included."""
    digest = hashlib.sha256(str(num_bytes).encode())
    with open(path, 'rb') as file:
        for block in range(NUM_BLOCKS):
            file.seek(max(num_bytes - BLOCK_BYTES, 0) * block // (NUM_BLOCKS - 1))
            digest.update(file.read(BLOCK_BYTES))
    return digest.hexdigest()
