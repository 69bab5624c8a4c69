"""Test dnnlib.doctor: what it finds on recorded machines, what it says, and what it computes."""

import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest

from dnnlib.doctor import __main__ as doctor
from dnnlib.doctor import findings, host, lines, nvidia, worker
from dnnlib.doctor import machine as machine_module
from dnnlib.doctor.machine import TIMED_OUT, Machine
from dnnlib.doctor.versions import satisfies, short_version
from tests import doctor_machines as machines

ROOT = str(host.__file__).partition('/dnnlib/')[0]
GPU = {'type': 'GPU', 'model': 'NVIDIA A100-SXM4-80GB', 'compute_capability': '8.0', 'memory_bytes': 77 << 30}
CPU = {'name': 'CPU:0', 'type': 'CPU', 'model': None, 'compute_capability': None, 'memory_bytes': None}


def _result(device='CPU:0', **changes):
    return {'device': device, 'work': 'matrix product', 'size': '4x4', 'precision': 'float32', 'seconds': 0.1,
            'operations_per_second': 2e12, 'error': 1e-6, 'tolerance': 3e-4, 'ok': True, 'message': None,
            **changes}


def _messages(num_gpus=0, results=None, **build):
    gpus = [{'name': f'GPU:{index}', **GPU} for index in range(num_gpus)]
    return [{'kind': 'tensorflow', 'version': '2.21.0', 'build': {**machines.BUILD, **build}, 'onednn': True},
            {'kind': 'stage', 'text': 'Looking'}, {'kind': 'devices', 'devices': [CPU, *gpus]},
            {'kind': 'checks', 'checks': [_result()] if results is None else results}, {'kind': 'done'}]


class Told:
    """A worker that has these messages."""

    def __init__(self, messages, reason=None, complaint=None):
        self._messages, self.reason, self.complaint = messages, reason, complaint

    def messages(self, _say):
        yield from self._messages


def _examined(machine, *args, capsys=None, **kwargs):
    """Return the report about a machine and what was printed."""
    report = doctor.examined(machine, Told(*args, **kwargs), 'results')
    return report, capsys.readouterr().out if capsys else ''


def test_a_machine_with_two_gpus_has_no_problem():
    report, _ = _examined(machines.two_gpus(), _messages(2))
    assert report['ok'] and not report['problems'] and not report['notes']
    assert [(gpu['index'], gpu['compute_capability'], gpu['memory_bytes'], gpu['kernels'])
            for gpu in report['gpus']] == [(index, '8.0', 80 << 30, 'machine code') for index in range(2)]
    assert report['driver'] == {'version': '550.54.15', 'module': '550.54.15', 'cuda': '12.4', 'reason': None}
    assert {each['name']: each['version'] for each in report['libraries']} == {
        'CUDA runtime': '12.9', 'cuBLAS': None, 'cuFFT': None, 'cuSOLVER': None, 'cuSPARSE': None,
        'cuDNN': '9.10.2', 'NCCL': '2.27.7'}


TWO_GPUS = f"""\
Versions     stylegan-tf {host.VERSION}, Python 3.12.3, TensorFlow 2.21.0, NumPy 2.3.1, SciPy 1.17.0
System       Ubuntu 24.04.1 LTS, Linux 6.8.0, x86_64, glibc 2.39
CPU          Intel(R) Xeon(R) Platinum 8480+, 2 of 2 cores; AVX, AVX2, FMA, F16C, AVX-512, AVX-512 VNNI, \
AVX-512 BF16, AMX
Memory       504 GB, 458 GB available
Free disk    500 GB for results, .stylegan2-cache, ~/.cache/dnnlib, ~/.nv/ComputeCache
Caches       .stylegan2-cache 3.0 GB
oneDNN       on, with AVX512_CORE_BF16
GPU 0        NVIDIA A100-SXM4-80GB, compute capability 8.0, 80 GB (0.4 GB in use)
GPU 1        NVIDIA A100-SXM4-80GB, compute capability 8.0, 80 GB (0.0 GB in use)
Driver       550.54.15, supports CUDA 12.4
CUDA         TensorFlow is built for CUDA 12.5.1 and cuDNN 9; packages complete
             found: CUDA runtime 12.9, cuBLAS, cuFFT, cuSOLVER, cuSPARSE, cuDNN 9.10.2, NCCL 2.27.7; \
ptxas found
GPU:0        float32: matrix product 2.0 TFLOP/s (error 1e-06), 3x3 convolution 900 GFLOP/s (error 1e-06)
Result       no problem found
"""


