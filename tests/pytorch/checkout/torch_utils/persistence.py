"""Stand-in: networks are pickled with their class, arguments and state, in the published form."""

import copy
import importlib
import inspect
import sys

VERSION = 6


def persistent_class(klass):
    """Return the class with arguments that are kept and objects that are pickled by name and state."""

    class Persistent(klass):

        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self._init_args, self._init_kwargs = copy.deepcopy((args, kwargs))

        def __reduce__(self):
            source = inspect.getsource(sys.modules[klass.__module__])
            meta = dict(type='class', version=VERSION, module_src=source, class_name=klass.__name__,
                        state=self.__dict__)
            return _reconstruct_persistent_obj, (meta,)

    Persistent.__name__ = klass.__name__
    return Persistent


def _reconstruct_persistent_obj(meta):
    """Return an object of the class of that name in training.networks; the stored source text is not run."""
    assert (meta['type'], meta['version']) == ('class', VERSION)
    klass = getattr(importlib.import_module('training.networks'), meta['class_name'])
    obj = klass.__new__(klass)
    obj.__dict__.update(meta['state'])
    return obj
