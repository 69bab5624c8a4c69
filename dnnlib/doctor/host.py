"""The processor, memory, system, disks and caches of a machine, from what the machine answers."""

import contextlib
import os
import re

from dnnlib import util
from dnnlib.pickles.source_text import VERSION

PACKAGES = ('tensorflow', 'tensorflow-cpu', 'numpy', 'scipy')
# Environment variables that change what a device does.
VARIABLES = ('CUDA_VISIBLE_DEVICES', 'ONEDNN_MAX_CPU_ISA', 'OMP_NUM_THREADS',
             'TF_NUM_INTRAOP_THREADS', 'TF_FORCE_GPU_ALLOW_GROWTH', 'TF_GPU_ALLOCATOR', 'TF_XLA_FLAGS',
             'XLA_FLAGS', 'NVIDIA_TF32_OVERRIDE', 'NCCL_DEBUG', 'NCCL_P2P_DISABLE', 'LD_LIBRARY_PATH')
_VECTOR_UNITS = {
    'avx': 'AVX', 'avx2': 'AVX2', 'fma': 'FMA', 'f16c': 'F16C', 'avx_vnni': 'AVX-VNNI', 'avx512f': 'AVX-512',
    'avx512_vnni': 'AVX-512 VNNI', 'avx512_bf16': 'AVX-512 BF16', 'avx512_fp16': 'AVX-512 FP16',
    'amx_tile': 'AMX', 'amx_bf16': 'AMX BF16', 'asimd': 'NEON', 'sve': 'SVE', 'bf16': 'BF16',
}
# From the widest down: oneDNN's name, and the flags that it wants.
_ONEDNN_SETS = {
    'AVX512_CORE_AMX': {'amx_tile', 'amx_int8', 'amx_bf16', 'avx512_bf16'},
    'AVX512_CORE_BF16': {'avx512_bf16', 'avx512_vnni', 'avx512f', 'avx512bw', 'avx512vl', 'avx512dq'},
    'AVX512_CORE_VNNI': {'avx512_vnni', 'avx512f', 'avx512bw', 'avx512vl', 'avx512dq'},
    'AVX512_CORE': {'avx512f', 'avx512bw', 'avx512vl', 'avx512dq'},
    'AVX2_VNNI': {'avx_vnni', 'avx2'},
    'AVX2': {'avx2'},
    'AVX': {'avx'},
    'SSE41': {'sse4_1'},
}
_NO_LIMIT = 1 << 60  # Control groups write numbers near 2^63 where there is none.


def versions(machine) -> dict:
    """Return the versions of this project, of Python and of the packages that compute."""
    found = {name: machine.version_of(name) for name in PACKAGES}
    return {'stylegan-tf': VERSION, 'python': machine.python,
            **{name: version for name, version in found.items() if version is not None}}


def system(machine) -> dict:
    """Return the system's name, kernel, architecture and C library, and whether it is a container."""
    name = re.search(r'^PRETTY_NAME="?(.*?)"?$', machine.read('/etc/os-release'), re.MULTILINE)
    return {'name': name and name[1], 'kernel': machine.kernel, 'architecture': machine.architecture,
            'libc': machine.libc,
            'is_container': bool(machine.paths('/.dockerenv') or machine.paths('/run/.containerenv'))}


def has_proc(machine) -> bool | None:
    """Return whether the kernel's files can be read, None where there are none."""
    return bool(machine.read('/proc/cpuinfo')) if machine.kernel.startswith('Linux') else None


def processor(machine) -> dict:
    """Return the processor's name, its cores and vector units, and what oneDNN makes of them."""
    text = machine.read('/proc/cpuinfo')
    flags = (_field(text, 'flags') or _field(text, 'Features')).split()
    quota = machine.read('/sys/fs/cgroup/cpu.max').split()
    is_limited = len(quota) == 2 and quota[0].isdigit() and quota[1].isdigit() and int(quota[1]) > 0
    return {
        'name': _field(text, 'model name') or machine.architecture,
        'cores': len(re.findall(r'^processor\s*:', text, re.MULTILINE)) or machine.num_cores,
        'usable_cores': machine.num_cores,
        'quota_cores': int(quota[0]) / int(quota[1]) if is_limited else None,
        'vector_units': [name for flag, name in _VECTOR_UNITS.items() if flag in flags],
        'onednn_set': _onednn_set(set(flags), machine.environ.get('ONEDNN_MAX_CPU_ISA', '')),
    }


def _field(text, key):
    found = re.search(rf'^{key}\s*: *(.*)$', text, re.MULTILINE)
    return found[1].strip() if found else ''


def _onednn_set(flags, limit):
    """Return oneDNN's name of the widest instruction set, at most that of its environment variable."""
    names = list(_ONEDNN_SETS)
    if limit.upper() in names:
        names = names[names.index(limit.upper()):]
    return next((name for name in names if _ONEDNN_SETS[name] <= flags), None)


def memory(machine) -> dict:
    """Return the total and available memory in bytes, and the limits of the control group and of the
    addresses of a process (ulimit -v), None = none."""
    text = machine.read('/proc/meminfo')
    limit = machine.read('/sys/fs/cgroup/memory.max').strip()
    return {'total_bytes': _kilobytes(text, 'MemTotal'), 'available_bytes': _kilobytes(text, 'MemAvailable'),
            'limit_bytes': int(limit) if limit.isdigit() and int(limit) < _NO_LIMIT else None,
            'address_space_bytes': machine.address_space}


def _kilobytes(text, key):
    number = re.match(r'[0-9]+', _field(text, key))
    return int(number[0]) * 1024 if number else None


def environment(machine) -> dict:
    """Return the environment variables that change what a device does; of a path, only that it is set."""
    values = {name: machine.environ[name] for name in VARIABLES if name in machine.environ}
    return {name: 'set' if name.endswith('_PATH') else value for name, value in values.items()}


def folders(machine, result_dir: str) -> list[dict]:
    """Return what is written where: for each folder its path, free disk and, for caches, the size."""
    home = os.path.expanduser('~')
    kernels = machine.environ.get('CUDA_CACHE_PATH') or os.path.join(home, '.nv', 'ComputeCache')
    caches = {'downloads': util.cache_dir()}
    with contextlib.suppress(FileNotFoundError):  # neither a home nor a folder for temporary files
        caches["StyleGAN2-ADA's"] = util.make_cache_dir_path()
    caches['CUDA'] = kernels
    places = [('results', result_dir, None)]
    seen = set()
    for name, path in caches.items():
        if os.path.abspath(path) not in seen:
            places.append((name, path, machine.folder_bytes(path)))
        seen.add(os.path.abspath(path))
    return [{'name': name, 'path': path, 'free_bytes': machine.free_bytes(path), 'bytes': size}
            for name, path, size in places]
