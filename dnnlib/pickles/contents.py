"""What is in a file of networks or of run settings, as inert stand-ins."""

from dnnlib import util
from dnnlib.pickles import arrays
from dnnlib.submission import submit
from dnnlib.submission.internal import local

MAX_RANGE = 1_000_000
LEAVES = (*arrays.Finisher.leaves, range, submit.SubmitTarget)


class StoredNetwork(arrays.Stored):
    """A network, still without graph and variables."""

    state = None
    from_tfutil = False  # from the repository of Progressive GAN?

    def set_state(self, state):
        self.state = state


class _OldNetwork(StoredNetwork):
    from_tfutil = True


class _StoredEasyDict(arrays.StoredDict):
    becomes = util.EasyDict


class _StoredConfig(arrays.StoredDict):
    becomes = submit.SubmitConfig


class StoredOptions(arrays.Stored):
    """An object of run settings, with attributes."""

    state = None

    def set_state(self, state):
        self.state = state


class _StoredTarget(StoredOptions):
    becomes = local.TargetOptions


class _StoredExtras(StoredOptions):
    becomes = submit.PlatformExtras


def _range(*limits):
    result = range(*limits)
    if len(result) > MAX_RANGE:
        raise util.UserError(f'refused: a range of more than {MAX_RANGE} numbers')
    return result


def _submit_target(value):
    if type(value) is not int:
        raise util.UserError('refused: a submit target that is no number')
    return submit.SubmitTarget(value)


_GLOBALS = {
    **arrays.GLOBALS,
    ('dnnlib.tflib.network', 'Network'): StoredNetwork,
    ('tfutil', 'Network'): _OldNetwork,
    ('network', 'Network'): _OldNetwork,
    ('dnnlib.util', 'EasyDict'): _StoredEasyDict,
    ('dnnlib.submission.submit', 'SubmitConfig'): _StoredConfig,
    ('dnnlib.submission.submit', 'SubmitTarget'): _submit_target,
    ('dnnlib.submission.submit', 'PlatformExtras'): _StoredExtras,
    ('dnnlib.submission.internal.local', 'TargetOptions'): _StoredTarget,
    ('builtins', 'range'): _range,
    ('__builtin__', 'xrange'): _range,
}


class _Unpickler(arrays.Unpickler):
    known_globals = _GLOBALS
    needs = 'neither networks nor run settings need that'


def unpickled(stream):
    """What is in the stream, with stand-ins. Raises UserError where it is damaged or asks for anything
    else."""
    try:
        return _Unpickler(stream).load()
    except arrays.DAMAGE as error:
        raise util.UserError(f'not a readable network pickle ({arrays.reason(error)}); if it is one, '
                             'it was cut off: copy or download it again') from error


def last_of_triple(found):
    """What is in a file, or only the last one where that is three networks."""
    is_triple = isinstance(found, (tuple, list)) and len(found) == 3
    return found[2] if is_triple and all(isinstance(item, StoredNetwork) for item in found) else found
