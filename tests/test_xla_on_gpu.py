"""Test the export of compiled steps, and the program that runs them without TensorFlow.

Some tests need jaxlib: pip install -e '.[bench]'.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import types

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from benchmarks import training, xla_on_gpu
from benchmarks.hlo import export, modules, steps
from benchmarks.xla_on_gpu import Step, Trouble, difference, digest
from dnnlib.tflib import xla
from training.dataset import SyntheticDataset

SIZE = steps.Size(resolution=8, minibatch=4, fmap_base=64, fmap_max=16)
TOLERANCE = 1e-4  # of the largest element
needs_jaxlib = pytest.mark.skipif(importlib.util.find_spec('jaxlib') is None, reason='needs jaxlib')


@pytest.fixture(scope='module')
def folders(tmp_path_factory):
    """Export a generator and a step of D that draws no random numbers. -> {name: path}"""
    folder = str(tmp_path_factory.mktemp('exported'))
    paths = [*export.write(folder, 'generate', SIZE, ['float32', 'mixed']),
             *export.write(folder, 'D-reg', SIZE, ['float32', 'tf32'])]
    assert not xla.is_enabled()
    return {os.path.basename(path): path for path in paths}


def module_of(path):
    """Return the HloModuleProto of an exported step."""
    return modules.parse(Step(path).hlo)


def run_there(*args, cwd):
    """Copy the program to an empty folder and run it there, as on another machine."""
    shutil.copy(xla_on_gpu.__file__, cwd)
    command = [sys.executable, 'xla_on_gpu.py', 'run', *args]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


def test_weights_are_parameters_and_nothing_large_is_a_constant(folders):
    for path in folders.values():
        about, module = Step(path).about, module_of(path)
        assert [(tuple(item['shape']), np.dtype(item['dtype'])) for item in about['inputs']] \
            == modules.parameters(module)
        assert any(item['name'].endswith('/weight') for item in about['inputs'])
        shapes = [tuple(item.shape.dimensions) for item in modules.instructions(module)
                  if item.opcode == 'constant']
        filters = [shape for shape in shapes if shape[:2] == (4, 4) and shape[3:] == (1,)]  # for all channels
        assert filters
        assert max(np.prod(shape, dtype=int) for shape in shapes if shape not in filters) <= 64


def test_steps_have_the_form_for_gpus_and_never_wait_for_the_host(folders):
    for path in folders.values():
        module = module_of(path)
        assert modules.host_transfers(module) == []
        assert any(item.feature_group_count > 1 for item in modules.instructions(module))


def test_precision_is_part_of_the_products(folders):
    def precisions(name):
        return {tuple(item.precision_config.operand_precision) for item in modules.instructions(
            module_of(folders[name])) if item.opcode in ('dot', 'convolution')}
    assert precisions('D-reg-8-b4-float32') == {(2, 2)}  # HIGHEST
    assert precisions('D-reg-8-b4-tf32') == {(0, 0)}     # DEFAULT


def test_mixed_precision_convolves_in_float16(folders):
    module = module_of(folders['generate-8-b4-mixed'])
    types = {item.shape.element_type for item in modules.instructions(module) if item.opcode == 'convolution'}
    assert 10 in types  # F16


def test_a_step_updates_what_training_updates(folders):
    """The same weights and images in the form for CPUs, with TensorFlow's own kernels."""
    step = Step(folders['D-reg-8-b4-float32'])
    with steps.built_for_xla(), tf.Graph().as_default(), tflib.create_session():
        training_set = SyntheticDataset(resolution=8, num_channels=3)
        _, _, graph, feed = training.build(training_set, **SIZE.width, minibatch=4, seed=steps.SEED)
        names = [item['name'] for item in step.about['inputs']]
        arrays = dict(zip(names, step.arrays(), strict=True))
        variables = {var.op.name: var for var in tf.global_variables()}
        tflib.set_vars({variables[name]: array for name, array in arrays.items() if name in variables})
        tflib.run(graph.D_reg, {**feed, graph.inputs.step: 7, graph.inputs.D_lrate: 0.002})
        for output, expected in zip(step.about['outputs'], step.about['expected'], strict=True):
            if output['input'] is not None:
                ours = digest(tflib.run(variables[output['name']]))
                assert difference(ours, expected) < TOLERANCE, output['name']


