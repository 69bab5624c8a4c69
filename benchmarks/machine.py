"""Describe the machine that a measurement runs on."""

import contextlib
import datetime
import importlib.metadata
import os
import pathlib
import platform
import resource

from dnnlib.util import num_cores

PACKAGES = ('tensorflow', 'tensorflow_cpu', 'numpy')


def describe() -> dict:
    """Return the processor, the number of usable cores, the memory in bytes, the system and the versions."""
    return {
        'processor': _processor(),
        'vector_instructions': _vector_instructions(),
        'cores': num_cores(),
        'memory_bytes': os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES'),
        'system': f'{platform.system()} {platform.machine()}',
        'versions': {'Python': platform.python_version(), **_versions()},
    }


def peak_memory_bytes() -> int:
    """Return the peak memory of this process in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def today() -> str:
    """Return the date and time with the time zone, to the minute."""
    return datetime.datetime.now().astimezone().strftime('%Y-%m-%d %H:%M %z')


def _cpuinfo(key):
    """Return the first value of this key in /proc/cpuinfo, or '' if it is missing."""
    with contextlib.suppress(OSError):
        for line in pathlib.Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines():
            name, _, value = line.partition(':')
            if name.strip() == key:
                return value.strip()
    return ''


def _processor():
    """Return the processor's name with family and model, as virtual machines often report only the maker."""
    name = _cpuinfo('model name') or platform.processor() or 'unknown'
    family, model = _cpuinfo('cpu family'), _cpuinfo('model')
    return f'{name} (family {family}, model {model})' if family else name


def has_avx512() -> bool:
    """Return whether the processor has AVX-512."""
    return 'avx512f' in _vector_instructions()


def _vector_instructions():
    flags = _cpuinfo('flags').split()
    return [name for name in ('avx', 'avx2', 'fma', 'avx512f', 'amx_tile') if name in flags]


def _versions():
    versions = {}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions
