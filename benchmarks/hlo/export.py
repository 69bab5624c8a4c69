"""Write steps into folders that `benchmarks/xla_on_gpu.py run` reads.

NAME/step.hlo   HloModuleProto, compressed by zlib
NAME/step.json  what it is, its inputs and how to fill them, its outputs, and digests of them on a CPU
"""

import hashlib
import json
import os
import re
import zlib

import numpy as np

from benchmarks import machine
from benchmarks.hlo import modules, steps
from benchmarks.xla_on_gpu import FORMAT, digest, filled
from dnnlib.files import atomic_folder
from dnnlib.progress import announced

SEED = 1
_FED = {'lrate': 0.002, 'step': 7, 'nimg': 0}  # values of placeholders by parts of their names


def write(folder, name, size, precisions, with_expected=True):
    """Write a step in some precisions, those of float32 from one graph. -> the folders.

    name: 'generate', or a key of `steps.TRAINING`. with_expected: compute the digests, too.
    """
    written = []
    for is_mixed in sorted({precision == 'mixed' for precision in precisions}):
        with announced(f'Building {name} ...'):
            function, values = steps.build(name, size, is_mixed)
        inputs = [_input(item, values) for item in function.inputs]
        expected = _expected(function, inputs) if with_expected else None
        for precision in precisions:
            if (precision == 'mixed') == is_mixed:
                path = os.path.join(folder, folder_name(name, size, precision))
                _write_one(path, function, inputs, expected, dict(
                    step=name, precision=precision, **_about(name, size)))
                written.append(path)
    return written


def folder_name(name, size, precision) -> str:
    """Return the name of the folder of a step."""
    return f'{name}-{size.resolution}-b{size.minibatch}-{precision}'


def _about(name, size):
    return {'config': 'config-f', 'resolution': size.resolution, 'minibatch': size.minibatch, **size.width,
            'runs_per_minibatch': steps.RUNS_PER_MINIBATCH.get(name), 'seed': SEED}


def compressed(code) -> bytes:
    """Return the content of step.hlo."""
    return zlib.compress(code, 9)


def checksum(data) -> str:
    """Return the checksum of step.hlo for step.json."""
    return hashlib.sha256(data).hexdigest()


def _write_one(path, function, inputs, expected, about):
    module = modules.with_products(function.module, allow_tf32=about['precision'] == 'tf32')
    data = compressed(module.SerializeToString(deterministic=True))
    outputs = [{'name': item.name, 'shape': item.shape, 'dtype': item.dtype.name, 'input': item.input}
               for item in function.outputs]
    description = {'format': FORMAT, **about, 'sha256': checksum(data),
                   'exported_by': machine.describe()['versions'], 'inputs': inputs, 'outputs': outputs,
                   'expected': expected}
    with atomic_folder(path) as folder:
        with open(os.path.join(folder, 'step.hlo'), 'wb') as file:
            file.write(data)
        with open(os.path.join(folder, 'step.json'), 'w', encoding='utf-8') as file:
            json.dump(description, file, separators=(",", ":"))


def _input(item, values):
    return {'name': item.name, 'shape': item.shape, 'dtype': item.dtype.name,
            'fill': _fed(item) if item.variable is None else _fill(item, values[item.variable.op.name])}


def _fed(item):
    """Say what fills a placeholder: a number if it has no dimensions, else a normal distribution."""
    if item.shape:
        return {'mean': 0.0, 'std': 1.0}
    return {'value': next(value for part, value in _FED.items() if part in item.name)}


def _fill(item, value):
    """Say what fills a variable: the distribution of its initial values, and small numbers in place of zeros
    that would hide a part of the network."""
    if item.name.endswith('/reals'):
        return {'mean': 0.0, 'std': 0.5}
    if re.search(r'/Reg[DG]_opt[0-9]+_1$', item.name):  # Adam's second moments
        return {'value': 1.0}  # with 0, rounding errors would become whole updates
    std = float(np.std(value))
    if std > 0:
        return {'mean': float(np.mean(value)), 'std': std}
    level = float(np.mean(value)) if np.size(value) else 0.0
    return {'mean': 0.0, 'std': 0.1} if item.variable.trainable and level == 0 else {'value': level}


def _expected(function, inputs):
    """Compute digests of the outputs with XLA on this machine."""
    with announced('Computing the results on this CPU ...'):
        return [digest(result) for result in function([
            filled(item['shape'], item['dtype'], item['fill'], SEED, index)
            for index, item in enumerate(inputs)])]