def test_the_lines_are_short_and_aligned(capsys, monkeypatch):
    monkeypatch.delenv('DNNLIB_CACHE_DIR', raising=False)
    convolution = _result('GPU:0', work='3x3 convolution', operations_per_second=9e11)
    _, text = _examined(machines.two_gpus(), _messages(2, [_result('GPU:0'), convolution]), capsys=capsys)
    assert text == TWO_GPUS


def test_missing_packages_are_named_with_what_installs_them(capsys):
    report, text = _examined(machines.without_wheels(), _messages(), capsys=capsys,
                             complaint='Cannot dlopen some GPU libraries.')
    problem, said = report['problems']
    assert problem.startswith('TensorFlow uses no GPU: CUDA libraries are missing: libcudart.so.12')
    assert f'nvidia-cublas-cu12, nvidia-cudnn-cu12, nvidia-nccl-cu12; {findings.SETUP}' in problem
    assert said == 'TensorFlow uses no GPU: it says: Cannot dlopen some GPU libraries.'
    assert 'none of its 3 packages nvidia-* installed: `make setup GPU=1`' in text
    assert 'not found: CUDA runtime, cuBLAS, cuFFT, cuSOLVER, cuSPARSE, cuDNN, NCCL; no ptxas' in text
    assert report['ok']  # the CPU computes correctly


def test_a_driver_that_is_too_old_is_a_problem(capsys):
    report, text = _examined(machines.old_driver(), _messages(), capsys=capsys)
    assert report['problems'] == [
        'driver 470.57.02 supports CUDA 11.4 at most, and TensorFlow 2.21.0 is built for CUDA 12.5.1: '
        'install driver 525.60.13 or newer']
    assert 'Driver       470.57.02, supports CUDA 11.4, which is too old' in text
    assert 'Tesla V100-SXM2-16GB, compute capability ?, 16 GB' in text


def test_a_machine_without_a_gpu_is_none_of_its_faults(capsys):
    report, text = _examined(machines.without_gpu(), _messages(), capsys=capsys)
    assert report['ok'] and report['problems'] == [] and report['notes'] == []
    assert 'GPUs         none on the PCI bus, there is no nvidia-smi' in text
    assert 'Driver       none: no driver is loaded' in text and 'not found:' not in text
    assert len(text.splitlines()) == 12


@pytest.mark.parametrize('machine, problem', [
    (machines.card_without_driver(), '1 NVIDIA card(s) without a driver: install it'),
    (machines.broken_driver(), 'the driver does not answer: nvidia-smi says: NVIDIA-SMI has failed'),
    (machines.container_without_gpus(), 'libcuda.so.1: cannot open shared object file'),
    (machines.two_gpus(environ={'CUDA_VISIBLE_DEVICES': '-1'}), "CUDA_VISIBLE_DEVICES='-1' hides all"),
    (machines.two_gpus(), 'TensorFlow uses no GPU, and does not say why'),
], ids=range(5))
def test_reasons_for_disuse_are_told(machine, problem):
    report, _ = _examined(machine, _messages())
    assert any(problem in each for each in report['problems']) and report['ok']


def test_an_nvidia_smi_that_does_not_answer_is_asked_once():
    asked = []
    machine = machines.broken_driver(commands={
        'nvidia-smi': lambda *words: asked.append(words) or (TIMED_OUT, 'no answer for 60 seconds')})
    report, _ = _examined(machine, _messages())
    assert len(asked) == 1
    assert 'the driver does not answer: nvidia-smi says: no answer for 60 seconds' in report['problems']


def test_a_container_without_gpus_is_told_what_to_do():
    report, _ = _examined(machines.container_without_gpus(), _messages())
    assert any('start it with --gpus all' in each for each in report['problems'])
    assert report['system']['is_container']


