"""Source text in the words of Python 3.6 and TensorFlow 1.14.

Only what the networks and their layers are written in is translated: annotations and the decorators of
`functools` go, dataclasses become ordinary classes with the same constructor, `zip` does not compare lengths,
and functions of TensorFlow get the names that they had.
"""

import ast
import itertools

# By their names today; the older ones exist in both.
TENSORFLOW_NAMES = {
    'tf.config.list_physical_devices': 'tf.config.experimental.list_physical_devices',
}


class Source:
    """A text and its syntax tree. Positions are in bytes, as those of the tree."""

    def __init__(self, text):
        self.tree = ast.parse(text)
        self._bytes = text.encode()
        self._lines = self._bytes.splitlines(keepends=True)
        self._line_starts = [0, *itertools.accumulate(map(len, self._lines))]

    def start(self, node):
        return self._line_starts[node.lineno - 1] + node.col_offset

    def end(self, node):
        return self._line_starts[node.end_lineno - 1] + node.end_col_offset

    def text(self, node):
        """The text of an expression."""
        return self._bytes[self.start(node):self.end(node)].decode()

    def find_before(self, mark, node):
        """Position of the last mark in front of a node."""
        return self._bytes.rindex(mark.encode(), 0, self.start(node))

    def skip_blanks(self, position):
        """Position of the next character that is not white space."""
        return len(self._bytes) - len(self._bytes[position:].lstrip())

    def whole_lines(self, statement):
        """(start, end) of the lines of a statement, with its decorators and the comment above."""
        decorators = getattr(statement, 'decorator_list', [])
        first = min(node.lineno for node in [statement, *decorators]) - 1
        while first > 0 and self._lines[first - 1].startswith(b'#'):
            first -= 1
        return self._line_starts[first], self._line_starts[statement.end_lineno]

    def edited(self, edits, start=0, end=None):
        """The text from start to end with edits (start, end, new text); one within another is left out."""
        end = len(self._bytes) if end is None else end
        parts, position = [], start
        for edit_start, edit_end, new in sorted(edits, key=lambda edit: (edit[0], -edit[1])):
            if edit_start >= position:
                parts += [self._bytes[position:edit_start], new.encode()]
                position = edit_end
        return b''.join([*parts, self._bytes[position:end]]).decode().rstrip()


def translated(text: str) -> str:
    """The text of a module in older Python."""
    source = Source(text)
    edits = [edit for node in ast.walk(source.tree) for kind, rule in _RULES.items() if isinstance(node, kind)
             for edit in rule(source, node)]
    return source.edited(edits) + '\n'


def _dotted(node):
    """'a.b.c' of an expression of that form, else ''."""
    if isinstance(node, ast.Attribute):
        owner = _dotted(node.value)
        return owner and f'{owner}.{node.attr}'
    return node.id if isinstance(node, ast.Name) else ''


def _without_decorators(source, node, unwanted):
    """Edits that remove the decorators of which unwanted(dotted name) holds."""
    for decorator in node.decorator_list:
        if unwanted(_dotted(decorator.func if isinstance(decorator, ast.Call) else decorator)):
            yield source.find_before('@', decorator), source.skip_blanks(source.end(decorator)), ''


def _argument(source, node):
    if node.annotation is not None:
        yield source.start(node) + len(node.arg.encode()), source.end(node), ''


def _function(source, node):
    # Those in use keep results and copy names: the functions do the same without.
    yield from _without_decorators(source, node, lambda name: name.startswith('functools.'))
    if node.returns is not None:
        yield source.find_before('->', node.returns) - len(' '), source.end(node.returns), ''


def _class(source, node):
    decorated = list(_without_decorators(source, node, lambda name: name == 'dataclass'))
    fields = [statement for statement in node.body if isinstance(statement, ast.AnnAssign)]
    if not decorated or not fields:
        return
    yield from decorated
    names = [field.target.id for field in fields]
    defaults = ['' if field.value is None else '=' + source.text(field.value) for field in fields]
    parameters = ', '.join(['self', *map(''.join, zip(names, defaults, strict=True))])
    lines = [f'def __init__({parameters}):', *(f'    self.{name} = {name}' for name in names)]
    yield source.start(fields[0]), source.end(fields[-1]), '\n    '.join(lines)


def _annotated_assignment(source, node):
    if node.value is not None:
        yield source.end(node.target), source.end(node.annotation), ''


def _call(source, node):
    if _dotted(node.func) == 'zip':
        for keyword in node.keywords:
            yield source.end(node.args[-1]), source.end(keyword), ''


def _attribute(source, node):
    if _dotted(node) in TENSORFLOW_NAMES:
        yield source.start(node), source.end(node), TENSORFLOW_NAMES[_dotted(node)]


_RULES = {ast.arg: _argument, ast.FunctionDef: _function, ast.ClassDef: _class,
          ast.AnnAssign: _annotated_assignment, ast.Call: _call, ast.Attribute: _attribute}
