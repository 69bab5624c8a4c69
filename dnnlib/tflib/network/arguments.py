"""Checks of what a network is given: shapes of arrays, and keyword arguments that a network function has.

Build functions pass keywords on to sub-networks, which ignore unknown ones: a misspelt keyword would go
unnoticed.
"""

import contextlib
import difflib
import dis
import functools
import inspect

from dnnlib import util
from dnnlib.pickles import origin

# Published metrics, losses and settings pass these to all networks, including those that do not have them.
_KNOWN_ELSEWHERE = ('is_training', 'is_validation', 'mapping_dtype', 'tanh_at_end')
_SET_BY_NETWORK = ('is_template_graph', 'components')
_CHANGING_OUTPUTS = ('return_dlatents',)  # A network without them must not ignore them.

_depth = 0


class InputError(util.UserError, ValueError):
    """Arrays or tensors that a network does not accept."""


class UnknownKeyword(util.UserError, TypeError):
    """A keyword argument that no network function has."""


@contextlib.contextmanager
def passed_on():
    """Context in which keywords are not checked, such as those that a build function passes to
    sub-networks."""
    global _depth
    _depth += 1
    try:
        yield
    finally:
        _depth -= 1


# Keyword arguments.

def check_keywords(func, components, names, also=()) -> None:
    """Raise UnknownKeyword for the first of `names` that neither the build function nor a sub-network nor any
    published network has, and for those that Network sets. Functions that may read keywords of any name are
    checked for the latter only.

    `also`: keywords of the caller, which the error may suggest.
    """
    if _depth > 0:
        return
    for name in _SET_BY_NETWORK:
        if name in names:
            raise UnknownKeyword(f'{func.__name__}: {name} is set by Network, and cannot be passed')
    if not names or _takes_any(func, components):
        return
    known = {*_own_names(func), *(_published_names() if _ignores_surplus(func) else ())}
    for component in components.values():
        known |= _all_names(component)
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, sorted({*known, *also} - {*_SET_BY_NETWORK}), n=1)
            raise UnknownKeyword(f'{func.__name__}: no network function has a keyword argument {name!r}'
                                 + (f'; did you mean {near[0]}?' if near else ''))


def _all_names(net):
    return _own_names(net._build_func).union(*map(_all_names, net.components.values()))


def _takes_any(func, components):
    """Return whether the function, or one of a sub-network, may read keywords outside its signature."""
    if not inspect.isfunction(func):
        return True
    reads = _surplus(func) is not None and not _ignores_surplus(func)
    return reads or any(_takes_any(net._build_func, net.components) for net in components.values())


@functools.cache
def _own_names(func):
    parameters = inspect.signature(func).parameters.values()
    return frozenset(p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY))


def _surplus(func):
    """Return the name of the parameter that takes all other keywords; None if there is none."""
    parameters = inspect.signature(func, follow_wrapped=False).parameters.values()
    return next((p.name for p in parameters if p.kind == p.VAR_KEYWORD), None)


@functools.cache
def _ignores_surplus(func):
    """Return whether the function accepts any keyword and ignores it or passes it to published functions."""
    surplus = _surplus(func)
    if surplus is None:
        return False
    if f'{func.__module__}.{func.__qualname__}' in _published_functions():
        return True
    code = func.__code__
    arguments = [instruction.argval for instruction in dis.get_instructions(code)]
    used = {name for argument in arguments  # An instruction may have several names.
            for name in (argument if isinstance(argument, tuple) else [argument]) if isinstance(name, str)}
    return surplus not in used and surplus not in code.co_cellvars and not used & {'locals', 'vars', 'eval'}


def _published_functions():
    return {candidate.func for candidate in origin.CANDIDATES}


@functools.cache
def _published_names():
    """Return the keywords of all published network functions that scripts may pass to any network."""
    functions = map(util.get_obj_by_name, sorted(_published_functions()))
    return frozenset(_KNOWN_ELSEWHERE).union(*map(_own_names, functions)) - {*_CHANGING_OUTPUTS}


# Inputs.

def check_count(net, inputs) -> None:
    """Raise InputError unless there is one array or tensor for each input, not all of them None."""
    if len(inputs) != net.num_inputs:
        raise InputError(f'{net.name} takes {_in_words(net)}, but was given {_counted(len(inputs))}; None '
                         'stands for zeros')
    if all(item is None for item in inputs):
        raise InputError(f'{net.name}: expected {_in_words(net)}; at least one of them must not be None')


def check_arrays(net, arrays, shapes) -> None:
    """Raise InputError for arrays whose shapes are not those with which the network was built, or that differ
    in the number of rows. A shape of None is not checked."""
    given = [(name, array) for name, array in zip(net.input_names, arrays, strict=True) if array is not None]
    for name, array, shape in zip(net.input_names, arrays, shapes, strict=True):
        if array is not None and shape is not None and not _fits(array.shape, shape):
            raise InputError(f'{net.name}: {name} has the shape {list(array.shape)}; expected {_shown(shape)}'
                             + _missing_axis(array.shape, shape))
    counts = {len(array) for _, array in given}
    if len(counts) > 1:
        sizes = ', '.join(f'{name} has {len(array)}' for name, array in given)
        raise InputError(f'{net.name}: expected the same number of rows in every input, but {sizes}')


def _fits(shape, expected):
    return len(shape) == len(expected) and all(
        want in (None, have) for have, want in zip(shape[1:], expected[1:], strict=True))


def _missing_axis(shape, expected):
    if len(shape) == len(expected) - 1 and _fits((1, *shape), expected):
        return ', N rows of a minibatch; add an axis to a single one, x[np.newaxis]'
    return ''


def _in_words(net):
    """Return the inputs with their shapes: 'latents_in [N,512] and labels_in [N,10]'."""
    return ' and '.join(f'{name} {_shown(shape)}'
                        for name, shape in zip(net.input_names, net.input_shapes, strict=True))


def _shown(shape):
    return f'[{",".join(["N", *("?" if size is None else str(size) for size in shape[1:])])}]'


def _counted(number):
    return 'nothing' if number == 0 else '1 input' if number == 1 else f'{number} inputs'
