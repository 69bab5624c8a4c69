"""Mean and standard deviation of the dlatents of a generator: where a projection starts, and its scale."""

import numpy as np

from dnnlib.progress import shown

SEED = 123          # of the latents
_AT_A_TIME = 1000   # Dlatents of all layers take much memory.


def measure(Gs, num_samples, label=None):
    """Return the mean of W, float32 [1,dlatent_size], and its standard deviation, the root of the mean
    squared distance from there.

    label: [label_size], None = zeros.
    """
    latents = np.random.RandomState(SEED).randn(num_samples, *Gs.input_shapes[0][1:])
    parts = []
    for begin in shown(range(0, num_samples, _AT_A_TIME), 'Measuring W', 'parts'):
        part = latents[begin:begin + _AT_A_TIME]
        labels = None if label is None else np.repeat(label[np.newaxis], len(part), axis=0)
        parts.append(Gs.components.mapping.run(part, labels)[:, 0])  # [N,layers,C] -> [N,C]
    dlatents = np.concatenate(parts)
    mean = np.mean(dlatents, axis=0, keepdims=True)
    return mean, float(np.sqrt(np.sum(np.square(dlatents - mean)) / num_samples))
