"""How much memory this machine and its GPUs have."""

import os
import subprocess

_MIB = 1 << 20


def of_gpus() -> list:
    """Return the bytes of each NVIDIA GPU as nvidia-smi tells them; [] without it."""
    query = ['nvidia-smi', '--query-gpu=memory.total', '--format=csv,noheader,nounits']
    try:
        done = subprocess.run(query, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                              check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [int(line) * _MIB for line in done.stdout.splitlines() if line.strip().isdigit()]


def of_machine() -> int:
    """Return the bytes of memory of this machine, or of the control group of this process."""
    total = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    limit = _read('/sys/fs/cgroup/memory.max').strip()
    return min(total, int(limit)) if limit.isdigit() else total


def of_process() -> int:
    """Return the bytes of memory that this process has now; 0 where Linux does not tell them."""
    lines = [line.split() for line in _read('/proc/self/status').splitlines() if line.startswith('VmRSS:')]
    return int(lines[0][1]) * 1024 if lines else 0


def _read(path):
    try:
        with open(path, encoding='utf-8') as file:
            return file.read()
    except OSError:
        return ''
