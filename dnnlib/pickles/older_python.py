"""Translation into Python 3.6 of what the networks and their layers are written in.

Annotations and decorators of `functools` are dropped, dataclasses become ordinary classes with the same
constructor, and `zip` does not compare lengths.
"""

import ast


def translated(tree):
    """Return the syntax tree of a module in Python 3.6."""
    return ast.fix_missing_locations(_Translator().visit(tree))


class _Translator(ast.NodeTransformer):
    def visit_arg(self, node):
        node.annotation = None
        return node

    def visit_AnnAssign(self, node):
        return None if node.value is None else ast.Assign([node.target], self.visit(node.value))

    def visit_FunctionDef(self, node):
        node.returns = None
        # Those in use keep results and copy names: the functions do the same without them.
        node.decorator_list = [each for each in node.decorator_list
                               if not ast.unparse(each).startswith('functools.')]
        return self.generic_visit(node)

    def visit_ClassDef(self, node):
        others = [each for each in node.decorator_list if not ast.unparse(each).startswith('dataclass')]
        if others != node.decorator_list:
            node.decorator_list = others
            node.body.insert(ast.get_docstring(node) is not None, _constructor(node.body))
            node.body = [each for each in node.body if not isinstance(each, ast.AnnAssign)]
        return self.generic_visit(node)

    def visit_Call(self, node):
        if ast.unparse(node.func) == 'zip':
            node.keywords = [keyword for keyword in node.keywords if keyword.arg != 'strict']
        return self.generic_visit(node)


def _constructor(body):
    """Return the constructor that a dataclass with this body has."""
    fields = [each for each in body if isinstance(each, ast.AnnAssign)]
    parameters = [each.target.id + (f'={ast.unparse(each.value)}' if each.value else '') for each in fields]
    lines = [f'self.{each.target.id} = {each.target.id}' for each in fields]
    return ast.parse(f'def __init__({", ".join(["self", *parameters])}):\n ' + '\n '.join(lines)).body[0]
