"""Write docs/soak.md from results, and decide whether anything grows."""

import os
from dataclasses import dataclass

import numpy as np
import scipy.stats

from benchmarks import results_file, soak_training
from dnnlib.files import atomic_write
from dnnlib.util import UserError, format_time

PARTS = {'training': 'iterations', 'features': 'images'}  # the unit that each part counts


@dataclass(frozen=True)
class Quantity:
    """A quantity that must not grow."""
    key: str        # Key in a sample.
    name: str
    factor: float   # From the unit of the samples to the unit of the report.
    share: float    # Growth by this share still counts as flat ...
    amount: float   # ... or by this amount, in units of the report, if that is more.
    form: str


QUANTITIES = {
    'training': [
        Quantity('rss_bytes', 'resident memory (MB)', 1e-6, 0.02, 0, '.1f'),
        Quantity('open_files', 'open files', 1, 0, 0.5, '.0f'),
        Quantity('threads', 'threads', 1, 0, 0.5, '.0f'),
        Quantity('seconds_per_tick', 'seconds per tick', 1, 0.1, 0, '.3f'),
        Quantity('processor_seconds_per_tick', 'processor seconds per tick', 1, 0.1, 0, '.3f')],
    'features': [
        Quantity('rss_bytes', 'resident memory (MB)', 1e-6, 0.02, 0, '.1f'),
        Quantity('open_files', 'open files', 1, 0, 0.5, '.0f'),
        Quantity('threads', 'threads', 1, 0, 0.5, '.0f')],
}

CRITERIA = '''\
Growth is the larger of two figures: the difference between the medians of the first and the last quarter
of the samples, and the rise of a line fitted to the last three quarters, extended over all samples. The
line is a Theil-Sen estimate, and its rise is taken at the lower end of the 95% confidence interval of the
slope. The first quarter is left out of the fit because allocators fill their pools then. Allowed are
{memory:.0%} for memory, {time:.0%} for the time per tick, and half a file or thread.'''

HOW = '''\
The training process is sampled from outside at the end of every tick: its `VmRSS`, its open files
(`/proc/<pid>/fd`) and its threads. The time per tick is the one that the run prints, without snapshots and
metrics. The processor time covers all threads and includes both; it depends less on what else the machine
is doing. The run writes network and image snapshots and evaluates `{metric}` (in its own graph and
session) every {snapshot_ticks} ticks, writes training states every {state_kimg} kimg and TensorBoard
summaries at every tick.'''


@dataclass(frozen=True)
class Verdict:
    """Says whether a quantity has grown, in units of the report."""
    part: str
    quantity: Quantity
    first: float          # Median of the first quarter of the samples.
    last: float           # Median of the last quarter.
    per_thousand: float   # Slope of the fitted line, per 1000 iterations or images.
    growth: float         # The larger of the two estimates in CRITERIA.
    allowed: float

    @property
    def flat(self) -> bool:
        """Return whether the growth is within the allowed limit."""
        return self.growth <= self.allowed

    def line(self) -> str:
        """Return the verdict as one line."""
        q, unit = self.quantity, PARTS[self.part]
        return (f'{self.part}, {q.name}: {self.first:{q.form}} -> {self.last:{q.form}}, '
                f'{self.per_thousand:+.3g} per 1,000 {unit}: {"flat" if self.flat else "NOT FLAT"} '
                f'(growth {max(self.growth, 0):.3g}, allowed {self.allowed:.3g})')


