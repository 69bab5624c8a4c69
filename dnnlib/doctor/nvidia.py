"""NVIDIA's side of a machine: cards, driver, CUDA libraries, from what the machine answers."""

import re

from dnnlib.doctor.machine import CANNOT_RUN, TIMED_OUT
from dnnlib.doctor.versions import satisfies, short_version

# Name, file and the function that tells its version. {cuda} and {cudnn} are what TensorFlow is built for.
LIBRARIES = (
    ('CUDA runtime', 'libcudart.so.{cuda}', 'cudaRuntimeGetVersion'),
    ('cuBLAS', 'libcublas.so.{cuda}', None),
    ('cuFFT', 'libcufft.so.11', None),
    ('cuSOLVER', 'libcusolver.so.11', None),
    ('cuSPARSE', 'libcusparse.so.{cuda}', None),
    ('cuDNN', 'libcudnn.so.{cudnn}', 'cudnnGetVersion'),
    ('NCCL', 'libnccl.so.2', 'ncclGetVersion'),
)
_QUERIES = ('index,name,memory.total,memory.used,driver_version,compute_cap',
            'index,name,memory.total,memory.used,driver_version')  # before drivers knew compute_cap
_DISPLAY = '0x03'  # The PCI class of display and 3D controllers.
_LONGEST = 200  # characters of what nvidia-smi says
_MIB = 1 << 20
_NUMBER = re.compile('[0-9]{1,9}')
NO_NVIDIA_SMI = 'there is no nvidia-smi'


def cards(machine) -> int:
    """Return the number of NVIDIA cards on the PCI bus, with or without a driver."""
    folders = [path.rpartition('/')[0] for path in machine.paths('/sys/bus/pci/devices/*/vendor')
               if machine.read(path).strip() == '0x10de']
    return sum(machine.read(f'{folder}/class').startswith(_DISPLAY) for folder in folders)


def nvidia_smi(machine) -> dict:
    """Ask nvidia-smi. -> {'gpus': [{'index', 'name', 'memory_bytes', 'used_bytes', 'compute_capability'}],
    'driver', 'reason'}; `reason`: why there are none."""
    for query in _QUERIES:
        status, text = machine.run('nvidia-smi', f'--query-gpu={query}', '--format=csv,noheader,nounits')
        if status is None:
            return {'gpus': [], 'driver': None, 'reason': NO_NVIDIA_SMI}
        rows = [[cell.strip() for cell in line.split(',')] for line in text.splitlines()]
        rows = [row for row in rows if len(row) == query.count(',') + 1 and _NUMBER.fullmatch(row[0])]
        if status == 0 and rows:
            return {'gpus': [_gpu(*row) for row in rows], 'driver': rows[0][4], 'reason': None}
        if status in (CANNOT_RUN, TIMED_OUT):
            break
    said = next((line.strip() for line in text.splitlines() if line.strip()), f'exit status {status}')
    return {'gpus': [], 'driver': None, 'reason': f'nvidia-smi says: {said[:_LONGEST]}'}


def _gpu(index, name, total, used, _driver, compute_capability=None):
    """Read a row of nvidia-smi, whose cells may be '[N/A]'."""
    known = compute_capability is not None and re.fullmatch(r'[0-9]{1,3}\.[0-9]{1,3}', compute_capability)
    return {'index': int(index), 'name': name, 'memory_bytes': _mebibytes(total),
            'used_bytes': _mebibytes(used), 'compute_capability': compute_capability if known else None}


def _mebibytes(cell):
    return int(cell) * _MIB if _NUMBER.fullmatch(cell) else None


def driver(machine, from_smi: str | None) -> dict:
    """Return the version of the driver, the newest CUDA that it supports, and why there is none."""
    module = re.search(r'Kernel Module.*?\s(\d+\.\d+(?:\.\d+)?)\s',
                       machine.read('/proc/driver/nvidia/version'))
    library = machine.library('libcuda.so.1', 'cuDriverGetVersion')
    number = library.get('version')
    found = {'version': from_smi or (module and module[1]), 'module': module and module[1],
             'cuda': number and f'{number // 1000}.{number % 1000 // 10}', 'reason': None}
    if 'reason' not in library:
        return found
    if found['version'] is None:
        return {**found, 'reason': 'no driver is loaded'}
    return {**found, 'reason': f'{library["reason"]}; in a container, start it with --gpus all'}


def libraries(machine, build: dict) -> list[dict]:
    """Try to load every CUDA library that TensorFlow needs. build: tf.sysconfig.get_build_info(), may be {}.

    -> [{'name', 'file', 'path', 'version', 'reason'}].
    """
    majors = {'cuda': str(build.get('cuda_version', '12')).split('.')[0],
              'cudnn': str(build.get('cudnn_version', '9')).split('.')[0]}
    found = []
    for name, pattern, function in LIBRARIES:
        file = pattern.format(**majors)
        answer = machine.library(file, function)
        found.append({'name': name, 'file': file, 'path': answer.get('path'),
                      'version': short_version(name, answer.get('version')), 'reason': answer.get('reason')})
    return found


def wheels(machine) -> list[dict]:
    """Return the packages that `tensorflow[and-cuda]` asks for: [{'name', 'wanted', 'version', 'fits'}]."""
    found = []
    for text in machine.requirements_of('tensorflow'):
        parts = re.fullmatch(r'([\w.-]+)\s*([^;]*?)\s*;.*extra\s*==\s*["\']and-cuda["\'].*', text)
        if parts:
            version = machine.version_of(parts[1])
            found.append({'name': parts[1], 'wanted': parts[2], 'version': version,
                          'fits': version is not None and satisfies(version, parts[2])})
    return found


def compiler(machine) -> dict:
    """Return where XLA finds its assembler and its library of functions, None = nowhere known."""
    found = {name: next(iter(machine.files_of_wheels(path)), None) for name, path in (
        ('ptxas', 'bin/ptxas'), ('libdevice', 'nvvm/libdevice/libdevice.10.bc'))}
    if found['ptxas'] is None and machine.run('ptxas', '--version')[0] == 0:
        found['ptxas'] = 'ptxas'  # of the system
    return found


def kernels_for(compute_capability: str, built: list[str]) -> str:
    """Return what a TensorFlow built for these has for a GPU: 'machine code', 'PTX' or 'none'.

    built: such as ['sm_70', 'compute_90']. Machine code runs on its own major version with the same or a
    higher minor one; PTX on everything newer, after the driver has compiled it at the first start.
    """
    major, minor = map(int, compute_capability.split('.'))
    levels = [(kind, int(number[:-1]), int(number[-1])) for kind, number in re.findall(
        r'(sm|compute)_(\d{2,3})\b', ' '.join(built))]
    if any(kind == 'sm' and level == major and minor >= least for kind, level, least in levels):
        return 'machine code'
    is_covered = any(kind == 'compute' and (major, minor) >= (level, least) for kind, level, least in levels)
    return 'PTX' if is_covered else 'none'
