"""Collects what is known of a machine, and what is wrong with it."""

import re

from dnnlib.doctor import host, nvidia
from dnnlib.doctor.versions import parts
from dnnlib.required_packages import ADVICE

SETUP = '`make setup GPU=1` installs them'
_LEAST_DRIVERS = {'12': '525.60.13', '13': '580.65.06'}  # NVIDIA's table for Linux, by CUDA's major version.


def collected(machine, result_dir: str) -> dict:
    """Return what can be known without loading TensorFlow. `add` takes the rest."""
    smi = nvidia.nvidia_smi(machine)
    return {
        'versions': host.versions(machine),
        'system': host.system(machine),
        'processor': host.processor(machine),
        'memory': host.memory(machine),
        'environment': host.environment(machine),
        'folders': host.folders(machine, result_dir),
        'has_proc': host.has_proc(machine),
        'has_temporary_folder': machine.has_temporary_folder(),
        'cards': nvidia.cards(machine),
        'gpus': smi['gpus'],
        'nvidia_smi': smi['reason'],
        'driver': nvidia.driver(machine, smi['driver']),
        'wheels': nvidia.wheels(machine),
        'compiler': nvidia.compiler(machine),
        'tensorflow': None, 'libraries': None, 'devices': None, 'checks': [],
        'failure': None, 'complaint': None,
    }


def add(report: dict, message: dict, machine) -> None:
    """Add what the process with TensorFlow says to a report."""
    if message['kind'] == 'tensorflow':
        report['tensorflow'] = {key: message[key] for key in ('version', 'build', 'onednn')}
        add_libraries(report, machine)
    elif message['kind'] == 'devices':
        report['devices'] = message['devices']
    elif message['kind'] == 'checks':
        report['checks'] += message['checks']


def add_libraries(report: dict, machine) -> None:
    """Add the CUDA libraries that the TensorFlow of the report needs, and what it has for each GPU."""
    build = (report['tensorflow'] or {}).get('build', {})
    report['libraries'] = nvidia.libraries(machine, build)
    for gpu in report['gpus']:
        built = build.get('cuda_compute_capabilities')
        known = built and gpu['compute_capability']
        gpu['kernels'] = nvidia.kernels_for(gpu['compute_capability'], built) if known else None


def has_driver(report: dict) -> bool:
    """Return whether there is a driver. Its library alone, without a card, is only a part of an image."""
    driver = report['driver']
    return bool(report['gpus'] or driver['version'] or (driver['cuda'] and report['cards']))


def missing_wheels(report: dict) -> list[str]:
    """Return the packages with CUDA libraries that are missing or have another version, as text."""
    return [each['name'] if each['version'] is None else
            f'{each["name"]} {each["version"]} instead of {each["wanted"]}'
            for each in report['wheels'] if not each['fits']]


def unloadable(report: dict) -> list[dict]:
    """Return the CUDA libraries that cannot be loaded."""
    return [each for each in report['libraries'] or [] if each['reason'] is not None]


def is_driver_too_old(report: dict) -> bool:
    """Return whether the driver supports no CUDA of the major version that TensorFlow is built for."""
    cuda, built = report['driver']['cuda'], _built_for(report)
    return bool(cuda and built) and parts(cuda)[0] < parts(built)[0]


def _built_for(report):
    return (report['tensorflow'] or {}).get('build', {}).get('cuda_version')


def problems(report: dict) -> list[str]:
    """Return what is wrong, each with what to do. A machine without a GPU has no problem."""
    found = [] if report['failure'] is None else [_failure(report)]
    if not report['has_temporary_folder']:
        found.append('no folder for temporary files can be written: let TMPDIR name one')
    found += [_wrong_result(each) for each in report['checks'] if not each['ok']]
    if report['cards'] and not has_driver(report):
        found.append(f'{report["cards"]} NVIDIA card(s) without a driver: install it; {report["nvidia_smi"]}')
    return found + (_gpu_problems(report) if has_driver(report) else [])


def _failure(report):
    if not {'tensorflow', 'tensorflow-cpu'} & set(report['versions']):
        return f'TensorFlow is not installed: {ADVICE}'
    advice = ''
    if report['memory']['address_space_bytes'] is not None:
        advice = '; addresses are limited: raise the limit (ulimit -v unlimited)'
    elif report['has_proc'] is False:
        advice = '; /proc cannot be read, which TensorFlow needs: mount it (mount -t proc proc /proc)'
    elif re.search(r'\b(ImportError|ModuleNotFoundError): ', report['failure']):
        advice = f'; {ADVICE}'
    return f'TensorFlow: {report["failure"]}{advice}'


