"""What the forms that write safetensors files share."""

import numpy as np

from dnnlib.files import atomic_write
from dnnlib.util import UserError

NEEDS = {'safetensors': 'safetensors>=0.5'}  # {package: what pip installs}
SUFFIX = '.safetensors'
_GROWTH = 4  # Values may take so many times the space of the file: PyTorch has smaller types.


def json_path(out_path: str) -> str:
    """Return the path of the JSON file beside a safetensors file."""
    return f'{out_path.removesuffix(SUFFIX)}.json'


def check_networks(report) -> None:
    """Raise UserError unless a file holds networks only, whose values take about as much space as it does."""
    if report.other is not None:
        raise UserError(f'expected a file of networks only; found {report.other}')
    if report.is_damaged:
        raise UserError(report.problems[0])
    num_bytes = sum(getattr(value, 'nbytes', 0) for net in report.networks for _, value in net.variables)
    if num_bytes > _GROWTH * report.size:
        raise UserError('refused: the values are larger than the file')


def write(out_path: str, tensors: dict, metadata: dict, text: str) -> None:
    """Write tensors {name: array} with metadata {name: text}, and a JSON text beside. Neither file appears
    unless both are complete."""
    from safetensors.numpy import save  # An extra, and export.py looks whether it is there.
    data = save({name: np.asarray(value, order='C') for name, value in tensors.items()}, metadata)
    with atomic_write(out_path) as file, atomic_write(json_path(out_path), 'w') as json_file:
        file.write(data)
        json_file.write(f'{text}\n')
