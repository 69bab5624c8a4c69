"""Which curves share a figure, and the data of all figures for the script of the page."""

import math
from dataclasses import dataclass

_UNUSED = ('xCustomScalars/', 'Metrics/', 'Progress/tick', 'Progress/kimg', 'Timing/total_sec',
           'Timing/total_days')


@dataclass(frozen=True)
class Figure:
    """Curves over thousands of images."""
    title: str
    text: str          # A sentence that explains it.
    unit: str          # Title of the vertical axis.
    tags: tuple        # The curves: a tag of a summary or a metric, and its name in the legend.


# (title, explanation, axis, {tag: name of the curve}).
_TICKS = [
    ('Losses', 'With the penalties for StyleGAN, and without the regularizers for StyleGAN2.', 'loss',
     {'Loss/G/loss': 'G', 'Loss/D/loss': 'D'}),
    ('Scores', 'What D says about real and generated images; above 0 it takes them for real.', 'logit',
     {'Loss/scores/real': 'real', 'Loss/scores/fake': 'generated', 'Loss/scores/mixed': 'mixed',
      'Loss/scores/mix': 'mixed', 'Loss/scores/valid': 'validation'}),
    ('Signs of scores', 'Means: 1 where D takes all images for real, -1 where for generated.', 'mean sign',
     {'Loss/signs/real': 'real', 'Loss/signs/fake': 'generated', 'Loss/signs/mix': 'mixed',
      'Loss/signs/valid': 'validation'}),
    ('Strength of the augmentation', 'The probability of each transform of what D sees.', 'p',
     {'Progress/augment': 'p'}),
    ('Overfitting', 'Where this is above the target of the augmentation, p rises, and otherwise it falls.',
     'r_t or r_v', {'Progress/rt': 'r_t', 'Progress/rv': 'r_v'}),
    ('Gradient penalty', 'Squared gradients of D at the images, before their weight (R1, R2).',
     'squared length', {'Loss/gradient_penalty': 'gradient penalty', 'Loss/r1_penalty': 'R1',
                        'Loss/r2_penalty': 'R2'}),
    ('Path length', 'Length of the gradient of images by dlatents, whose spread G keeps small.', 'length',
     {'Loss/pl_lengths': 'path length'}),
    ('Path length penalty', 'Squared distance of path lengths from their running mean.', 'squared length',
     {'Loss/pl_penalty': 'penalty'}),
    ('Gradients between images', 'Length of the gradient of D at mixed images, for which WGAN-GP wants 1.',
     'length', {'Loss/mixed_norms': 'norm'}),
    ('Epsilon penalty', 'Squared scores of real images, which keep the scores of WGAN-GP near 0.',
     'squared score', {'Loss/epsilon_penalty': 'penalty'}),
    ('Learning rate', 'Of the steps of G and D, and of their regularizers.', 'learning rate',
     {'TrainG/learning_rate': 'G', 'TrainD/learning_rate': 'D', 'RegG/learning_rate': 'G, regularizer',
      'RegD/learning_rate': 'D, regularizer'}),
    ('Overflows', 'Share of the steps whose gradients were not finite and were skipped.', 'share',
     {'TrainG/overflow_frequency': 'G', 'TrainD/overflow_frequency': 'D',
      'RegG/overflow_frequency': 'G, regularizer', 'RegD/overflow_frequency': 'D, regularizer'}),
    ('Skipped steps', 'Steps of a tick without finite gradients.', 'steps',
     {'Progress/skipped_steps': 'skipped'}),
    ('Level of detail', 'At 0, images have their full resolution; each level halves it.', 'lod',
     {'Progress/lod': 'lod'}),
    ('Minibatch', 'Images for an update, on all devices together.', 'images',
     {'Progress/minibatch': 'minibatch'}),
    ('Speed', 'Seconds for a thousand images.', 'sec/kimg', {'Timing/sec_per_kimg': 'sec/kimg'}),
    ('Time', 'Since the start, evaluations and snapshots included.', 'hours',
     {'Timing/total_hours': 'hours'}),
    ('Seconds per tick', 'Training, and what comes between two ticks.', 'seconds',
     {'Timing/sec_per_tick': 'tick', 'Timing/maintenance_sec': 'maintenance'}),
    ('Memory', 'The most that was in use.', 'GB',
     {'Resources/peak_gpu_mem_gb': 'GPU', 'Resources/cpu_mem_gb': 'CPU'}),
]
_ALL_ZERO = {'Overflows': 'no step was skipped', 'Skipped steps': 'no step was skipped',
             'Level of detail': 'images have their full resolution throughout',
             'Strength of the augmentation': 'images were not augmented',
             'Memory': 'no GPU memory was recorded'}


def of_metrics(runs):
    """Return a Figure for every metric."""
    names = sorted({result.name for run in runs for result in run.metrics})
    return [Figure(name, 'Measured at network snapshots.', name, ((name, name),)) for name in names]


def of_ticks(runs):
    """Return the Figures of what was recorded in ticks, and a text about each that would show only zeros.

    Tags that are not known here have a figure each.
    """
    there = {tag for run in runs for tag in run.scalars if not tag.startswith(_UNUSED)}
    figures, left_out = [], []
    for title, text, unit, names in _TICKS:
        tags = tuple((tag, name) for tag, name in names.items() if tag in there)
        there -= set(names)
        values = {value for tag, _ in tags for run in runs for value in run.scalars.get(tag, {}).values()}
        if values == {0.0} and title in _ALL_ZERO:
            left_out.append(f'{title}: {_ALL_ZERO[title]}')
        elif tags:
            figures.append(Figure(title, text, unit, tags))
    figures += [Figure(tag, 'Recorded under this name.', tag.split('/')[-1], ((tag, tag),))
                for tag in sorted(there)]
    return figures, left_out


def data(run, figures):
    """Return the numbers of a run for the script: {'kimg', 'columns': {tag: values}, 'metrics'}."""
    steps, tags = run.steps, [tag for figure in figures for tag, _ in figure.tags]
    columns = {tag: [_number(run.scalars[tag].get(step)) for step in steps]
               for tag in tags if tag in run.scalars}
    metrics = {}
    for result in run.metrics:
        kimg = run.kimg if result.kimg is None else result.kimg
        metrics.setdefault(result.name, []).append([kimg, _number(result.value), result.network])
    for rows in metrics.values():
        rows.sort(key=lambda row: -1 if row[0] is None else row[0])
    return {'kimg': [step / 1000 for step in steps], 'columns': columns, 'metrics': metrics}


def _number(value):
    """Return a value for JSON, which has neither NaN nor infinities."""
    return value if value is None or math.isfinite(value) else str(value)
