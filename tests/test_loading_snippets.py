"""Test that the lines that docs/ prints for loading exported networks run as printed."""

import re
import subprocess
import sys

import PIL.Image
import pytest

import dnnlib.tflib as tflib
import export
from tests.golden_figures import QUICK, fresh_session
from tests.test_house import ROOT
from training import misc

GENERATOR = dict(func_name='training.networks_stylegan2.G_main', resolution=8, num_channels=1, fmap_max=4,
                 mapping_fmaps=4, mapping_layers=2)


def _blocks(name):
    """Return the Python of a page, a text for each block."""
    page = (ROOT / 'docs' / name).read_text(encoding='utf-8')
    return re.findall(r'^```python\n(.*?)^```', page, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Export a small generator by the names that the page uses."""
    folder = tmp_path_factory.mktemp('exported')
    with fresh_session(QUICK):
        misc.save_pkl(tflib.Network('Gs', **GENERATOR), str(folder / 'Gs.pkl'))
    forms = {'savedmodel': 'generator', 'onnx': 'generator.onnx', 'safetensors': 'network.safetensors'}
    for form, out in forms.items():
        with fresh_session(QUICK):
            export.main([f'--to={form}', f'--network={folder / "Gs.pkl"}', f'--out={folder / out}'])
    return folder


def _run(code, folder):
    """Run lines where this project cannot be imported. -> what they print."""
    done = subprocess.run([sys.executable, '-I', '-c', code], cwd=folder, capture_output=True, text=True,
                          timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize('package', ['tensorflow', 'onnxruntime'])
def test_the_lines_for_generators_draw_a_picture(package, folder):
    code, = (block for block in _blocks('export.md') if f'import {package}' in block)
    printed = _run(code + '\nprint(images.shape)', folder)
    assert printed.strip() == {'tensorflow': '(4, 8, 8, 1)', 'onnxruntime': '(4, 1, 8, 8)'}[package]
    with PIL.Image.open(folder / 'image.png') as picture:
        assert (picture.size, picture.mode) == ((8, 8), 'L')
    (folder / 'image.png').unlink()


def test_the_lines_for_safetensors_find_the_tensors(folder):
    code, = (block for block in _blocks('export.md') if 'safetensors.numpy' in block)
    assert _run(code, folder).split(maxsplit=1)[1].strip() == '(512,)'


def test_the_lines_for_pytorch_are_those_that_are_tested_with_pytorch():
    tested = (ROOT / 'tests' / 'pytorch' / 'loading.py').read_text(encoding='utf-8')
    assert re.sub(r'^""".*?"""\n\n', '', tested, flags=re.DOTALL) in _blocks('pytorch.md')