def test_a_container_without_nvidia_smi_may_use_its_gpus(capsys):
    report, text = _examined(machines.two_gpus(commands={}), _messages(2), capsys=capsys)
    assert report['problems'] == []
    assert 'GPU:1        NVIDIA A100-SXM4-80GB, compute capability 8.0; there is no nvidia-smi' in text


def test_an_image_with_the_library_of_a_driver_has_no_driver_yet(capsys):
    machine = machines.without_gpu(libraries={'libcuda.so.1': 12040})
    report, text = _examined(machine, _messages(), capsys=capsys)
    assert report['problems'] == [] and 'Driver       none: its library is here, but no GPU' in text


def test_a_tensorflow_without_cuda_is_told():
    report, text = _examined(machines.two_gpus(), _messages(is_cuda_build=False))
    assert report['problems'] == [
        'TensorFlow uses no GPU: it is built without CUDA: install the package tensorflow for Linux']


def test_several_gpus_without_nccl_are_a_problem():
    libraries = {**machines.two_gpus().libraries}
    del libraries['libnccl.so.2']
    report, _ = _examined(machines.two_gpus(libraries=libraries), _messages(2))
    assert report['problems'] == [
        f'NCCL, which several GPUs need: libnccl.so.2: {machines.NOT_FOUND}; {findings.SETUP}']


def test_gpus_without_machine_code_are_noted():
    def machine(capability):
        rows = [f'0, NVIDIA X, 81920, 1, 550.54.15, {capability}']
        return machines.two_gpus(commands={'nvidia-smi': machines.smi(rows)})
    report, _ = _examined(machine('9.0'), _messages(1))
    assert not report['problems'] and len(report['notes']) == 2
    assert 'may refuse to compile code of CUDA 12.5.1: update it' in report['notes'][1]
    report, _ = _examined(machine('5.2'), _messages())
    assert 'TensorFlow 2.21.0 has no code for compute capability 5.2' in report['problems'][0]


@pytest.mark.parametrize('capability, expected', [
    ('5.2', 'none'), ('6.1', 'machine code'), ('7.5', 'machine code'), ('8.6', 'machine code'),
    ('8.9', 'machine code'), ('9.0', 'PTX'), ('12.0', 'PTX')])
def test_machine_code_runs_on_its_own_major_version(capability, expected):
    assert nvidia.kernels_for(capability, machines.BUILD['cuda_compute_capabilities']) == expected


def test_packages_of_other_versions_are_noted():
    packages = {**machines.two_gpus().packages, 'nvidia-cudnn-cu12': '8.9.7.29'}
    report, _ = _examined(machines.two_gpus(packages=packages), _messages(2))
    assert report['notes'] == ['other versions than TensorFlow asks for: nvidia-cudnn-cu12 8.9.7.29 instead '
                               f'of <10.0,>=9.3.0.75; {findings.SETUP}']


@pytest.mark.parametrize('changes, problem', [
    ({'ok': False, 'error': 0.2}, 'differs from NumPy by 2e-01; at most 3e-04'),
    ({'ok': False, 'error': None}, 'is not finite'),
    ({'ok': False, 'message': 'InternalError: no cuDNN'}, 'fails: InternalError: no cuDNN'),
])
def test_a_device_that_computes_wrongly_fails(changes, problem, capsys):
    report, text = _examined(machines.two_gpus(), _messages(2, [_result('GPU:0', **changes)]), capsys=capsys)
    assert not report['ok']
    assert report['problems'][0].startswith(f'GPU:0: matrix product in float32 {problem}')
    assert 'WRONG' in text or 'FAILS' in text


def test_a_tensorflow_that_does_not_load_leaves_the_rest(capsys):
    report, text = _examined(machines.two_gpus(), [], capsys=capsys, reason='ended by SIGILL')
    assert not report['ok'] and report['problems'] == ['TensorFlow: ended by SIGILL']
    assert 'oneDNN       unknown' in text and 'GPU 1 ' in text and 'NCCL 2.27.7' in text


