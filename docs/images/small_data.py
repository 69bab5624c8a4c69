"""Draw the pictures of docs/small-data.md: python docs/images/small_data.py RUN_WITHOUT RUN_WITH_ADA

The arguments are run directories whose snapshots run_metrics.py has measured in the same --result-dir. Needs
matplotlib (the extra `bench`).
"""

import glob
import os
import pathlib
import sys

import matplotlib
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

matplotlib.use('Agg')

import matplotlib.pyplot as plt  # noqa: E402 (the backend must be chosen first)
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator  # noqa: E402

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent.parent))

from reports import events, metric_files  # noqa: E402 (found by the line above)

METRIC = 'fd50k_lite0-only1000'
TARGET = 0.6                                 # of r_t
STYLES = {'without augmentation': '#b0413e', 'with ADA': '#1f5a94'}
SIDE, COLUMNS, ROWS, SCALE = 32, 8, 6, 2     # pixels of a sample; samples of a panel
GAP, CAPTION = 12, 24                        # pixels


def curves(run_dirs, path):
    """Write a PNG: distances of the runs, and below them r_t and p, over thousands of images."""
    figure, (distance, sign, strength) = plt.subplots(
        3, 1, figsize=(8, 7.5), sharex=True, layout='constrained', height_ratios=[2, 1, 1])
    for (name, colour), run_dir in zip(STYLES.items(), run_dirs, strict=True):
        notes = []
        results = {result.kimg: result.value for result in metric_files.read(run_dir, notes)
                   if result.name == METRIC and result.kimg is not None}
        scalars = events.scalars(run_dir, notes)
        for note in notes:
            print(note)
        _line(distance, results, colour, name, marker='o', markersize=3.5)
        _line(sign, _by_kimg(scalars, 'Progress/rt'), colour, name)
        _line(strength, _by_kimg(scalars, 'Progress/augment'), colour, name)
    sign.axhline(TARGET, linestyle='--', color='#888888', linewidth=0.8)
    distance.set(ylabel='Frechet distance to\n1,000 held-out images', yscale='log')
    distance.yaxis.set_major_locator(FixedLocator([40, 50, 60, 80, 100, 150, 200]))
    distance.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:g}'))
    distance.yaxis.set_minor_locator(NullLocator())
    sign.set(ylabel='$r_t$, mean sign of\nscores of real images', ylim=(-0.1, 1.05))
    strength.set(ylabel='p, strength of\naugmentation', ylim=(0, None), xlabel='thousands of images (kimg)')
    distance.legend(frameon=False)
    for axes in (distance, sign, strength):
        axes.grid(True, color='#dddddd', linewidth=0.6)
        axes.spines[['top', 'right']].set_visible(False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _line(axes, values, colour, name, **style):
    kimgs = sorted(values)
    axes.plot(kimgs, [values[kimg] for kimg in kimgs], color=colour, label=name, **style)


def _by_kimg(scalars, tag):
    """Return {kimg: value} of a summary. Steps are numbers of images."""
    return {step / 1000: value for step, value in scalars.get(tag, {}).items()}


def samples(run_dirs, path):
    """Write a PNG: real images, and the last samples of the runs, side by side."""
    pictures = {'real': os.path.join(run_dirs[0], 'reals.png')}
    for name, run_dir in zip(STYLES, run_dirs, strict=True):
        pictures[name] = sorted(glob.glob(os.path.join(glob.escape(run_dir), 'fakes0*.png')))[-1]
    width, height = COLUMNS * SIDE * SCALE, ROWS * SIDE * SCALE
    result = PIL.Image.new('L', (len(pictures) * (width + GAP) - GAP, height + CAPTION), 'white')
    draw = PIL.ImageDraw.Draw(result)
    for number, (name, picture) in enumerate(pictures.items()):
        part = PIL.Image.open(picture).crop((0, 0, COLUMNS * SIDE, ROWS * SIDE))
        x = number * (width + GAP)
        result.paste(part.resize((width, height), PIL.Image.Resampling.NEAREST), (x, CAPTION))
        draw.text((x, 0), name, fill='black', font=PIL.ImageFont.load_default(16))
    result.save(path, optimize=True)


if __name__ == '__main__':
    curves(sys.argv[1:], HERE / 'small-data.png')
    samples(sys.argv[1:], HERE / 'small-data-samples.png')