def test_arrays_follow_from_the_seed(folders):
    first, second = (Step(folders['D-reg-8-b4-float32']).arrays() for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert np.std(first[-1]) < 10


def test_differences_are_relative_to_the_largest_element():
    x = np.float32([1, -4, 2])
    assert difference(digest(x + 0.004), digest(x)) == pytest.approx(1e-3, rel=1e-3)
    assert difference(digest(x * np.nan), digest(x)) == np.inf
    assert difference(digest(np.zeros(0)), digest(np.zeros(0))) == 0


def flipped(path, name):
    """Change a byte in the middle of a file."""
    with open(os.path.join(path, name), 'r+b') as file:
        data = bytearray(file.read())
        data[len(data) // 2] ^= 255
        file.seek(0)
        file.write(data)


@pytest.mark.parametrize('damage, message', [
    (lambda path: os.remove(os.path.join(path, 'step.hlo')), 'No such file'),
    (lambda path: flipped(path, 'step.hlo'), 'step.hlo is damaged: its checksum differs'),
    (lambda path: open(os.path.join(path, 'step.json'), 'w').close(), 'step.json is damaged'),
    (lambda path: shutil.rmtree(path), 'expected a folder that `export` wrote'),
    (lambda path: edit(path, format=99), 'has format 99'),
    (lambda path: edit(path, inputs=[{}]), 'step.json is damaged'),
    (lambda path: remove(path, 'minibatch'), 'step.json is damaged'),
    (lambda path: remove(path, 'expected'), 'step.json is damaged'),
    (lambda path: edit(path, expected=[{}] * 99), 'step.json is damaged'),
])
def test_damaged_folders_are_named(folders, tmp_path, damage, message):
    path = str(tmp_path / 'step')
    shutil.copytree(folders['generate-8-b4-float32'], path)
    damage(path)
    with pytest.raises(Trouble, match=message) as trouble:
        Step(path)
    assert path in str(trouble.value)


def edit(path, **changes):
    """Change entries of step.json."""
    name = os.path.join(path, 'step.json')
    with open(name) as file:
        content = json.load(file)
    with open(name, 'w') as file:
        json.dump({**content, **changes}, file)


def remove(path, key):
    """Remove an entry of step.json."""
    name = os.path.join(path, 'step.json')
    with open(name) as file:
        content = json.load(file)
    del content[key]
    with open(name, 'w') as file:
        json.dump(content, file)


class FakeXla:
    """Stands for a jaxlib whose clients are functions."""
    _find_device, _ways_to_devices = xla_on_gpu.Xla._find_device, xla_on_gpu.Xla._ways_to_devices
    _jax = None

    def __init__(self, clients):
        self._clients = clients

    def get(self, name):
        return self._clients.get(name)

    def _plugin_client(self, path):
        return self._clients[path]()


def client():
    """Return a client with one device."""
    return types.SimpleNamespace(local_devices=lambda: ['device'])


def fail():
    """Fail in a way that no version is known to."""
    raise NotImplementedError('too old')


def test_every_way_to_a_gpu_is_tried_and_reasons_are_told(monkeypatch, capsys):
    monkeypatch.setattr(xla_on_gpu, '_cuda_plugins', lambda: ['cuda13', 'cuda12'])
    clients = {'make_gpu_client': fail, 'cuda13': fail, 'cuda12': client, 'make_cpu_client': client}
    assert FakeXla(clients)._find_device('auto') == 'device'
    assert capsys.readouterr().err == ''
    assert FakeXla({**clients, 'cuda12': fail})._find_device('auto') == 'device'
    assert capsys.readouterr().err.count('too old') == 3
    with pytest.raises(Trouble, match='no gpu device: gpu: too old; gpu: too old; gpu: too old'):
        FakeXla({**clients, 'cuda12': fail})._find_device('gpu')
    monkeypatch.setattr(xla_on_gpu, '_cuda_plugins', list)
    with pytest.raises(Trouble, match='has no plugin'):
        FakeXla({'make_cpu_client': client})._find_device('gpu')


@pytest.mark.parametrize('error, status, message', [
    (KeyboardInterrupt(), 130, ''), (Trouble('step: it is lost'), 1, 'Error: step: it is lost')])
def test_what_has_been_measured_is_shown_whatever_happens(
        error, status, message, folders, tmp_path, monkeypatch, capsys):
    measured = iter([({'compile_seconds': 1.0, 'planned_bytes': None, 'seconds': dict.fromkeys(
        ('min', 'median', 'max'), 1.0)}, []), error])

    def measure(*_args):
        result = next(measured)
        if isinstance(result, BaseException):
            raise result
        return result

    monkeypatch.setattr(xla_on_gpu, 'measure', measure)
    monkeypatch.setattr(xla_on_gpu, 'Xla', lambda device: types.SimpleNamespace(card='card', versions={}))
    with pytest.raises(SystemExit, match=str(status)):
        xla_on_gpu.main(['run', *folders.values()][:3] + [f'--json={tmp_path}/out.json'])
    output = capsys.readouterr()
    assert message in output.err and '| 1000 (1000-1000) |' in output.out
    assert json.loads((tmp_path / 'out.json').read_text())['steps'][0]['compile_seconds'] == 1
    assert os.listdir(tmp_path) == ['out.json']


def test_without_jaxlib_one_line_says_so(folders, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, 'jaxlib', None)
    with pytest.raises(SystemExit, match='2'):
        xla_on_gpu.main(['run', folders['D-reg-8-b4-tf32']])
    error = capsys.readouterr().err
    assert error.startswith('Error: jaxlib cannot be imported')
    assert error.count('\n') == 1


@pytest.mark.parametrize('flags, message', [
    (['export', 'x', '--resolution=12'], 'expected a power of two such as 128 or 256, not 12'),
    (['export', 'x', '--steps=G,H'], "expected one of generate, G, D, G-reg, D-reg, not 'H'"),
    (['export', 'x', '--precision=half'], "expected one of float32, tf32, mixed, not 'half'"),
    (['export', 'x', '--images=0'], "expected a whole number of at least 1, not '0'"),
    (['export', 'x', '--minibatch=0'], 'argument --minibatch: expected a whole number of at least 1'),
    (['run'], 'the following arguments are required: FOLDER'),
    (['run', 'x', '--json=no/x.json'], '--json=no/x.json: its folder is missing or cannot be written to'),
    (['run', 'x', '--seconds=soon'], "--seconds: expected a number of at least 0, not 'soon'"),
    (['run', 'x', '--seconds=-1'], "--seconds: expected a number of at least 0, not '-1'"),
])
def test_wrong_command_lines_end_in_one_line(flags, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match='2'):
        xla_on_gpu.main(flags)
    error = capsys.readouterr().err
    assert error.startswith('Error: ')
    assert message in error
    assert error.count('\n') == 1
    assert os.listdir() == []


@needs_jaxlib
def test_jaxlib_alone_computes_what_tensorflow_computes(folders, tmp_path):
    paths = [folders[name] for name in ('generate-8-b4-float32', 'D-reg-8-b4-float32')]
    result = run_there(*paths, '--device=cpu', '--seconds=0', '--json=out.json', cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert '| D-reg | 8 | 4 | float32 |' in result.stdout
    rows = json.loads((tmp_path / 'out.json').read_text())['steps']
    assert all(row['difference'] < TOLERANCE and row['calls'] == 1 for row in rows)


@needs_jaxlib
def test_a_missing_gpu_and_unreadable_code_end_in_one_line(folders, tmp_path):
    path = str(tmp_path / 'step')
    shutil.copytree(folders['generate-8-b4-float32'], path)
    data = export.compressed(b'no module')
    (tmp_path / 'step' / 'step.hlo').write_bytes(data)
    edit(path, sha256=export.checksum(data))
    for flags, status, message in [
            (['--device=gpu'], 2, 'no gpu device'), (['--device=cpu'], 1, 'cannot compile it')]:
        result = run_there(path, *flags, cwd=tmp_path)
        assert result.returncode == status
        error = [line for line in result.stderr.splitlines() if line.startswith('Error')]
        assert len(error) == 1 and message in error[0]
