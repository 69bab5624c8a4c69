"""Test what is said where required packages are missing."""

import os
import pathlib
import subprocess
import sys

import pytest

from dnnlib import cli, required_packages

ROOT = pathlib.Path(required_packages.__file__).parent.parent


@pytest.mark.parametrize('command', [['-m', 'dnnlib.doctor'], ['run_training.py', '--help'],
                                     ['run_generator.py', '--help'], ['dataset_tool.py', '--help']])
def test_a_python_without_packages_is_told_what_installs_them(command):
    """With -S, Python finds no installed package."""
    done = subprocess.run([sys.executable, '-S', *command], cwd=ROOT, capture_output=True, text=True,
                          check=False)
    assert (done.returncode, done.stdout) == (2, '')
    assert done.stderr == (f'Error: not installed in {sys.executable}: numpy, pillow, requests, scipy; '
                           f'{required_packages.ADVICE}\n')


@pytest.mark.parametrize('command', [['-m', 'dnnlib.doctor'], ['run_training.py', '--help']])
def test_a_broken_numpy_is_one_line(command, tmp_path):
    (tmp_path / 'numpy').mkdir()
    (tmp_path / 'numpy/__init__.py').write_text('raise ImportError("libopenblas.so.0: no such\\n file")')
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False,
                          env={**os.environ, 'PYTHONPATH': str(tmp_path)})
    assert (done.returncode, done.stdout) == (2, '')
    assert done.stderr == ('Error: NumPy is broken: libopenblas.so.0: no such file; '
                           f'{required_packages.ADVICE}\n')


def test_a_program_that_imports_dnnlib_gets_an_exception():
    done = subprocess.run([sys.executable, '-S', '-c', 'import dnnlib'], cwd=ROOT, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 1 and 'ModuleNotFoundError: not installed in' in done.stderr


def test_a_missing_tensorflow_is_one_line():
    error = ModuleNotFoundError("No module named 'tensorflow'", name='tensorflow')
    assert cli.line_for(error) == (
        f'Error: not installed in {sys.executable}: tensorflow; {required_packages.ADVICE}')
    assert cli.line_for(ModuleNotFoundError("No module named 'x'", name='x')) is None
