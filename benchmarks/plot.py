"""Plot how the cost of an image grows."""

import matplotlib

matplotlib.use('Agg')

import matplotlib.pyplot as plt  # noqa: E402 (the backend must be chosen first)
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator  # noqa: E402

MEASURED = dict(marker='o', color='#1f5a94', label='measured (median; bars: minimum to maximum)')
LIMIT = dict(linestyle='--', color='#888888', label='limit of the matrix product')


def write(by_resolution, by_minibatch, path):
    """Write a PNG with two diagrams. Arguments: sorted results of `generation.generate`."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.4), layout='constrained')
    _draw(left, by_resolution, 'resolution')
    left.set_xlabel('resolution (pixels), minibatch 1')
    left.set_ylabel('seconds per image')
    _draw(right, by_minibatch, 'minibatch')
    right.set_xlabel('minibatch (images), 64x64')
    right.set_ylim(bottom=0)
    figure.legend(*left.get_legend_handles_labels(), loc='outside lower center', ncols=2, frameon=False)
    figure.suptitle('Generating with config F at full width')
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _draw(axes, rows, key):
    """Plot measured times and limits over resolution or minibatch."""
    x = [row[key] for row in rows]
    times = [row['seconds'] for row in rows]
    medians = [time['median'] for time in times]
    bars = [[time['median'] - time['min'] for time in times],
            [time['max'] - time['median'] for time in times]]
    axes.errorbar(x, medians, yerr=bars, capsize=3, **MEASURED)
    axes.plot(x, [row['limit_seconds']['median'] for row in rows], **LIMIT)
    axes.set_xscale('log', base=2)
    if key == 'resolution':
        axes.set_yscale('log')
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:g}'))
    axes.xaxis.set_major_locator(FixedLocator(x))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:.0f}'))
    axes.grid(True, which='major', color='#dddddd', linewidth=0.6)
    axes.spines[['top', 'right']].set_visible(False)
