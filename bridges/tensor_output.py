"""Safetensors files: what the forms that write them share."""

import os

import numpy as np

from dnnlib.files import atomic_write
from dnnlib.util import UserError

NEEDS = {'safetensors': 'safetensors>=0.5'}  # {package: what pip installs}
SUFFIX = '.safetensors'


def check_out(out_path: str) -> str:
    """Return the path of the JSON file beside. Raises UserError if it exists or the suffix is another one."""
    root, suffix = os.path.splitext(out_path)
    if suffix != SUFFIX:
        raise UserError(f'--out={out_path}: expected a name that ends in {SUFFIX}')
    if os.path.lexists(f'{root}.json'):
        raise UserError(f'--out={out_path}: {root}.json exists already; delete it or choose another name')
    return f'{root}.json'


def write(out_path: str, tensors: dict, metadata: dict, json_path: str, text: str) -> None:
    """Write both files: tensors {name: array} with metadata {name: text}, and a JSON text. Neither appears
    unless both are complete."""
    from safetensors.numpy import save  # An extra, and export.py looks whether it is there.
    data = save({name: np.asarray(value, order='C') for name, value in tensors.items()}, metadata)
    with atomic_write(out_path) as file, atomic_write(json_path, 'w') as json_file:
        file.write(data)
        json_file.write(f'{text}\n')
