"""The source text that a pickle stores of a network: one module that builds wherever the published code does.

Readers elsewhere execute that text. Our networks share their layers, which nobody else has, and are written
for current Python. So the text of a module of networks is that module behind everything it uses of `dnnlib`,
in words that Python 3.6 and TensorFlow 1.14 know too. It imports `os`, NumPy, TensorFlow and, for their
published names, `dnnlib` and `dnnlib.tflib`.
"""

import ast
import builtins
import functools
import graphlib
import importlib.util
import inspect
import os
import symtable
import sys

from dnnlib.pickles import older_python
from dnnlib.pickles.older_python import Source

NETWORKS = 'training.networks_'  # modules that are stored together with what they use
_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_SHARED = ('dnnlib.', 'training.layers')  # what they use of these goes into the text, too
KEPT_IMPORTS = ('os', 'numpy', 'tensorflow.compat.v1', 'dnnlib', 'dnnlib.tflib')

# Readers tell by these functions whose networks a text holds: layers must not have their names.
MARKERS = ('G_style', 'G_paper', 'G_synthesis_stylegan2', 'D_main', 'normalize_2nd_moment')

_HEADING = 'and the layers that it uses, as they were when the network was stored.'
_NOTE = f"""

{{name}} {_HEADING}
For TensorFlow 1.14 and Python 3.6 or newer.
"""


class _NotSelfContained(Exception):
    """A module cannot be taken apart and put together again."""


@functools.cache
def of_module(module) -> str:
    """The text to store of a network whose build function is in this module.

    Modules of users are stored as they stand, and so is what cannot be taken apart here.
    """
    if module.__name__.startswith(NETWORKS):
        try:
            return _self_contained(_module(module.__name__))
        except (_NotSelfContained, SyntaxError, graphlib.CycleError):
            pass
    return inspect.getsource(module)


def has_heading(text: str) -> bool:
    """Does a text say, as those that `of_module` makes, that it was written by this project?"""
    return _HEADING in text[:1000]


def of_name(name: str) -> str:
    """The text to store of a network of this project's module of that name, which need not be loaded."""
    return _self_contained(_module(name))


def _path(name):
    """Path of a module of this project; None if it has none of that name."""
    base = os.path.join(_ROOT, *name.split('.'))
    return next((path for path in (f'{base}.py', os.path.join(base, '__init__.py')) if os.path.isfile(path)),
                None)


@functools.cache
def _is_module(name):
    return name in sys.modules or _path(name) is not None


def _read(name):
    """Source text of a module."""
    if name in sys.modules:
        return inspect.getsource(sys.modules[name])
    with open(_path(name), encoding='utf-8') as file:
        return file.read()


class _Module:
    """The top level of a module, in older Python."""

    def __init__(self, name):
        self.name = name
        self.source = Source(older_python.translated(_read(name)))
        statements = self.source.tree.body
        self.docstring = ast.get_docstring(self.source.tree) or 'Networks.'
        self.definitions = dict(_definitions(statements))  # name: statement
        self.imports = dict(_imports(statements, name.rpartition('.')[0]))  # alias: dotted name
        # By name, [(expression, (module, name) that it stands for, names that are local there)].
        self.references = {name: list(self._references(statement, frozenset()))
                           for name, statement in self.definitions.items()}

    def _references(self, node, local):
        if _scope_bindings(node):
            local = local | _scope_bindings(node)
        origin = self.origin(node, local)
        if origin:
            yield node, origin, local
        else:
            for child in ast.iter_child_nodes(node):
                yield from self._references(child, local)

    def origin(self, node, local=frozenset()):
        """(module, name) if this expression is something that one of our modules defines, else None."""
        owner = node.value if isinstance(node, ast.Attribute) else node
        if not isinstance(owner, ast.Name) or owner.id in local:
            return None
        if owner is node and node.id in self.definitions:
            return self.name, node.id
        target = self.imports.get(owner.id, '')
        if not target.startswith(_SHARED) or target in KEPT_IMPORTS:
            return None
        if owner is node:
            return None if _is_module(target) else tuple(target.rsplit('.', 1))
        return (target, node.attr) if _is_module(target) else None

    def text(self, name, names):
        """A definition, with new names for itself and for what it refers to. `names`: by origin."""
        statement = self.definitions[name]
        edits = []
        for node, origin, local in self.references[name]:
            if names[origin] in local:
                raise _NotSelfContained(f'{self.name}.{name}: {names[origin]} is something else in there')
            edits.append((self.source.start(node), self.source.end(node), names[origin]))
        if not isinstance(statement, ast.Assign):
            keyword = 'class ' if isinstance(statement, ast.ClassDef) else 'def '
            start = self.source.start(statement) + len(keyword)
            edits.append((start, start + len(name), names[self.name, name]))
        return self.source.edited(edits, *self.source.whole_lines(statement))


