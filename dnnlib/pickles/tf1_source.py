"""The source text of a module of networks with everything that it uses, for the published code bases.

Those execute the text that they find in a pickle, and have none of our layers. So the text holds all
definitions that the module needs of `training.layers` and `dnnlib`, in Python 3.6 and without comments. It
imports NumPy, TensorFlow, `operator` and, for their published names, `dnnlib` and `dnnlib.tflib`.
"""

import ast
import copy
import functools
import pathlib

from dnnlib.pickles.older_python import translated

MARKERS = ('G_style', 'G_paper', 'G_synthesis_stylegan2', 'D_main', 'normalize_2nd_moment')
IMPORTS = {'np': 'import numpy as np', 'tf': 'import tensorflow.compat.v1 as tf', 'dnnlib': 'import dnnlib',
           'tflib': 'import dnnlib.tflib as tflib', 'operator': 'import operator'}
_INLINED = ('dnnlib.', 'training.layers.')
_ROOT = pathlib.Path(__file__).parents[2]
_TF1_OPS = 'dnnlib.tflib.ops.tf1_ops'


def of_name(name: str, heading: str) -> str:
    """Return the text of the module of this name and all that it uses. heading: ends its docstring.

    Its own names stay; of other modules, a name that is taken gets longer. No layer gets one of the names by
    which `dnnlib.pickles.origin` tells whose networks a text holds.
    """
    main, seen, needed = _module(name), set(), []
    for definition in main.definitions:
        _collect((name, definition), seen, needed)
    names, taken = {}, {*main.definitions, *IMPORTS, *MARKERS}
    for module, definition in needed:
        is_free = module == name or definition not in taken
        names[module, definition] = definition if is_free else '_'.join([*module.split('.')[1:], definition])
        taken.add(names[module, definition])
    assert len(set(names.values())) == len(names)
    body = [_Renamer(_module(module), names).renamed(definition) for module, definition in needed]
    used = {node.id for statement in body for node in ast.walk(statement) if isinstance(node, ast.Name)}
    imports = [line for alias, line in IMPORTS.items() if alias in used]
    docstring = f'"""{ast.get_docstring(main.tree)}\n\n{heading}\n"""\n'
    return '\n'.join([docstring, *imports, *(f'\n\n{ast.unparse(statement)}' for statement in body), ''])


class _Module:
    """A module's definitions and imports, in Python 3.6."""

    def __init__(self, name):
        self.name = name
        self.tree = translated(ast.parse(_path(name).read_text(encoding='utf-8')))
        self.definitions, self.imports = {}, {}  # {name: statement}, {alias: dotted name}
        for statement in self.tree.body:
            if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
                self.definitions[statement.name] = statement
            elif isinstance(statement, ast.Assign) and statement.targets[0].id != '__all__':
                self.definitions[statement.targets[0].id] = statement
            elif isinstance(statement, (ast.Import, ast.ImportFrom)):
                source = f'{statement.module}.' if isinstance(statement, ast.ImportFrom) else ''
                self.imports |= {each.asname or each.name: source + each.name for each in statement.names}

    def origin(self, node):
        """Return (module, name) if this expression is something that one of our modules defines, else
        None."""
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            target = f'{self.imports.get(node.value.id, "")}.{node.attr}'
        else:
            name = getattr(node, 'id', '')
            target = f'{self.name}.{name}' if name in self.definitions else self.imports.get(name, '')
        module, _, name = target.rpartition('.')
        has_plain_form = module.startswith(('dnnlib.tflib.ops.', 'dnnlib.tflib.xla'))
        if has_plain_form and name in _module(_TF1_OPS).definitions:
            return _TF1_OPS, name
        if module == self.name:
            return module, name
        is_published = module in ('dnnlib', 'dnnlib.tflib')
        if is_published or not target.startswith(_INLINED) or not _path(module).exists():
            return None
        return _module(module).origin(ast.Name(name))


_module = functools.cache(_Module)


def _path(name):
    return (_ROOT / name.replace('.', '/')).with_suffix('.py')


class _Renamer(ast.NodeTransformer):
    """Gives definitions of a module, and all that they refer to, the names {origin: name in the text}."""

    def __init__(self, module, names):
        self._module, self._names = module, names
        self._local = frozenset()

    def renamed(self, name):
        """Return a definition with its new names."""
        statement = copy.deepcopy(self._module.definitions[name])
        if not isinstance(statement, ast.Assign):
            statement.name = self._names[self._module.name, name]
        return self.visit(statement)

    def _visit_reference(self, node):
        origin = None if getattr(node, 'id', None) in self._local else self._module.origin(node)
        if origin is None:
            return self.generic_visit(node)
        assert self._names[origin] not in self._local, f'{origin} is something else in there'
        return ast.Name(self._names[origin], node.ctx)

    def _visit_scope(self, node):
        outer, self._local = self._local, self._local | _bindings(node)
        node = self.generic_visit(node)
        self._local = outer
        return node

    visit_Name = visit_Attribute = _visit_reference
    visit_FunctionDef = visit_Lambda = _visit_scope
    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _visit_scope


_SCOPES = (ast.FunctionDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def _bindings(node):
    """Return the names that a function or comprehension binds. Its defaults and decorators count as
    inside."""
    names, todo = set(), list(ast.iter_child_nodes(node))
    while todo:
        child = todo.pop()
        if isinstance(child, ast.arg):
            names.add(child.arg)
        elif isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
            names.add(child.id)
        elif isinstance(child, (ast.FunctionDef, ast.ClassDef)):
            names.add(child.name)
        if not isinstance(child, _SCOPES):
            todo += ast.iter_child_nodes(child)
    return names


class _References(dict):
    """Names for a `_Renamer`, of which only the origins count."""

    def __missing__(self, origin):
        return self.setdefault(origin, str(origin))


def _collect(origin, seen, needed):
    """Append a definition to `needed`, after all that it refers to."""
    if origin in seen:
        return
    seen.add(origin)
    references = _References()
    _Renamer(_module(origin[0]), references).renamed(origin[1])
    for reference in references:
        _collect(reference, seen, needed)
    needed.append(origin)
