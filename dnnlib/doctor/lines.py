"""A report as short lines for people."""

from dnnlib.doctor import findings

_WIDTH = 12
_NAMES = {'stylegan-tf': 'stylegan-tf', 'python': 'Python', 'tensorflow': 'TensorFlow',
          'tensorflow-cpu': 'tensorflow-cpu', 'numpy': 'NumPy', 'scipy': 'SciPy'}
_KERNELS = {'PTX': ', its code is compiled by the driver', 'none': ', TensorFlow has no code for it'}


def line(title: str, text: str) -> str:
    """Return a line of the report."""
    return f'{title:{_WIDTH}} {text}'


def first_lines(report: dict) -> list[str]:
    """Return what is known before TensorFlow has loaded."""
    found = [line('Versions', _versions(report)), line('System', _system(report)),
             line('CPU', _processor(report['processor'])), line('Memory', _memory(report['memory']))]
    if report['environment']:
        found.append(line('Environment', ' '.join(f'{name}={value}'
                                                  for name, value in report['environment'].items())))
    return [*found, *(line(title, text) for title, text in _disks(report['folders']))]


def tensorflow_lines(report: dict) -> list[str]:
    """Return what is known once TensorFlow has loaded, or has not."""
    return [line('oneDNN', _onednn(report)), *_gpus(report), line('Driver', _driver(report)),
            line('CUDA', _cuda(report)), *([line('', _libraries(report))] if _has_any_cuda(report) else [])]


def _has_any_cuda(report):
    """Return whether there is something of CUDA; the names of all that is missing would only distract."""
    return findings.has_driver(report) or any(each['reason'] is None for each in report['libraries'])


def check_line(checks: list[dict]) -> str:
    """Return the line of a device that computes in one precision."""
    first = checks[0]
    return line(first['device'], f'{first["precision"]}: {", ".join(map(_check, checks))}')


def last_lines(report: dict) -> list[str]:
    """Return the conclusions."""
    found = [line('Note', text) for text in findings.notes(report)]
    return found + ([line('Problem', text) for text in findings.problems(report)] or
                    [line('Result', 'no problem found')])


def gigabytes(number: int | None) -> str:
    """Return a number of bytes as '0.4 GB' or '80 GB', with 2^30 bytes each; '?' if it is unknown."""
    if number is None:
        return '?'
    value = number / 2 ** 30
    return f'{value:.0f} GB' if value >= 10 else f'{value:.1f} GB'


def _versions(report):
    versions = report['versions']
    names = [f'{_NAMES[name]} {version}' for name, version in versions.items()]
    return ', '.join(names + ([] if {'tensorflow', 'tensorflow-cpu'} & set(versions) else ['no TensorFlow']))


def _system(report):
    system = report['system']
    parts = [system['name'], system['kernel'], system['architecture'], system['libc'],
             'in a container' if system['is_container'] else None]
    return ', '.join(part for part in parts if part)


def _processor(processor):
    cores = f'{processor["usable_cores"]} of {processor["cores"]} cores'
    if processor['quota_cores'] is not None:
        cores += f', quota of {processor["quota_cores"]:g}'
    return f'{processor["name"]}, {cores}; {", ".join(processor["vector_units"]) or "no known vector units"}'


def _memory(memory):
    limit = memory['limit_bytes']
    limited = '' if limit is None else f', limited to {gigabytes(limit)}'
    if memory['address_space_bytes'] is not None:
        limited += f', addresses limited to {gigabytes(memory["address_space_bytes"])} (ulimit -v)'
    return f'{gigabytes(memory["total_bytes"])}, {gigabytes(memory["available_bytes"])} available{limited}'


def _disks(folders):
    paths = {}
    for each in folders:
        paths.setdefault(gigabytes(each['free_bytes']), []).append(each['path'])
    free = '; '.join(f'{size} for {", ".join(where)}' for size, where in paths.items())
    sizes = [f'{each["path"]} {gigabytes(each["bytes"])}' for each in folders if each['bytes'] is not None]
    return [('Free disk', free), ('Caches', ', '.join(sizes) or 'none yet')]


def _onednn(report):
    if report['tensorflow'] is None:
        return 'unknown: TensorFlow does not load'
    widest = report['processor']['onednn_set']
    return f'on, with {widest or "no known instruction set"}' if report['tensorflow']['onednn'] else 'off'


def _gpus(report):
    if not report['gpus'] and findings.uses_gpus(report):
        return [line(each['name'], f'{each["model"]}, compute capability {each["compute_capability"]}; '
                     f'{report["nvidia_smi"]}') for each in report['devices'] if each['type'] == 'GPU']
    if not report['gpus']:
        cards = f'{report["cards"]} on the PCI bus' if report['cards'] else 'none on the PCI bus'
        return [line('GPUs', f'{cards}, {report["nvidia_smi"]}')]
    return [line(f'GPU {gpu["index"]}', _gpu(gpu)) for gpu in report['gpus']]


def _gpu(gpu):
    return (f'{gpu["name"]}, compute capability {gpu["compute_capability"] or "?"}, '
            f'{gigabytes(gpu["memory_bytes"])} ({gigabytes(gpu["used_bytes"])} in use)'
            f'{_KERNELS.get(gpu.get("kernels"), "")}')


def _driver(report):
    driver = report['driver']
    if not findings.has_driver(report):
        return f'none: {driver["reason"] or "its library is here, but no GPU"}'
    parts = [driver['version'] or '?']
    if driver['cuda']:
        parts.append(f'supports CUDA {driver["cuda"]}')
    if findings.is_driver_too_old(report):
        parts.append('which is too old')
    return ', '.join([*parts, *([driver['reason']] if driver['reason'] else [])])


def _cuda(report):
    build = (report['tensorflow'] or {}).get('build', {})
    built = 'TensorFlow is built without CUDA' if build else 'TensorFlow does not load'
    if build.get('is_cuda_build'):
        built = f'TensorFlow is built for CUDA {build["cuda_version"]} and cuDNN {build["cudnn_version"]}'
    missing = findings.missing_wheels(report)
    if not report['wheels'] or not missing:
        return f'{built}; {"packages complete" if report["wheels"] else "no packages known"}'
    if len(missing) == len(report['wheels']) and ' instead of ' not in ''.join(missing):
        return f'{built}; none of its {len(missing)} packages nvidia-* installed: {findings.SETUP}'
    return f'{built}; to be installed: {", ".join(missing)}: {findings.SETUP}'


def _libraries(report):
    found = [f'{each["name"]} {each["version"] or ""}'.strip()
             for each in report['libraries'] or [] if each['reason'] is None]
    absent = [each['name'] for each in findings.unloadable(report)]
    compiler = report['compiler']['ptxas']
    parts = [f'found: {", ".join(found)}'] if found else []
    parts += [f'not found: {", ".join(absent)}'] if absent else []
    return '; '.join([*parts, 'ptxas found' if compiler else 'no ptxas'])


def _check(each):
    if each['message'] is not None:
        return f'{each["work"]} FAILS'
    speed = each['operations_per_second'] / 1e9
    shown = f'{speed / 1000:.1f} TFLOP/s' if speed >= 1000 else f'{speed:.0f} GFLOP/s'
    error = 'not finite' if each['error'] is None else f'error {each["error"]:.0e}'
    return f'{each["work"]} {shown} ({error}{"" if each["ok"] else ": WRONG"})'