def test_an_empty_machine_is_described(capsys):
    """No file, command, package or library answers, as on another system."""
    report, text = _examined(machines.RecordedMachine(), [], capsys=capsys, reason='gone')
    assert 'no TensorFlow' in text and 'x86_64, 2 of 2 cores; no known vector units' in text
    assert 'Memory       ?, ? available' in text
    json.dumps(report)


@pytest.mark.parametrize('flags, limit, expected', [
    ('avx2 fma', '', 'AVX2'), ('avx2 avx512f avx512bw avx512vl avx512dq', '', 'AVX512_CORE'),
    ('avx2 avx512f avx512bw avx512vl avx512dq', 'AVX2', 'AVX2'), ('avx2', 'AVX512_CORE', 'AVX2'),
    ('sse4_1', '', 'SSE41'), ('asimd', '', None)])
def test_onednn_takes_the_widest_instruction_set(flags, limit, expected):
    machine = machines.RecordedMachine(files={'/proc/cpuinfo': f'processor : 0\nflags\t\t: {flags}\n'},
                                       environ={'ONEDNN_MAX_CPU_ISA': limit})
    assert host.processor(machine)['onednn_set'] == expected


def test_limits_of_a_container_are_shown():
    files = {'/sys/fs/cgroup/cpu.max': '150000 100000\n', '/sys/fs/cgroup/memory.max': f'{8 << 30}\n',
             '/proc/meminfo': machines.MEMINFO}
    machine = machines.RecordedMachine(files=files)
    assert host.processor(machine)['quota_cores'] == 1.5 and host.memory(machine)['limit_bytes'] == 8 << 30
    unlimited = machines.RecordedMachine(files={'/sys/fs/cgroup/cpu.max': 'max 100000\n',
                                                '/sys/fs/cgroup/memory.max': 'max\n'})
    assert host.processor(unlimited)['quota_cores'] is None and host.memory(unlimited)['limit_bytes'] is None


def test_the_open_kernel_module_has_a_version():
    machine = machines.RecordedMachine(files={'/proc/driver/nvidia/version': machines.OPEN_MODULE})
    assert nvidia.driver(machine, None)['version'] == '560.35.03'


def test_nothing_names_the_user(capsys, monkeypatch, tmp_path):
    home = tmp_path / 'somebody'
    monkeypatch.setenv('HOME', str(home))
    environ = {'XLA_FLAGS': f'--xla_dump_to={home}/x', 'LD_LIBRARY_PATH': '/opt/somebody',
               'NCCL_DEBUG': f'{home}-else'}
    report, text = _examined(machines.two_gpus(environ=environ), _messages(2), capsys=capsys)
    assert 'somebody' not in (text + json.dumps(report)).replace(f'{home}-else', '')
    assert 'XLA_FLAGS=--xla_dump_to=~/x NCCL_DEBUG=' in text and 'LD_LIBRARY_PATH=set' in text


@pytest.mark.parametrize('version, wanted, expected', [
    ('12.5.3.2', '<13.0,>=12.5.3.2', True), ('12.5.3.1', '<13.0,>=12.5.3.2', False),
    ('13.0', '<13.0,>=12', False), ('12.10', '>=12.9', True), ('13', '<13.0', False), ('3', '', True)])
def test_versions_are_compared_by_their_numbers(version, wanted, expected):
    assert satisfies(version, wanted) == expected


@pytest.mark.parametrize('library, number, expected', [
    ('cuDNN', 90300, '9.3.0'), ('cuDNN', 8904, '8.9.4'), ('NCCL', 22707, '2.27.7'),
    ('CUDA runtime', 12050, '12.5'), ('cuBLAS', None, None)])
def test_numbers_of_libraries_are_read(library, number, expected):
    assert short_version(library, number) == expected


def _worker(code):
    return worker.Worker((sys.executable, '-u', '-c', code))


def test_messages_come_while_others_print_too():
    said = []
    told = _worker("""print('{"kind": "x"}\\nnoise\\n[1]\\n{"kind": "done"}')""")
    assert [each['kind'] for each in told.messages(said.append)] == ['x', 'done']
    assert told.reason is None and said == []


