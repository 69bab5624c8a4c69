"""Machines as `dnnlib.doctor` sees them, by what their files, commands and libraries say."""

import dataclasses
import fnmatch

BUILD = {'cuda_version': '12.5.1', 'cudnn_version': '9', 'is_cuda_build': True,
         'cuda_compute_capabilities': ['sm_60', 'sm_70', 'sm_80', 'sm_89', 'compute_90']}
REQUIREMENTS = [
    'absl-py>=1.0.0',
    'nvidia-cublas-cu12<13.0,>=12.5.3.2; extra == "and-cuda"',
    'nvidia-cudnn-cu12<10.0,>=9.3.0.75; extra == "and-cuda"',
    'nvidia-nccl-cu12<3.0,>=2.27.7; extra == "and-cuda"',
    'tensorflow-io-gcs-filesystem>=0.23.1; (sys_platform != "win32") and extra == "gcs-filesystem"',
]
WHEELS = {'nvidia-cublas-cu12': '12.9.1.4', 'nvidia-cudnn-cu12': '9.10.2.21', 'nvidia-nccl-cu12': '2.27.7'}
LIBRARIES = {'libcudart.so.12': 12090, 'libcublas.so.12': None, 'libcufft.so.11': None,
             'libcusolver.so.11': None, 'libcusparse.so.12': None, 'libcudnn.so.9': 91002,
             'libnccl.so.2': 22707}
CPUINFO = """\
processor\t: 0
model name\t: Intel(R) Xeon(R) Platinum 8480+
flags\t\t: fpu sse4_1 avx f16c fma avx2 avx512f avx512dq avx512bw avx512vl avx512_vnni avx512_bf16 amx_tile
processor\t: 1
model name\t: Intel(R) Xeon(R) Platinum 8480+
flags\t\t: fpu sse4_1 avx f16c fma avx2 avx512f avx512dq avx512bw avx512vl avx512_vnni avx512_bf16 amx_tile
"""
MEMINFO = 'MemTotal:       528280140 kB\nMemFree:        1234 kB\nMemAvailable:   480000000 kB\n'
MODULE = 'NVRM version: NVIDIA UNIX x86_64 Kernel Module  {}  Thu Mar  7 20:07:58 UTC 2024\nGCC version: 12\n'
OPEN_MODULE = 'NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  560.35.03  Release Build  (dvs@x)\n'
NOT_FOUND = 'cannot open shared object file: No such file or directory'
NO_COMMUNICATION = """\
NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest \
NVIDIA driver is installed and running.
"""


@dataclasses.dataclass
class RecordedMachine:
    """Answers like `dnnlib.doctor.machine.Machine`, from records."""
    files: dict = dataclasses.field(default_factory=dict)         # Path -> text.
    commands: dict = dataclasses.field(default_factory=dict)      # Name -> function of the words that follow.
    libraries: dict = dataclasses.field(default_factory=dict)     # Name -> number of the version.
    packages: dict = dataclasses.field(default_factory=dict)      # Name -> version.
    environ: dict = dataclasses.field(default_factory=dict)
    wheel_files: tuple = ()
    num_cores: int = 2
    has_tmp: bool = True
    address_space: int | None = None
    architecture: str = 'x86_64'
    python: str = '3.12.3'
    kernel: str = 'Linux 6.8.0'
    libc: str = 'glibc 2.39'

    def read(self, path):
        return self.files.get(path, '')

    def paths(self, pattern):
        return sorted(fnmatch.filter(self.files, pattern))

    def run(self, *command):
        return self.commands[command[0]](*command[1:]) if command[0] in self.commands else (None, '')

    def has_temporary_folder(self):
        return self.has_tmp

    def version_of(self, package):
        return self.packages.get(package)

    def requirements_of(self, package):
        return REQUIREMENTS if package in self.packages else []

    def files_of_wheels(self, pattern):
        return fnmatch.filter(self.wheel_files, f'*/{pattern}')

    def library(self, name, _version_function=None):
        if name in self.libraries:
            return {'path': name, 'version': self.libraries[name]}
        return {'reason': f'{name}: {NOT_FOUND}'}

    def free_bytes(self, _folder):
        return 500 << 30

    def folder_bytes(self, folder):
        return 3 << 30 if folder == '.stylegan2-cache' else None


