"""Copying variables from one network to another, with a report."""

from dataclasses import dataclass

from dnnlib.tflib import tfutil

MAX_NAMES = 8  # In a line of a report.


@dataclass(frozen=True)
class CopyReport:
    """What was copied from one network to another, by local names."""
    source: str          # Name of the network that was read.
    target: str          # Name of the network that was written.
    copied: list
    kept: list           # Not in the source; these keep their values.
    unused: list         # In the source only.
    other_shapes: dict   # {name: (shape in the source, shape in the target)}; not copied either.

    @property
    def complete(self) -> bool:
        """Whether every variable of both networks was copied."""
        return not (self.kept or self.unused or self.other_shapes)

    def __str__(self):
        total = len(self.copied) + len(self.kept) + len(self.other_shapes)
        lines = [f'{self.source} -> {self.target}: {len(self.copied)} of {total} variables copied']
        reasons = {'not in the source, kept as they are': self.kept,
                   'only in the source, left out': self.unused,
                   'of another shape, kept as they are': list(map(self._shapes, self.other_shapes))}
        for what, names in reasons.items():
            if names:
                more = [f'and {len(names) - MAX_NAMES} more'] if len(names) > MAX_NAMES else []
                lines.append(f'  {len(names)} {what}: ' + ', '.join(names[:MAX_NAMES] + more))
        return '\n'.join(lines)

    def _shapes(self, name):
        source, target = self.other_shapes[name]
        return f'{name} {source} -> {target}'


def compare(source_name, source, target_name, target) -> CopyReport:
    """Compare two dicts {local name: variable}; nothing is copied yet."""
    shapes = {name: (source[name].shape.as_list(), var.shape.as_list())
              for name, var in target.items() if name in source}
    return CopyReport(
        source=source_name, target=target_name,
        copied=[name for name, (theirs, ours) in shapes.items() if theirs == ours],
        kept=[name for name in target if name not in source],
        unused=[name for name in source if name not in target],
        other_shapes={name: pair for name, pair in shapes.items() if pair[0] != pair[1]})


def copy(report, source, target) -> None:
    """Copy the variables of a report with one read and one write."""
    values = tfutil.run([source[name] for name in report.copied])
    tfutil.set_vars({target[name]: value for name, value in zip(report.copied, values, strict=True)})