@pytest.mark.parametrize('code, reason', [
    ('raise SystemExit("cuDNN is gone")', 'Loading TensorFlow: ended with status 1: cuDNN is gone'),
    ('import os; os.kill(os.getpid(), 4)', 'Loading TensorFlow: ended by SIGILL (the processor lacks '
     'instructions that this TensorFlow is built with)'),
    ("""print('{"kind": "stage", "text": "Computing on GPU:0"}'); import os, sys
print('F0000 00:00:17 1234 dso_loader.cc:94] Check failed: x', file=sys.stderr); os.abort()""",
     'Computing on GPU:0: ended by SIGABRT: Check failed: x'),
    ("""import os, sys
print('cannot read /proc/stat\\n*** SIGSEGV ***\\n    @ 0x7f12 (unknown)', file=sys.stderr); os.abort()""",
     'Loading TensorFlow: ended by SIGABRT: cannot read /proc/stat'),
    ('pass', 'Loading TensorFlow: ended with status 0'),
])
def test_the_end_of_the_process_is_told(code, reason):
    told = _worker(code)
    list(told.messages(print))
    assert told.reason == reason


def test_silence_is_broken_and_does_not_last(monkeypatch):
    monkeypatch.setattr(worker, 'SECONDS_OF_SILENCE', 0.05)
    monkeypatch.setattr(worker, 'SECONDS_BETWEEN_LINES', 0.05)
    monkeypatch.setattr(worker, 'SECONDS_TO_LOAD', 0.4)
    said = []
    told = _worker('import time; time.sleep(60)')
    assert list(told.messages(said.append)) == []
    assert len(said) > 2 and said[0].startswith('Loading TensorFlow...')
    assert told.reason.startswith('Loading TensorFlow: no answer for')


def test_a_tensorflow_that_is_not_installed_is_named_with_what_installs_it():
    packages = {**machines.without_gpu().packages}
    del packages['tensorflow']
    report, _ = _examined(machines.without_gpu(packages=packages), [], reason='ended with status 1')
    assert len(report['problems']) == 1 and report['problems'][0].startswith(
        'TensorFlow is not installed: `make setup` installs everything')


def test_a_limit_of_addresses_is_shown_and_a_reason_for_failures(capsys):
    report, text = _examined(machines.without_gpu(address_space=1500 << 20), [], reason='no answer',
                             capsys=capsys)
    assert 'available, addresses limited to 1.5 GB (ulimit -v)' in text
    assert report['problems'] == [
        'TensorFlow: no answer; addresses are limited: raise the limit (ulimit -v unlimited)']


def test_control_characters_are_shown_escaped(capsys):
    machine = machines.two_gpus(environ={'XLA_FLAGS': '--a\x1b[31m\n'})
    _, text = _examined(machine, _messages(2), capsys=capsys)
    assert 'Environment  XLA_FLAGS=--a\\x1b[31m\\n\n' in text


def test_a_deleted_folder_is_told_in_one_line(tmp_path):
    code = 'import os; os.mkdir("gone"); os.chdir("gone"); os.rmdir("../gone"); from dnnlib import cli; ' \
           'from dnnlib.doctor.__main__ import main; cli.run_script(lambda: main([]))'
    said = 'the current folder has been deleted; cd to'
    done = subprocess.run([sys.executable, '-c', code], cwd=tmp_path, env={**os.environ, 'PYTHONPATH': ROOT},
                          text=True, capture_output=True, check=False)
    assert done.returncode == 2 and said in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_missing_folder_for_temporary_files_is_a_problem(monkeypatch, tmp_path):
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path / 'none'))
    assert not Machine().has_temporary_folder()
    report, _ = _examined(machines.without_gpu(has_tmp=False), _messages())
    assert report['problems'] == ['no folder for temporary files can be written: let TMPDIR name one']


@pytest.mark.parametrize(('changes', 'reason', 'advice'), [
    ({}, 'ended with status 1: ImportError: a DLL', '`make setup` installs everything'),
    ({'files': {}}, 'ended by SIGABRT', '/proc cannot be read, which TensorFlow needs: mount it'),
    ({'files': {}, 'kernel': 'Darwin 24'}, 'ended by SIGABRT', 'ended by SIGABRT')])