def smi(rows, knows_compute_cap=True):
    """Return the command nvidia-smi of a machine. rows: of all fields, in the order of the query."""
    def command(query, *_flags):
        if 'compute_cap' not in query:
            return 0, ''.join(f'{row.rpartition(",")[0]}\n' for row in rows)
        if knows_compute_cap:
            return 0, ''.join(f'{row}\n' for row in rows)
        return 2, 'Field "compute_cap" is not a valid field to query.\n\n'
    return command


def _files(card_class='0x030200', module=None):
    files = {'/proc/cpuinfo': CPUINFO, '/proc/meminfo': MEMINFO,
             '/etc/os-release': 'NAME="Ubuntu"\nPRETTY_NAME="Ubuntu 24.04.1 LTS"\n',
             '/sys/bus/pci/devices/0000:00:1e.0/vendor': '0x1d0f\n',
             '/sys/bus/pci/devices/0000:00:1e.0/class': '0x020000\n'}
    if card_class is not None:
        files |= {'/sys/bus/pci/devices/0000:3b:00.0/vendor': '0x10de\n',
                  '/sys/bus/pci/devices/0000:3b:00.0/class': f'{card_class}\n'}
    return files | ({} if module is None else {'/proc/driver/nvidia/version': MODULE.format(module)})


PACKAGES = {'tensorflow': '2.21.0', 'numpy': '2.3.1', 'scipy': '1.17.0'}
A100S = ['0, NVIDIA A100-SXM4-80GB, 81920, 425, 550.54.15, 8.0',
         '1, NVIDIA A100-SXM4-80GB, 81920, 4, 550.54.15, 8.0']


def two_gpus(**changes):
    """Two A100 with everything that they need."""
    return RecordedMachine(**{
        'files': _files(module='550.54.15'), 'commands': {'nvidia-smi': smi(A100S)},
        'libraries': {'libcuda.so.1': 12040, **LIBRARIES}, 'packages': {**PACKAGES, **WHEELS},
        'wheel_files': ('site-packages/nvidia/cuda_nvcc/bin/ptxas',), **changes})


def without_wheels(**changes):
    """A driver, but TensorFlow without CUDA libraries."""
    return two_gpus(**{'libraries': {'libcuda.so.1': 12040}, 'packages': PACKAGES, 'wheel_files': (),
                       **changes})


def old_driver(**changes):
    """All packages, but a driver for CUDA 11.4, whose nvidia-smi does not know compute capabilities."""
    rows = ['0, Tesla V100-SXM2-16GB, 16160, 0, 470.57.02, 7.0']
    return two_gpus(**{'files': _files(module='470.57.02'),
                       'commands': {'nvidia-smi': smi(rows, knows_compute_cap=False)},
                       'libraries': {'libcuda.so.1': 11040, **LIBRARIES}, **changes})


def without_gpu(**changes):
    """No card, no driver, no CUDA libraries."""
    return RecordedMachine(**{'files': _files(card_class=None), 'packages': PACKAGES, **changes})


def card_without_driver(**changes):
    """A card that nothing drives."""
    return without_gpu(**{'files': _files(), **changes})


def broken_driver(**changes):
    """A card with libraries of a driver whose kernel module is not loaded."""
    return card_without_driver(**{'commands': {'nvidia-smi': lambda *_: (9, NO_COMMUNICATION)},
                                  'libraries': {'libcuda.so.1': 12040}, **changes})


def container_without_gpus(**changes):
    """A container that was started without --gpus all: the kernel's driver shows, its libraries do not."""
    return card_without_driver(**{'files': {**_files(module='550.54.15'), '/.dockerenv': ''}, **changes})
