"""Networks of forks whose keyword arguments state the size of images in another way.

`min_h`, `min_w` and `res_log2` there are the base and how often it is doubled: images have
min_h * 2^res_log2 by min_w * 2^res_log2 pixels. Here these are `base_shape` and `resolution`.
"""

import numbers

from dnnlib.pickles import source_text, stored_state
from dnnlib.pickles.arrays import shown
from dnnlib.util import UserError

KEYS = ('min_h', 'min_w', 'res_log2')
MAX_DOUBLINGS = 12


def own_form(state, origin) -> dict:
    """Return the state of a network with the keyword arguments that its function here takes, given what
    `origin.find` returned.

    The source text of a fork does not know these: it is replaced by that of the function. Raises UserError
    for sizes that networks here cannot have.
    """
    if origin.code is None or not set(KEYS) <= set(state['static_kwargs']):
        return state
    text = source_text.of_name(origin.func.rpartition('.')[0])
    return {**state, 'static_kwargs': _own_kwargs(state['static_kwargs'], f'network {shown(state["name"])}'),
            'build_module_src': text}


def _own_kwargs(kwargs, who):
    height, width, doublings = (
        int(value) if isinstance(value, numbers.Integral) else value for value in map(kwargs.get, KEYS))
    if type(doublings) is not int or not 0 <= doublings <= MAX_DOUBLINGS:
        raise UserError(f'{who}: res_log2={shown(doublings)}; expected a number from 0 to {MAX_DOUBLINGS}')
    own = {key: value for key, value in kwargs.items() if key not in KEYS}
    own |= {'base_shape': [height, width], 'resolution': 4 << doublings}
    stored_state.check_base_shape(own, f'{who}: min_h and min_w')
    return own
