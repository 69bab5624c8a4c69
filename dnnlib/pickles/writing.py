"""Writing pickles that the published code can read, old NumPy included."""

import io
import pickle

PROTOCOL = 4  # The published code cannot read newer protocols.


class _Pickler(pickle._Pickler):
    """Writes NumPy's functions under their names in NumPy 1, and classes under the name that they choose."""

    def save_global(self, obj, name=None):
        module, stored_as = getattr(obj, '__module__', None) or '', getattr(obj, 'stored_as', None)
        if module.startswith('numpy._core'):
            stored_as = module.replace('numpy._core', 'numpy.core'), name or obj.__qualname__
        if stored_as is None:
            super().save_global(obj, name)
            return
        for part in stored_as:
            self.save(part)
        self.write(pickle.STACK_GLOBAL)
        self.memoize(obj)


def dump(obj, stream) -> None:
    """Write an object as a pickle that every version of NumPy and the published code can read."""
    buffer = io.BytesIO()  # The stream gets one block: this pickler writes a few bytes at a time.
    _Pickler(buffer, protocol=PROTOCOL).dump(obj)
    stream.write(buffer.getbuffer())
