"""Measure the least time before a network can draw: python -m benchmarks.floor START PICKLE OUT.

Imports TensorFlow, then reads the arrays of a network pickle without building anything from them.
"""

import json
import pathlib
import pickle
import sys
import time


class _Inert(dict):
    """Takes the place of a network and ignores its state."""

    def __setstate__(self, state):
        pass


class _Unpickler(pickle.Unpickler):
    """Creates only arrays. The benchmark wrote the file itself, so it is trusted."""

    def find_class(self, module, name):
        if module.startswith('numpy'):
            return super().find_class(module.replace('numpy.core', 'numpy._core'), name)
        return _Inert


def main(start, path, out):
    """Write the seconds since `start` (time.time() before this process started) to the file `out` as JSON."""
    import tensorflow.compat.v1 as tf  # noqa: F401
    imported = time.time()
    with open(path, 'rb') as file:
        while file.read(1 << 24):
            pass
    read = time.time()
    with open(path, 'rb') as file:
        _Unpickler(file).load()
    unpickled = time.time()
    result = {'import': imported - float(start), 'read': read - imported, 'unpickle': unpickled - read}
    pathlib.Path(out).write_text(json.dumps(result), encoding='utf-8')


if __name__ == '__main__':
    main(*sys.argv[1:])