def test_what_to_do_about_a_tensorflow_that_fails_is_told(changes, reason, advice):
    report, _ = _examined(machines.without_gpu(**changes), [], reason=reason)
    assert len(report['problems']) == 1 and advice in report['problems'][0]


SLEEPER = """import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])
print(os.getpid(), child.pid, file={stream}, flush=True)
time.sleep(60)"""


def _is_alive(pid):
    """Return whether a process runs; a dead one may wait for its parent to notice."""
    return Machine().read(f'/proc/{pid}/stat').rpartition(')')[2].split()[:1] not in ([], ['Z'])


def test_a_worker_that_hangs_ends_with_its_children_and_its_last_line():
    told = worker.Worker((sys.executable, '-c', SLEEPER.format(stream='sys.stderr')), limit_seconds=1)
    assert list(told.messages(print)) == []
    found = re.fullmatch(r'Loading TensorFlow: no answer for 1s: (\d+) (\d+)', told.reason)
    assert found and not _is_alive(found[1]) and not _is_alive(found[2])


def test_a_command_that_hangs_ends_with_its_children(monkeypatch, tmp_path):
    script = SLEEPER.format(stream=f'open({str(tmp_path / "pids")!r}, "w")')
    monkeypatch.setattr(machine_module, '_SECONDS_FOR_A_COMMAND', 2)
    assert Machine().run(sys.executable, '-c', script) == (124, 'no answer for 2 seconds')
    assert not any(map(_is_alive, (tmp_path / 'pids').read_text().split()))


def test_a_worker_that_cannot_be_started_is_told():
    told = worker.Worker(('no-such-command',))
    assert list(told.messages(print)) == []
    assert told.reason.startswith('Loading TensorFlow: cannot be started: ')
    told.close()


@pytest.mark.parametrize('said', ['\x00\ufffd' * 9999, '\u00b2, a, \u00b2, b, c, d',
                                  '9' * 5000 + ', a, 1, 1, c, 8.0'])
def test_garbage_of_nvidia_smi_is_survived(said):
    report, _ = _examined(machines.without_gpu(commands={'nvidia-smi': lambda *_: (0, said)}), _messages())
    assert report['gpus'] == [] and report['nvidia_smi'].startswith('nvidia-smi says: ')
    assert len(report['nvidia_smi']) < 250


def test_a_file_that_is_no_program_is_told(tmp_path, monkeypatch):
    (tmp_path / 'nvidia-smi').write_text('garbage')
    (tmp_path / 'nvidia-smi').chmod(0o755)
    monkeypatch.setenv('PATH', str(tmp_path))
    assert 'it cannot be started (Exec format error)' in nvidia.nvidia_smi(Machine())['reason']


def _started(*flags, **kwargs):
    return subprocess.Popen([sys.executable, '-m', 'dnnlib.doctor', *flags], cwd=ROOT, text=True,
                            stderr=subprocess.PIPE, **kwargs)


@pytest.mark.parametrize(('signum', 'status', 'said'), [
    (signal.SIGINT, 130, 'Interrupted.\n'), (signal.SIGTERM, 143, ''), (signal.SIGHUP, 129, '')])
def test_signals_end_it_without_a_traceback(signum, status, said):
    process = _started(stdout=subprocess.PIPE)
    process.stdout.readline()
    process.send_signal(signum)
    assert (process.communicate(timeout=60)[1], process.returncode) == (said, status)


@pytest.mark.parametrize('flags', [[], ['--json']])
def test_a_full_disk_is_one_line(flags):
    with open('/dev/full', 'w', encoding='utf-8') as full:
        process = _started(*flags, stdout=full)
    said = process.communicate(timeout=300)[1]
    assert process.returncode == 2 and said.endswith('Error: No space left on device\n')
    assert 'Traceback' not in said


LOG = '2026-01-01 00:00:00.1: W tensorflow/core/gpu_device.cc:2343] Cannot dlopen some GPU libraries.'