_module = functools.cache(_Module)


def _definitions(statements):
    """(name, statement) of functions, classes and constants."""
    for statement in statements:
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            yield statement.name, statement
        elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            yield statement.targets[0].id, statement
        elif not isinstance(statement, (ast.Import, ast.ImportFrom)) and not _is_docstring(statement):
            raise _NotSelfContained(f'line {statement.lineno}: neither a definition nor an import')


def _is_docstring(statement):
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _imports(statements, package):
    """(alias, dotted name) of what a module imports."""
    for statement in statements:
        if isinstance(statement, ast.Import):
            yield from ((alias.asname or alias.name, alias.name) for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom):
            source = importlib.util.resolve_name('.' * statement.level + (statement.module or ''), package)
            yield from ((alias.asname or alias.name, f'{source}.{alias.name}') for alias in statement.names)


_SCOPES = (ast.FunctionDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def _scope_bindings(node):
    """Names that a function or comprehension makes its own. Defaults and decorators count as inside."""
    if not isinstance(node, _SCOPES):
        return frozenset()
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
    return frozenset(names)


def _self_contained(main):
    """One text of a module and all that it uses."""
    needed = _reachable(main)
    names = _final_names(main, needed)
    parts = [_module(module).text(name, names) for module, name in needed]
    body = '\n\n\n'.join(parts)
    docstring = f'"""{main.docstring}{_NOTE.format(name=main.name)}"""'
    imports = '\n'.join(_import_lines(main, needed, body))
    text = f'{docstring}\n\n{imports}\n\n\n{body}\n'
    undefined = _global_names(text)
    if undefined:
        raise _NotSelfContained(f'{main.name} uses {", ".join(sorted(undefined))}')
    return text


def _import_lines(main, needed, body):
    """The imports that the body needs."""
    used = _global_names(body)
    modules = [main, *(_module(module) for module, _ in needed)]
    imports = {(KEPT_IMPORTS.index(target), alias) for module in modules
               for alias, target in module.imports.items() if target in KEPT_IMPORTS and alias in used}
    lines = [(KEPT_IMPORTS[index], alias) for index, alias in sorted(imports)]
    return [f'import {target}' + ('' if target == alias else f' as {alias}') for target, alias in lines]


def _reachable(main):
    """[(module, name)] of what the definitions of a module need; modules come after those that they use."""
    found, todo = set(), [(main.name, name) for name in main.definitions if name != '__all__']
    while todo:
        module, name = origin = todo.pop()
        if name not in _module(module).definitions:
            raise _NotSelfContained(f'{module}.{name} is not defined there')
        if origin not in found:
            found.add(origin)
            todo += [used for _, used, _ in _module(module).references[name]]
    uses = {module: [] for module, _ in sorted(found)}
    for module, name in sorted(found):
        uses[module] += [used for _, (used, _), _ in _module(module).references[name] if used != module]
    return [(module, name) for module in graphlib.TopologicalSorter(uses).static_order()
            for name in _module(module).definitions if (module, name) in found]


def _final_names(main, needed):
    """{(module, name): name in the text}. The main module's names stay; others that are taken get longer."""
    names = {(main.name, name): name for name in main.definitions}
    for alias in main.imports:
        origin = main.origin(ast.Name(alias))
        if origin:
            names[origin] = alias
    taken = {*main.definitions, *main.imports, *MARKERS}
    for module, name in needed:
        if (module, name) not in names:
            new_name = '_'.join([*module.split('.')[2:], name]) if name in taken else name
            if new_name in taken:
                raise _NotSelfContained(f'{module}.{name}: no name is left for it')
            taken.add(new_name)
            names[module, name] = new_name
    return names


def _global_names(text):
    """Names that a text uses and neither defines nor imports, apart from those of Python itself."""
    tables = [symtable.symtable(text, 'stored source', 'exec')]
    defined = {symbol.get_name() for symbol in tables[0].get_symbols()
               if symbol.is_assigned() or symbol.is_imported()}
    for table in tables:
        tables += table.get_children()
    used = {symbol.get_name() for table in tables for symbol in table.get_symbols()
            if symbol.is_global() and symbol.is_referenced()}
    return used - defined - set(dir(builtins))
