"""Lists which files were left out and why: on the screen, and in a text file beside the data set."""

import collections

from dnnlib.util import UserError, printable

MAX_LINES_OF_GROUP = 10  # on the screen


class Report:
    """Collects which files were left out, and which images have the same pixels as an earlier one."""

    def __init__(self, source, is_strict=False):
        self._source, self._is_strict = source, is_strict
        self.num_files = 0
        self.num_used = 0
        self._left_out = collections.defaultdict(list)  # {kind: [(name, detail)]}
        self._names = set()
        self._duplicates = []                           # [(name, name of the earlier image)]

    def leave_out(self, name, kind, detail=''):
        """Note a file that is left out. Raises UserError instead if the report is strict."""
        if self._is_strict:
            reason = f'{kind} ({detail})' if detail else kind
            raise UserError(f'{printable(self._source.file_path(name))}: {reason}; mend or remove the file, '
                            'or leave out --strict')
        self._left_out[kind].append((name, detail))
        self._names.add(name)

    def has(self, name):
        """Return whether a file is left out."""
        return name in self._names

    def note_duplicate(self, name, earlier):
        """Note an image that is used although it has the same pixels as an earlier one."""
        self._duplicates.append((name, earlier))

    @property
    def num_left_out(self):
        """How many files were left out."""
        return sum(map(len, self._left_out.values()))

    def is_empty(self):
        """Return whether there is nothing to say."""
        return not self._left_out and not self._duplicates

    def nothing_usable(self):
        """Return the error for a source of which all files are left out."""
        reasons = ', '.join(f'{len(files)} {kind}, such as {_line(*files[0])}'
                            for kind, files in self._left_out.items())
        return UserError(f'{self._source.path}: none of the {self.num_left_out} files is a usable image: '
                         f'{reasons}')

    def lines(self, max_lines=None):
        """Return all lists as lines, with at most `max_lines` files in each."""
        lines = []
        for kind, files in self._left_out.items():
            lines += _listed(f'{kind} ({len(files)}):', [_line(*file) for file in sorted(files)], max_lines)
        if self._duplicates:
            pairs = [f'{printable(name)} = {printable(earlier)}' for name, earlier in self._duplicates]
            title = f'used, with the same pixels as an earlier image ({len(pairs)}):'
            lines += _listed(title, pairs, max_lines)
        return lines

    def text(self):
        """Return the whole report."""
        head = [f'Source: {printable(self._source.path)}', f'Files: {self.num_files}',
                f'Used: {self.num_used}', f'Left out: {self.num_left_out}', '']
        return '\n'.join([*head, *self.lines()]) + '\n'

    def show(self, path):
        """Print the lists, shortened, and where the whole ones are."""
        if self.is_empty():
            return
        if self._left_out:
            print(f'Left out {self.num_left_out} of {self.num_files} files:')
        for line in self.lines(MAX_LINES_OF_GROUP):
            print(f'  {line}')
        print(f'The whole list: {path}')


def _line(name, detail):
    return f'{printable(name)}: {printable(detail)}' if detail else printable(name)


def _listed(title, lines, max_lines):
    rest = len(lines) - max_lines if max_lines else 0
    shown = [*lines[:max_lines], f'and {rest} more'] if rest > 0 else lines
    return [title, *(f'  {line}' for line in shown)]
