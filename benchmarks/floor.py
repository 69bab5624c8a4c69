"""python -m benchmarks.floor START PICKLE OUT: what nobody can do without before a network draws.

Imports TensorFlow, then reads the arrays of a network pickle and builds nothing from them.
"""

import json
import pathlib
import pickle
import sys
import time


class _Inert(dict):
    """Instead of a network."""

    def __setstate__(self, state):
        pass


class _Unpickler(pickle.Unpickler):
    """Makes arrays and nothing else; the file was written a moment ago."""

    def find_class(self, module, name):
        if module.startswith('numpy'):
            return super().find_class(module.replace('numpy.core', 'numpy._core'), name)
        return _Inert


def main(start, path, out):
    """Write seconds since `start` (time.time() before this process) as JSON to the file `out`."""
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
