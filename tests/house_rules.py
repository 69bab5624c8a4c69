"""Check the rules of CONTRIBUTING.md about imports and sizes in files below a root folder."""

import ast
import graphlib
import importlib.util
import re

MAX_BODY_LINES, MAX_NESTING, MAX_COLUMNS = 60, 3, 110

_RESERVING = {'Session', 'InteractiveSession', 'MonitoredSession', 'MonitoredTrainingSession', 'Supervisor',
              'Server', 'ConfigProto', 'list_local_devices', 'list_logical_devices'}
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)


def name_of(path, root):
    """Return the dotted name of the module in a file."""
    return '.'.join(path.relative_to(root).with_suffix('').parts).removesuffix('.__init__')


def imports(path, root, known):
    """Yield the dotted names of the modules that a file imports outside functions.

    Relative names are resolved. `from x import y` yields x.y if `known` contains it, else x. A plain `import
    x` inside the package x yields nothing, as x is already being loaded.
    """
    name = name_of(path, root)
    package = name if path.name == '__init__.py' else name.rpartition('.')[0]
    for node in _outside_functions(_parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if not _is_inside(name, alias.name))
        elif isinstance(node, ast.ImportFrom):
            source = importlib.util.resolve_name('.' * node.level + (node.module or ''), package)
            names = [f'{source}.{alias.name}' for alias in node.names]
            yield from (each if each in known else source for each in names)


def all_imports(path):
    """Yield the dotted names that a file imports, inside functions as well; no relative ones."""
    for node in ast.walk(_parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module


def loaded(path, root, known):
    """Return the names from `imports` and all packages around them, which load first, except packages around
    the file itself."""
    name = name_of(path, root)
    targets = set(imports(path, root, known))
    return targets | {package for target in targets for package in _packages_around(target)
                      if not _is_inside(name, package)}


def sessions(path):
    """Yield the names of functions that a file calls and that reserve the memory of GPUs: sessions, servers,
    their settings, and lists of devices."""
    for node in ast.walk(_parsed(path)):
        if isinstance(node, ast.Call):
            owner, _, name = ast.unparse(node.func).rpartition('.')
            if name in _RESERVING and owner != 'requests':
                yield name


def _packages_around(name):
    parts = name.split('.')
    return ['.'.join(parts[:count]) for count in range(1, len(parts))]


def _is_inside(name, package):
    return f'{name}.'.startswith(f'{package}.')


def circle(paths, root):
    """Return the names of modules that import each other in a circle, in order, or [] if there is none."""
    files = {name_of(path, root): path for path in paths}
    graph = {name: loaded(path, root, files) for name, path in files.items()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1][::-1]
    return []


def oversized(path, max_lines):
    """Yield descriptions of everything in a file that exceeds the limits."""
    lines = path.read_text(encoding='utf-8').splitlines()
    if len(lines) > max_lines:
        yield f'{len(lines)} lines, more than {max_lines}'
    for number, line in enumerate(lines, 1):
        columns = len(re.sub(r'  # noqa\b.*', '', line))
        if columns > MAX_COLUMNS:
            yield f'line {number}: {columns} columns, more than {MAX_COLUMNS}'
    for node in ast.walk(_parsed(path)):
        if isinstance(node, _FUNCTIONS):
            body_lines = node.end_lineno - node.body[0].lineno + 1  # excludes the parameter list
            if body_lines > MAX_BODY_LINES:
                yield f'{node.name}: {body_lines} lines, more than {MAX_BODY_LINES}'
            if _nesting(node) > MAX_NESTING:
                yield f'{node.name}: {_nesting(node)} blocks inside one another, more than {MAX_NESTING}'


def _nesting(node):
    """Return the maximum nesting depth of blocks. Inner functions are counted separately."""
    children = [child for child in ast.iter_child_nodes(node) if not isinstance(child, _FUNCTIONS)]
    depths = [_nesting(child) - _is_elif(node, child) for child in children]
    return max(depths, default=0) + isinstance(node, _BLOCKS)


def _is_elif(node, child):
    return isinstance(node, ast.If) and isinstance(child, ast.If) and node.orelse == [child]


def _outside_functions(node):
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, _FUNCTIONS):
            yield child
            yield from _outside_functions(child)


def _parsed(path):
    return ast.parse(path.read_text(encoding='utf-8'))
