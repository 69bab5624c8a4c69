"""Plot the quantities that must not grow, over iterations and over images."""

import matplotlib

matplotlib.use('Agg')

import matplotlib.pyplot as plt  # noqa: E402 (the backend must be chosen first)
from matplotlib.ticker import StrMethodFormatter  # noqa: E402

# (part, {key of the samples: name}, factor, label)
PANELS = [
    ('training', {'rss_bytes': None}, 1e-6, 'resident memory (MB)'),
    ('training', {'open_files': 'open files', 'threads': 'threads'}, 1, 'how many'),
    ('training', {'seconds_per_tick': 'by the clock', 'processor_seconds_per_tick': 'of the processors'}, 1,
     'seconds per tick'),
    ('features', {'rss_bytes': None}, 1e-6, 'resident memory (MB)'),
]
X_AXES = {'training': ('iterations', 'iterations of training'),
          'features': ('images', 'images of which features were computed')}
COLORS = ('#1f5a94', '#d0882c')
STYLE = dict(linewidth=0.9, marker='.', markersize=3)


def write(results, path):
    """Write a PNG with all panels that have samples."""
    panels = [panel for panel in PANELS if results[panel[0]]]
    rows = -(-len(panels) // 2)
    figure, axes = plt.subplots(rows, 2, figsize=(10, 2.9 * rows), layout='constrained', squeeze=False)
    for axis in axes.flat[len(panels):]:
        axis.set_visible(False)
    for axis, panel in zip(axes.flat, panels, strict=False):
        _draw(axis, results[panel[0]], *panel)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _draw(axis, samples, part, names, factor, label):
    count, x_label = X_AXES[part]
    for (key, name), color in zip(names.items(), COLORS, strict=False):
        axis.plot([sample[count] for sample in samples], [sample[key] * factor for sample in samples],
                  label=name, color=color, **STYLE)
    axis.set_xlabel(x_label)
    axis.set_ylabel(label)
    axis.set_ylim(0, 1.2 * axis.get_ylim()[1])
    if len(names) > 1:
        axis.legend(frameon=False, ncols=2, loc='upper right')
    axis.xaxis.set_major_formatter(StrMethodFormatter('{x:,.0f}'))
    axis.grid(True, which='major', color='#dddddd', linewidth=0.6)
    axis.spines[['top', 'right']].set_visible(False)