@pytest.mark.parametrize('text, complaint', [
    (LOG, 'Cannot dlopen some GPU libraries.'),
    ('I0000 00:00:1 1 cudart_stub.cc:31] Could not find cuda drivers on your machine.\n' + LOG,
     'Cannot dlopen some GPU libraries.'),
    ('oneDNN custom operations are on', None)])
def test_tensorflow_s_own_reason_is_found(text, complaint):
    assert worker.complaint_in(text.splitlines()) == complaint


def test_the_real_machine_answers(tmp_path):
    machine = Machine()
    (tmp_path / 'a').write_bytes(b'123')
    assert machine.read(str(tmp_path / 'none')) == '' and machine.run('no-such-command') == (None, '')
    assert machine.run(sys.executable, '-c', 'print(1)') == (0, '1\n')
    assert machine.version_of('no-such-package') is None and machine.requirements_of('no-such-package') == []
    assert machine.version_of('numpy') == np.__version__ and machine.requirements_of('tensorflow')
    assert 'No such file' in machine.library('libnosuch.so.1')['reason']
    assert machine.library('libc.so.6', 'no_such_function') == {'path': 'libc.so.6', 'version': None}
    assert machine.folder_bytes(str(tmp_path)) == 3 and machine.folder_bytes(str(tmp_path / 'none')) is None
    assert machine.free_bytes(str(tmp_path / 'not' / 'yet')) > 0


def test_libraries_of_packages_come_before_those_of_the_system(tmp_path, monkeypatch):
    folder = tmp_path / 'nvidia' / 'cudnn' / 'lib'
    folder.mkdir(parents=True)
    (folder / 'libcudnn.so.9').write_bytes(b'')
    monkeypatch.syspath_prepend(tmp_path)

    class Library:
        def __init__(self, path):
            if 'libnone' in path:
                raise OSError('gone')

        def ncclGetVersion(self, number):
            number._obj.value = 22707
            return 0

        def cudaRuntimeGetVersion(self, _number):
            return 35  # the driver is too old

    Library.cudnnGetVersion = type('Function', (), {'__call__': lambda self: 90300})()
    monkeypatch.setattr('ctypes.CDLL', Library)
    machine = Machine()
    assert machine.library('libcudnn.so.9', 'cudnnGetVersion') == {
        'path': str(folder / 'libcudnn.so.9'), 'version': 90300}
    assert machine.library('libnccl.so.2', 'ncclGetVersion') == {'path': 'libnccl.so.2', 'version': 22707}
    assert machine.library('libcudart.so.12', 'cudaRuntimeGetVersion')['version'] is None
    assert machine.library('libnone.so', 'ncclGetVersion') == {'reason': 'gone'}


def test_the_command_works_anywhere_and_writes_json(tmp_path):
    """The folder that it starts in is another one, and there are no commands."""
    env = {**os.environ, 'PYTHONPATH': ROOT, 'PATH': str(tmp_path)}
    done = subprocess.run([sys.executable, '-m', 'dnnlib.doctor', '--json'], cwd=tmp_path, env=env, text=True,
                          capture_output=True, check=False, timeout=300)
    report = json.loads(done.stdout)
    assert done.returncode == 0 and report['ok'], done.stderr
    assert {each['device'] for each in report['checks']} == {each['name'] for each in report['devices']}
    assert [line.split()[0] for line in done.stderr.splitlines()][:2] == ['Versions', 'System']
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('messages, status', [(_messages(), 0), (_messages(results=[_result(ok=False)]), 1)])
def test_the_exit_status_tells_of_wrong_results(messages, status, monkeypatch, capsys):
    class Standing(Told):
        def __init__(self, limit_seconds):
            super().__init__(messages)

        def close(self):
            pass
    monkeypatch.setattr(doctor, 'Worker', Standing)
    monkeypatch.setattr(doctor, 'Machine', machines.without_gpu)
    with pytest.raises(SystemExit) as caught:
        doctor.main([])
    assert caught.value.code == status
    assert lines.line('Versions', '') in capsys.readouterr().out


def test_wrong_flags_end_with_one_line(capsys):
    with pytest.raises(SystemExit) as caught:
        doctor.main(['--result-dir='])
    assert caught.value.code == 2 and capsys.readouterr().err.startswith('Error: argument --result-dir')