def _wrong_result(each):
    what = f'{each["device"]}: {each["work"]} in {each["precision"]}'
    if each['message'] is not None:
        return f'{what} fails: {each["message"]}'
    differs = 'is not finite' if each['error'] is None else f'differs from NumPy by {each["error"]:.0e}'
    return f'{what} {differs}; at most {each["tolerance"]:.0e} is rounding'


def _gpu_problems(report):
    """Return the reasons why GPUs are not used, or not well."""
    found = []
    if report['nvidia_smi'] is not None and not uses_gpus(report):
        found.append(f'the driver does not answer: {report["nvidia_smi"]}')
    if report['driver']['reason'] is not None:
        found.append(f'libcuda.so.1: {report["driver"]["reason"]}')
    if is_driver_too_old(report):
        found.append(_old_driver(report))
    for gpu in report['gpus']:
        if gpu.get('kernels') == 'none':
            found.append(f'GPU {gpu["index"]}: TensorFlow {report["tensorflow"]["version"]} has no code for '
                         f'compute capability {gpu["compute_capability"]}; the CPU does its work')
    if report['devices'] is not None and not uses_gpus(report):
        found += [f'TensorFlow uses no GPU: {reason}' for reason in _reasons_for_disuse(report)]
        return found or ['TensorFlow uses no GPU, and does not say why']
    if len(report['gpus']) > 1:
        found += [f'NCCL, which several GPUs need: {each["reason"]}; {SETUP}'
                  for each in unloadable(report) if each['name'] == 'NCCL']
    return found


def uses_gpus(report: dict) -> bool:
    """Return whether TensorFlow has found a GPU."""
    return any(each['type'] == 'GPU' for each in report['devices'] or [])


def _old_driver(report):
    built = _built_for(report)
    major = built.split('.')[0]
    least = _LEAST_DRIVERS.get(major)
    advice = f'install driver {least} or newer' if least else 'install a newer driver'
    return (f'driver {report["driver"]["version"]} supports CUDA {report["driver"]["cuda"]} at most, '
            f'and TensorFlow {report["tensorflow"]["version"]} is built for CUDA {built}: {advice}')


def _reasons_for_disuse(report):
    """Yield reasons why TensorFlow uses no GPU although there is a driver."""
    visible = report['environment'].get('CUDA_VISIBLE_DEVICES')
    if visible is not None and visible.strip() in ('', '-1', 'NoDevFiles'):
        yield f"CUDA_VISIBLE_DEVICES='{visible}' hides all of them: unset it"
    if not report['tensorflow']['build'].get('is_cuda_build'):
        yield 'it is built without CUDA: install the package tensorflow for Linux'
    absent = [each['file'] for each in unloadable(report)]
    if absent:
        packages = missing_wheels(report)
        missing = f'; packages to be installed: {", ".join(packages)}' if packages else ''
        yield f'CUDA libraries are missing: {", ".join(absent)}{missing}; {SETUP}'
    if report['complaint'] is not None:
        yield f'it says: {report["complaint"]}'


def notes(report: dict) -> list[str]:
    """Return what is right but slower than it could be, or about to be."""
    found = []
    cuda, built = report['driver']['cuda'], _built_for(report)
    if report['tensorflow'] and not report['tensorflow']['onednn'] \
            and 'AVX2' in report['processor']['vector_units']:
        found.append('oneDNN is off: CPUs are up to three times as fast without TF_ENABLE_ONEDNN_OPTS=0')
    if any(gpu.get('kernels') == 'PTX' for gpu in report['gpus']):
        found.append('at the first start the driver compiles the kernels for this GPU, for many minutes')
        if cuda and built and parts(cuda)[:2] < parts(built)[:2]:
            found.append(f'a driver for CUDA {cuda} may refuse to compile code of CUDA {built}: update it')
    if uses_gpus(report) and report['compiler']['ptxas'] is None:
        found.append(f'XLA compiles for GPUs with ptxas, which is missing: {SETUP}')
    wrong = [each for each in missing_wheels(report) if ' instead of ' in each]
    if wrong:
        found.append(f'other versions than TensorFlow asks for: {", ".join(wrong)}; {SETUP}')
    return found

