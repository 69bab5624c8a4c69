"""Write pickles as other writers do: with any protocol, other names, and networks in any state."""

import io
import pickle
import types

from dnnlib.tflib.network import state as network_state


class StoredNetwork:
    """Is pickled as a network with this state."""

    def __init__(self, state):
        self.state = state


def stored(net, change=lambda state: {}):
    """Convert a network and its sub-networks to `StoredNetwork`; change(state) returns new values of
    fields."""
    state = network_state.get_state(net)
    state['components'] = {key: stored(component, change) for key, component in net.components.items()}
    state.update(change(state))
    return StoredNetwork(state)


class Pickler(pickle._Pickler):
    """Writes pickles as other versions of Python and NumPy do.

    `core`: package of NumPy's functions; `network`: module of the class Network; `python2`: writes byte
    strings, as Python 2 does.
    """

    def __init__(self, file, protocol, core='numpy._core', network='dnnlib.tflib.network', python2=False):
        super().__init__(file, protocol)
        self.core, self.network, self.python2 = core, network, python2

    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, StoredNetwork):
            self._save_name(self.network, 'Network')
            self.save(())
            self.write(pickle.NEWOBJ)
            self.save(obj.state)
            self.write(pickle.BUILD)
        elif isinstance(obj, str) and self.python2:
            data = obj.encode('latin1')
            self.write(pickle.BINSTRING + len(data).to_bytes(4, 'little') + data)
        else:
            super().save(obj, save_persistent_id)

    def save_global(self, obj, name=None):
        self._save_name(obj.__module__.replace('numpy._core', self.core), name or obj.__qualname__)
        self.memoize(obj)

    dispatch = {**pickle._Pickler.dispatch, types.FunctionType: save_global}

    def _save_name(self, module, name):
        if self.proto >= 4:
            self.save(module)
            self.save(name)
            self.write(pickle.STACK_GLOBAL)
        else:
            self.write(b'c' + module.encode() + b'\n' + name.encode() + b'\n')


def dumps(obj, protocol=4, **names):
    """Return the pickle as bytes; `names`: see `Pickler`."""
    file = io.BytesIO()
    Pickler(file, protocol, **names).dump(obj)
    return file.getvalue()
