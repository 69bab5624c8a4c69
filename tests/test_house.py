"""The rules of CONTRIBUTING.md about who may import whom."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parent.parent
PACKAGES = ('dnnlib', 'training', 'metrics')
MODULES = sorted(path for folder in PACKAGES for path in (ROOT / folder).rglob('*.py'))
SCRIPTS = sorted(ROOT.glob('*.py'))

# From the ground up; a module imports from its own floor and those below. The first prefix that fits counts.
FLOORS = [
    ('dnnlib.files', 0), ('dnnlib.util', 0), ('dnnlib.cli', 1), ('dnnlib.progress', 1),
    ('dnnlib.submission', 1), ('dnnlib.workers', 1),
    ('dnnlib.tflib.tfutil', 1), ('dnnlib.tflib.ops', 2), ('dnnlib.tflib', 3), ('dnnlib', 3),
    ('training.training_loop', 7), ('metrics', 6),
    ('training.networks_', 4), ('training.dataset', 4), ('training.misc', 4), ('training.tfrecord_export', 4),
    ('training.record_stream', 4),
    ('training', 5),
]


def _name(path):
    return '.'.join(path.relative_to(ROOT).with_suffix('').parts).removesuffix('.__init__')


def _imports(path):
    """Dotted names of the modules that are imported at module level, relative ones resolved."""
    package = _name(path).split('.')
    package = package if path.name == '__init__.py' else package[:-1]
    known = {_name(module) for module in MODULES}
    for node in ast.parse(path.read_text(encoding='utf-8')).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[:len(package) - node.level + 1] if node.level else []
            source = '.'.join(base + ([node.module] if node.module else []))
            modules = [f'{source}.{alias.name}' for alias in node.names if f'{source}.{alias.name}' in known]
            yield from modules or [source]


def _floor(module):
    return next((floor for prefix, floor in FLOORS if module == prefix or module.startswith(prefix)), None)


@pytest.mark.parametrize('path', MODULES, ids=_name)
def test_modules_import_downwards_only(path):
    if path.name == '__init__.py':
        return
    name = _name(path)
    floors = {target: _floor(target) for target in _imports(path) if not name.startswith(target + '.')}
    above = [target for target, floor in floors.items() if floor is not None and floor > _floor(name)]
    assert not above, f'{name} imports upwards'


@pytest.mark.parametrize('path', [path for path in MODULES if path.name.startswith('networks_')], ids=_name)
def test_networks_import_only_what_their_pickles_can_rely_on(path):
    allowed = ('dataclasses', 'numpy', 'tensorflow', 'dnnlib')
    assert {target.split('.')[0] for target in _imports(path)} <= set(allowed)


@pytest.mark.parametrize('path', MODULES + SCRIPTS, ids=_name)
def test_tensorflow_comes_in_one_way(path):
    for target in _imports(path):
        assert not target.startswith('tensorflow') or target == 'tensorflow.compat.v1', target


@pytest.mark.parametrize('name', ['dnnlib', 'dnnlib.cli', 'run_training'])
def test_parsing_a_command_line_does_not_load_tensorflow(name):
    """Help and errors come at once."""
    seen, todo = set(), [name]
    while todo:
        module = todo.pop()
        seen.add(module)
        paths = [ROOT / (module.replace('.', '/') + suffix) for suffix in ('.py', '/__init__.py')]
        path = next((path for path in paths if path.exists()), None)
        todo += [target for target in (_imports(path) if path else ()) if target not in seen]
    assert not [module for module in seen if module.startswith('tensorflow')]
