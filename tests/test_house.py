"""Test the rules of CONTRIBUTING.md about imports and sizes."""

import pathlib
import sys

import pytest

from tests import house_rules

ROOT = pathlib.Path(__file__).parent.parent
PACKAGES = ('dnnlib', 'training', 'metrics', 'bridges', 'latents', 'reports')
MODULES = sorted(path for folder in PACKAGES for path in (ROOT / folder).rglob('*.py'))
SCRIPTS = sorted(ROOT.glob('*.py'))
SCRIPT_NAMES = {path.stem for path in SCRIPTS}
EXAMPLES = sorted((ROOT / 'examples').glob('*.py'))
OTHERS = sorted(path for folder in ('tests', 'benchmarks') for path in (ROOT / folder).rglob('*.py'))

# From the bottom up. Modules import only from their own floor and lower ones. The first matching prefix
# counts.
FLOORS = [
    ('dnnlib.submission', 1), ('dnnlib.pickles', 2), ('dnnlib.tflib.tfutil', 1), ('dnnlib.tflib.ops', 2),
    ('dnnlib.tflib', 3), ('dnnlib.doctor', 2), ('dnnlib', 0),
    ('training.layers', 4), ('training.data', 4), ('training.dataset', 5), ('training.misc', 5),
    ('training.networks_', 5),
    ('training.training_loop', 8), ('metrics', 7), ('training', 6), ('bridges', 9),
    ('latents.explorer', 10), ('latents', 9), ('reports', 9),
]


def _name(path):
    return house_rules.name_of(path, ROOT)


FILES = {_name(path): path for path in MODULES + SCRIPTS}


def _imports(path):
    return house_rules.imports(path, ROOT, FILES)


def _floor(module):
    return next((floor for prefix, floor in FLOORS if _is_below(module, prefix)), None)


def _is_below(module, prefix):
    return module == prefix or module.startswith(prefix if prefix.endswith('_') else f'{prefix}.')


@pytest.mark.parametrize('path', MODULES, ids=_name)
def test_modules_import_downwards_only(path):
    name = _name(path)
    floors = {target: _floor(target) for target in _imports(path)
              if not _is_below(target, name) and not _is_below(name, target)}
    above = [target for target, floor in floors.items() if floor is not None and floor > _floor(name)]
    assert not above, f'{name} imports upwards'


@pytest.mark.parametrize('path', [path for path in MODULES if _name(path).startswith('dnnlib')], ids=_name)
def test_dnnlib_does_without_the_gans_above_it(path):
    """Not even its functions import anything else of this project."""
    assert [name for name in house_rules.all_imports(path)
            if name.split('.')[0] in {*PACKAGES[1:], *SCRIPT_NAMES}] == []


@pytest.mark.parametrize('path', [path for path in MODULES if path.name.startswith('networks_')], ids=_name)
def test_networks_import_only_what_their_pickles_can_rely_on(path):
    allowed = ('dataclasses', 'numpy', 'tensorflow', 'dnnlib', 'training.layers')
    assert [target for target in _imports(path) if not target.startswith(allowed)] == []


@pytest.mark.parametrize('path', MODULES + SCRIPTS, ids=_name)
def test_tensorflow_comes_in_one_way(path):
    for target in _imports(path):
        assert not target.startswith('tensorflow') or target == 'tensorflow.compat.v1', target


def test_all_sessions_come_from_one_place():
    """Others would take all memory of all GPUs, and the whole process would then have it so."""
    called = {_name(path): sorted(house_rules.sessions(path))
              for path in MODULES + SCRIPTS + EXAMPLES + OTHERS if path.relative_to(ROOT).parts[0] != 'tests'}
    assert {name: names for name, names in called.items() if names} == {
        'dnnlib.tflib.tfutil': ['ConfigProto', 'Session'], 'dnnlib.tflib.parallel.cluster': ['Server']}


@pytest.mark.parametrize('path', EXAMPLES, ids=_name)
def test_examples_use_public_names_and_parse_their_flags_without_tensorflow(path):
    public = {'dnnlib', 'dnnlib.progress', 'dnnlib.tflib', 'dnnlib.util', 'numpy', 'PIL.Image',
              'pretrained_networks', 'script_start', 'tensorflow.compat.v1', 'training',
              'training.misc.pictures'}
    own = {each.stem for each in EXAMPLES}
    assert not set(house_rules.all_imports(path)) - public - own - sys.stdlib_module_names
    assert not {'tensorflow.compat.v1', 'dnnlib.tflib'} & set(house_rules.imports(path, ROOT, FILES))


@pytest.mark.parametrize('name', ['dnnlib', 'dnnlib.cli', 'dnnlib.doctor.__main__', *sorted(SCRIPT_NAMES)])
def test_parsing_a_command_line_does_not_load_tensorflow(name):
    """Help and error messages should appear at once."""
    seen, todo = set(), [name]
    while todo:
        module = todo.pop()
        if module not in seen and module in FILES:
            todo += house_rules.loaded(FILES[module], ROOT, FILES)
        seen.add(module)
    assert name in FILES and len(seen) > 1
    assert not [module for module in seen if module.startswith('tensorflow')]


def test_there_are_no_circles_between_modules():
    circle = house_rules.circle(FILES.values(), ROOT)
    assert not circle, ' imports '.join(circle)


def _max_lines(path):
    if path in EXAMPLES:
        return 120
    if path.parent == ROOT and path.name.startswith('run_'):
        return 150
    return 600 if path.name.startswith('networks_') or path.relative_to(ROOT).parts[0] == 'tests' else 400


def test_nothing_is_larger_than_it_may_be():
    found = {_name(path): list(house_rules.oversized(path, _max_lines(path)))
             for path in MODULES + SCRIPTS + EXAMPLES + OTHERS}
    assert {name: what for name, what in found.items() if what} == {}
