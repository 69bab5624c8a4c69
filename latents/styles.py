"""Operations on arrays of dlatents [...,layers,dlatent_size]: truncation, mixing, ranges of layers."""

import numpy as np

# Networks of 64x64 and more have the ranges of StyleGAN, section 3: 4x4 to 8x8, 16x16 to 32x32, the rest.
_COARSE_END, _MIDDLE_END = 4, 8
_LAYERS_OF_PAPER = 18


def ranges(num_layers):
    """Return {'coarse': range, 'middle': range, 'fine': range}: the layers of these styles.

    Smaller networks are divided in the proportions of the paper's network, which has 18 layers.
    """
    ends = [_COARSE_END, _MIDDLE_END]
    if num_layers <= _MIDDLE_END:
        ends = [round(end * num_layers / _LAYERS_OF_PAPER) for end in ends]
    limits = [0, *ends, num_layers]
    return {name: range(*limits[idx:idx + 2]) for idx, name in enumerate(('coarse', 'middle', 'fine'))}


def truncate(dlatents, dlatent_avg, psi, cutoff=None):
    """Truncate the first `cutoff` layers, None = all: move them towards the mean (StyleGAN, appendix B).

    dlatents [...,layers,dlatent_size], dlatent_avg [dlatent_size], psi: number, or array that broadcasts.
    The result has the dtype of the dlatents.
    """
    truncated = dlatent_avg + (dlatents - dlatent_avg) * psi
    is_truncated = np.arange(dlatents.shape[-2]) < (np.inf if cutoff is None else cutoff)  # [layers]
    return np.where(is_truncated[:, np.newaxis], truncated, dlatents).astype(dlatents.dtype)


def mix(dlatents, others, layers):
    """Return dlatents whose `layers` (numbers) come from `others`. Both are [...,layers,dlatent_size]."""
    mixed = np.array(np.broadcast_to(dlatents, np.broadcast_shapes(dlatents.shape, others.shape)))
    mixed[..., list(layers), :] = others[..., list(layers), :]
    return mixed


def layer_text(layers):
    """Return the ascending numbers of layers as flags take them, such as '0-3', '0,2' or 'none'."""
    layers = list(layers)
    if not layers:
        return 'none'
    if len(layers) > 1 and layers == list(range(layers[0], layers[-1] + 1)):
        return f'{layers[0]}-{layers[-1]}'
    return ','.join(map(str, layers))