def judge(part, quantity, samples) -> Verdict:
    """Judge whether a quantity has grown. Raises UserError if there are too few samples."""
    if len(samples) < 3:
        raise UserError(f'{part}: {len(samples)} samples are too few to see growth; measure for longer')
    x = np.array([sample[PARTS[part]] for sample in samples], float)
    y = np.array([sample[quantity.key] for sample in samples], float) * quantity.factor
    quarter = -(-len(x) // 4)
    first, last = np.median(y[:quarter]), np.median(y[-quarter:])
    slope, _, low_slope, _ = scipy.stats.theilslopes(y[quarter:], x[quarter:], alpha=0.95)
    growth = max(last - first, low_slope * (x[-1] - x[0]))
    return Verdict(part, quantity, float(first), float(last), float(slope * 1000), float(growth),
                   float(max(quantity.share * first, quantity.amount)))


def verdicts(results) -> list:
    """Return a Verdict for every quantity of the parts that have samples."""
    return [judge(part, quantity, results[part]) for part in PARTS if results[part]
            for quantity in QUANTITIES[part]]


def write(results, folder):
    """Write soak.md and, if matplotlib is installed, soak.png."""
    os.makedirs(folder, exist_ok=True)
    has_picture = _write_picture(results, os.path.join(folder, 'soak.png'))
    with atomic_write(os.path.join(folder, 'soak.md'), 'w') as file:
        file.write(text(results, has_picture))


def _write_picture(results, path):
    soak_plot = results_file.plot_module('soak_plot')
    if soak_plot is not None:
        soak_plot.write(results, path)
    return soak_plot is not None


def text(results, has_picture=False) -> str:
    """Return the report as Markdown."""
    sections = [_head(results)]
    if has_picture:
        sections.append('![What must not grow, over iterations and over images](soak.png)')
    sections += [_table(results), _criteria(), _how(results)]
    return '\n\n'.join(sections) + '\n'


def _head(results):
    machine = results['machine']
    versions = ', '.join(f'{name} {version}' for name, version in machine['versions'].items())
    amounts = ' and '.join(f'{results[part][-1][unit]:,} {unit} of {part}' if part == 'training' else
                           f'features of {results[part][-1][unit]:,} images'
                           for part, unit in PARTS.items() if results[part])
    return '\n'.join([
        '# Soak', '',
        f'{amounts[:1].upper()}{amounts[1:]} must not grow in memory, files, threads or time. `make soak` '
        'measures this again and rewrites this page; '
        '`python -m benchmarks.soak --report benchmarks/records/soak.json` only rewrites it.', '',
        f'- command: `{results["command"]}`, {format_time(results["seconds"])}',
        f'- date: {results["date"]}',
        f'- machine: {machine["processor"]}, {machine["cores"]} cores; '
        f'{machine["memory_bytes"] / 1e9:.1f} GB of memory; {machine["system"]}',
        f'- versions: {versions}'])


def _table(results):
    head = ['what', 'first quarter', 'last quarter', 'slope per 1,000', 'growth (allowed)', '']
    lines = [head, ['---'] * len(head)]
    for verdict in verdicts(results):
        q = verdict.quantity
        lines.append([
            f'{verdict.part}: {q.name}', f'{verdict.first:{q.form}}', f'{verdict.last:{q.form}}',
            f'{verdict.per_thousand:+.3g} per 1,000 {PARTS[verdict.part]}',
            f'{max(verdict.growth, 0):.3g} ({verdict.allowed:.3g})',
            'flat' if verdict.flat else '**not flat**'])
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def _criteria():
    memory, *_, time = QUANTITIES['training']
    return CRITERIA.format(memory=memory.share, time=time.share)


def _how(results):
    flags = dict(flag.removeprefix('--').split('=') for flag in results['training_flags'])
    texts = []
    if results['training']:
        how = HOW.format(metric=soak_training.FEW.name, snapshot_ticks=flags['snapshot-ticks'],
                         state_kimg=flags['state-kimg'])
        texts.append(f'{how}\n\nFlags of run_training.py, on Fashion-MNIST:\n\n'
                     f'    {" ".join(results["training_flags"])}')
    if results['features']:
        last, pixels = results['features'][-1], results['feature_pixels']
        texts.append(
            'The features are those of EfficientNet-Lite0 for grey noise of 32x32 pixels, enlarged to '
            f'{pixels}x{pixels}. Metrics enlarge to 224x224, which takes about ten times as long as 64x64. '
            f'{last["images"] / last["seconds"]:.0f} images/s, including the start of the process.')
    return '\n\n'.join(texts)
