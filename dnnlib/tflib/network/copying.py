"""Copying variables from one network to another, with a report."""

import re
from dataclasses import dataclass

from dnnlib.tflib import tfutil

MAX_NAMES = 8  # In a line of a report; more are listed by block or layer.


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
        reasons = {'not in the source, kept as they are': dict.fromkeys(self.kept, ''),
                   'only in the source, left out': dict.fromkeys(self.unused, ''),
                   'of another shape, kept as they are': {
                       name: f' {theirs} -> {ours}' for name, (theirs, ours) in self.other_shapes.items()}}
        lines += [f'  {len(names)} {what}: {", ".join(_listed(names))}'
                  for what, names in reasons.items() if names]
        return '\n'.join(lines)


def _listed(names):
    """Return {name: remark} as texts, without the remarks and by block or layer if there are many."""
    if len(names) <= MAX_NAMES:
        return [name + remark for name, remark in names.items()]
    blocks = {}
    for name in names:
        blocks.setdefault(_block(name), []).append(name)
    return [found[0] if len(found) == 1 else f'{block} ({len(found)})' for block, found in blocks.items()]


def _block(name):
    """Return what a variable belongs to: `G_synthesis/8x8/*`, `G_mapping/Dense0/*`, `G_synthesis/noise*`."""
    match = re.match(r'(.*/)?\d+x\d+/', name) or re.match(r'.*/(?=[^/]*$)', name)
    scope = match[0] if match else ''
    leaf = name[len(scope):]
    return scope + (re.sub(r'\d+$', '', leaf) if re.fullmatch(r'[a-z]+\d+', leaf) else '') + '*'


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
