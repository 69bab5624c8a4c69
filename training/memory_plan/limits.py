"""How much memory this machine and its GPUs have."""

import re

import tensorflow.compat.v1 as tf

from dnnlib.doctor import host, nvidia
from dnnlib.doctor.machine import Machine


def of_gpus() -> list:
    """Return the bytes of each GPU that TensorFlow can use, as far as nvidia-smi tells them."""
    if not tf.config.list_physical_devices('GPU'):
        return []
    return [gpu['memory_bytes'] for gpu in nvidia.nvidia_smi(Machine())['gpus'] if gpu['memory_bytes']]


def of_machine() -> int | None:
    """Return the bytes of memory of this machine, or of the control group of this process; None = unknown."""
    memory = host.memory(Machine())
    known = [memory[key] for key in ('total_bytes', 'limit_bytes') if memory[key]]
    return min(known) if known else None


def of_process() -> int:
    """Return the bytes of memory that this process has now; 0 where the system does not tell them."""
    found = re.search(r'^VmRSS:\s*(\d+) kB', Machine().read('/proc/self/status'), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
