"""Networks and run settings in a file, as inert stand-ins."""

import enum

from dnnlib import util
from dnnlib.pickles import arrays, tensor_files
from dnnlib.pickles.pytorch import files as pytorch_files
from dnnlib.pickles.pytorch import streams
from dnnlib.pickles.stored_network import OldNetwork, StoredNetwork


class _StoredEasyDict(arrays.StoredDict):
    becomes = util.EasyDict


class _StoredOptions(arrays.Stored):
    """A stand-in for an object of run settings, whose attributes are the state."""

    state = None

    def set_state(self, state):
        self.state = state


def _settings(base, name):
    """Return the stand-in for the class of this dotted name, which is looked up when one is created."""
    return type(name, (base,), {'becomes': lambda self: util.call_func_by_name(func_name=name)})


def _submit_target(value):
    if type(value) is not int:
        raise util.UserError('refused: a submit target that is not a number')
    return util.call_func_by_name(value, func_name='dnnlib.submission.submit.SubmitTarget')


_SETTINGS = {'dnnlib.submission.submit.SubmitConfig': arrays.StoredDict,
             'dnnlib.submission.submit.PlatformExtras': _StoredOptions,
             'dnnlib.submission.internal.local.TargetOptions': _StoredOptions}

_GLOBALS = {
    **streams.GLOBALS,
    ('dnnlib.tflib.network', 'Network'): StoredNetwork,
    ('tfutil', 'Network'): OldNetwork,
    ('network', 'Network'): OldNetwork,
    ('dnnlib.util', 'EasyDict'): _StoredEasyDict,
    **{tuple(name.rsplit('.', 1)): _settings(base, name) for name, base in _SETTINGS.items()},
    ('dnnlib.submission.submit', 'SubmitTarget'): _submit_target,
    ('builtins', 'range'): range,
    ('__builtin__', 'xrange'): range,
}


class _Unpickler(streams.Unpickler):
    known_globals = _GLOBALS
    needs = 'neither networks nor run settings need that'


def unpickled(stream):
    """Return the object in the stream, with stand-ins; networks of PyTorch code become those of TensorFlow.

    Raises UserError if it is damaged or asks for anything else.
    """
    try:
        if tensor_files.is_beginning(stream.peek(tensor_files.PEEKED_BYTES)):
            return tensor_files.networks(stream)
        found, is_pytorch = streams.read(stream, _Unpickler)
        return pytorch_files.networks(found) if is_pytorch else found
    except arrays.DAMAGE as error:
        raise util.UserError(f'not a readable network pickle ({arrays.reason(error)}); if it is one, '
                             'it was cut off: copy or download it again') from error


class Finisher(arrays.Finisher):
    """Replaces the stand-ins of run settings, and those of networks by what `network` returns."""

    def network(self, obj):
        """Return the replacement of a `StoredNetwork`."""
        raise NotImplementedError

    def finish(self, obj):
        if isinstance(obj, StoredNetwork):
            return self.network(obj)
        if isinstance(obj, (range, enum.Enum)):
            return obj
        if not isinstance(obj, _StoredOptions):
            return super().finish(obj)
        options, state = obj.becomes(), self(obj.state)
        if type(state) is not dict or not set(state) <= set(vars(options)):
            raise util.UserError(f'refused: {arrays.shown(state)} are not settings of a run')
        vars(options).update(state)
        return options


def last_of_triple(found):
    """Return the last item if a file holds three networks, else all of it."""
    is_triple = isinstance(found, (tuple, list)) and len(found) == 3
    return found[2] if is_triple and all(isinstance(item, StoredNetwork) for item in found) else found
