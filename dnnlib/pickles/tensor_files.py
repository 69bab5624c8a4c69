"""Networks in safetensors files: all arrays by name, and everything else as a JSON text in the header.

Such files hold no code. Networks get the source text of this project, so only those of known functions can be
written.
"""

import json
import math
import numbers

import numpy as np

from dnnlib.pickles import arrays, origin, source_text
from dnnlib.pickles.arrays import shown
from dnnlib.pickles.stored_network import OldNetwork, StoredNetwork
from dnnlib.pickles.stored_state import NAME_FIELDS, SHAPE_FIELDS
from dnnlib.util import UserError

KEY = 'stylegan-tf'                               # Of the JSON text in the header.
NUMBERS = (np.ndarray, np.generic, numbers.Real)  # What variables hold.
PEEKED_BYTES = 9        # Length of the header as a number of 8 bytes, and its first letter.
_MAX_HEADER = 1 << 24   # In bytes; that of networks for 1024x1024 pixels has some 100,000.
_FIELDS = ('version', 'name', 'static_kwargs', 'build_func_name')
_ADA_FIELDS = (*SHAPE_FIELDS, *NAME_FIELDS)


def is_beginning(data: bytes) -> bool:
    """Return whether a file with these first bytes is a safetensors file."""
    return data[8:9] == b'{' and data[5:8] == bytes(3)  # Pickles begin with other bytes.


def described(networks: dict) -> tuple[dict, str]:
    """Return {name: array} and the JSON text of networks {prefix of their names: inspection.Blueprint}.

    Raises UserError for a network whose function is unknown or whose state JSON cannot hold.
    """
    tensors = {}
    facts = [_facts(network, prefix, tensors) for prefix, network in networks.items()]
    return tensors, json.dumps({'networks': facts}, indent=1, allow_nan=False)


def _facts(network, prefix, tensors):
    """Return the state of a network without its arrays, which are added to `tensors`."""
    state = network.stored
    who = f'network {shown(network.state["name"])}'
    if network.code is None:
        raise UserError(network.problem or f'{who}: built by {network.func}, which is not of this project')
    for name, value in network.state['variables']:
        array = np.asarray(value if isinstance(value, NUMBERS) else str(value))
        full_name = f'{prefix}/{name}'
        if array.dtype.kind not in 'biuf' or array.dtype.itemsize > 8 or full_name in tensors:
            raise UserError(f'{who}: the variable {shown(name)} cannot be stored as {array.dtype}')
        tensors[full_name] = array
    return {
        'code': network.code,
        'is_from_tfutil': network.state['from_tfutil'],
        **{field: _plain(network.state[field], who) for field in _FIELDS},
        **{field: _plain(state[field], who) for field in _ADA_FIELDS if field in state},
        'prefix': prefix,
        'variables': [name for name, _ in network.state['variables']],
        'components': {key: _facts(part, f'{prefix}/{part.state["name"]}', tensors)
                       for key, part in network.components.items()}}


def _plain(value, who):
    """Return a value as JSON has it: a tuple or an array becomes a list."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _plain(item, who) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, who) for item in value]
    if value is None or isinstance(value, str) or (isinstance(value, numbers.Real) and math.isfinite(value)):
        return value
    raise UserError(f'{who}: {shown(value)} cannot be stored as JSON')


def networks(stream):
    """Return the network, or the tuple of networks, in a safetensors file, as stand-ins.

    Raises UserError if it holds anything else, and an error of `arrays.DAMAGE` if it is damaged.
    """
    try:
        from safetensors import SafetensorError
        from safetensors.numpy import load
    except ImportError:
        raise UserError("a safetensors file; reading it needs another package: pip install 'safetensors>=0.5'"
                        ) from None
    parts = []
    while part := stream.read(1 << 25):
        parts.append(part)
    data = b''.join(parts)
    del parts
    num_bytes = int.from_bytes(data[:8], 'little')
    if num_bytes > _MAX_HEADER:
        raise UserError(f'refused: a safetensors file with a header of {num_bytes} bytes')
    try:
        tensors = load(data)
    except SafetensorError as error:
        raise UserError(f'not a readable safetensors file ({arrays.reason(error)}); copy or download it again'
                        ) from None
    header = json.loads(data[8:8 + num_bytes])
    text = (header.get('__metadata__') or {}).get(KEY)
    if text is None:
        raise UserError('a safetensors file without networks of TensorFlow; expected one that '
                        '`export.py --to=safetensors` wrote')
    found = [_network(facts, tensors) for facts in json.loads(text)['networks']]
    if not found:
        raise UserError('a safetensors file without networks')
    return found[0] if len(found) == 1 else tuple(found)


def _network(facts, tensors):
    """Return the stand-in for a network, whose arrays are taken out of `tensors`: none is used twice."""
    network = OldNetwork() if facts['is_from_tfutil'] is True else StoredNetwork()
    network.set_state({
        **{field: facts[field] for field in _FIELDS},
        **{field: facts[field] for field in _ADA_FIELDS if field in facts},
        'components': {key: _network(part, tensors) for key, part in facts['components'].items()},
        'build_module_src': source_text.of_name(_module(facts)),
        'variables': [(name, _taken(tensors, f'{facts["prefix"]}/{name}')) for name in facts['variables']]})
    return network


def _module(facts):
    """Return the name of our module with the build function. Raises UserError if there is none."""
    modules = [each.module for each in origin.CANDIDATES
               if (each.code, each.name) == (facts['code'], facts['build_func_name'])]
    if not modules:
        raise UserError(f'network {shown(facts["name"])}: there is no {shown(facts["build_func_name"])} of '
                        f'{shown(facts["code"])}')
    return modules[0]


def _taken(tensors, name):
    """Take an array out and return it as the streams of pickles have it; one without axes is a scalar."""
    array = arrays.StoredArray()
    array.numpy = tensors.pop(name)[()]
    return array
