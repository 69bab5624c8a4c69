"""Test the source text stored with networks, which is their unchanged module below a heading."""

import importlib
import inspect
import subprocess
import sys

import pytest

import dnnlib.tflib as tflib
from dnnlib.pickles import source_text
from tests import small_networks
from tests.test_house import ROOT

ADA = 'networks_stylegan2_ada'
MODULES = ('networks_stylegan2', 'networks_stylegan', 'networks_progan', ADA)


@pytest.mark.parametrize('name', [name for name in MODULES if name != ADA])
def test_our_modules_are_stored_below_a_line_with_their_name_and_version(name):
    module = importlib.import_module(f'training.{name}')
    heading, _, rest = source_text.of_module(module).partition('\n')
    assert heading == (f'# training.{name} of stylegan-tf {source_text.VERSION}; '
                       '`python export.py --to=tf1` makes it self-contained.')
    assert rest == inspect.getsource(module)
    assert source_text.of_module(module) is source_text.of_module(module), 'pickles hold it once'


def test_modules_of_users_are_stored_as_they_stand():
    text = source_text.of_module(small_networks)
    assert text == inspect.getsource(small_networks)
    assert not source_text.is_ours(text)


@pytest.mark.parametrize('name', MODULES)
def test_texts_of_this_project_are_recognized(name):
    plain, exported = source_text.of_name(f'training.{name}'), source_text.self_contained(f'training.{name}')
    assert [source_text.is_ours(text) for text in (plain, exported)] == [True, True]
    assert [source_text.is_self_contained(text) for text in (plain, exported)] == [name == ADA, True]


def test_networks_of_stylegan2_ada_are_stored_with_the_text_that_its_published_code_runs():
    module = importlib.import_module(f'training.{ADA}')
    text = source_text.of_module(module)
    assert text == source_text.self_contained(f'training.{ADA}')
    assert source_text.of_module(module) is text, 'pickles hold it once'


def test_a_network_named_by_another_module_is_stored_with_the_text_of_its_own(session):
    D = tflib.Network('D', func_name='training.networks.D_main', resolution=8, fmap_max=4)
    assert D.__getstate__()['build_module_src'] == source_text.self_contained(f'training.{ADA}')


def test_texts_are_the_same_whether_tensorflow_is_loaded_or_not():
    code = ('import sys; from dnnlib.pickles import source_text\n'
            'for name in sys.argv[1:]:\n'
            '    sys.stdout.write(source_text.of_name(f"training.{name}"))\n'
            'assert "tensorflow" not in sys.modules')
    done = subprocess.run([sys.executable, '-c', code, *MODULES], cwd=ROOT, stdout=subprocess.PIPE,
                          encoding='utf-8', check=True)
    modules = [importlib.import_module(f'training.{name}') for name in MODULES]
    assert done.stdout == ''.join(map(source_text.of_module, modules))
