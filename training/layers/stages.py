"""Stages of a network: the layers at resolution 2^r are stage r - 1."""

from dataclasses import dataclass

import numpy as np
import tensorflow.compat.v1 as tf


@dataclass(frozen=True)
class Fmaps:
    """Number of feature maps by stage."""
    base: int
    decay: float
    max: int
    min: int = 0

    def __call__(self, stage):
        return int(np.clip(int(self.base / 2.0 ** (stage * self.decay)), self.min, self.max))


def log2_of_resolution(resolution) -> int:
    """Return r of a resolution 2^r, which must be a power of two and at least 4."""
    assert resolution >= 4
    log2 = int(np.log2(resolution))
    assert resolution == 2 ** log2
    return log2


def block_dtype(res_log2, resolution_log2, num_fp16_res, dtype, half_dtype='float16'):
    """Return the type of activations at 2^res_log2: `half_dtype`, 'float16' or 'bfloat16', at the highest
    `num_fp16_res` resolutions up to 2^resolution_log2, else `dtype`."""
    if res_log2 > resolution_log2 - num_fp16_res:
        return {'float16': tf.float16, 'bfloat16': tf.bfloat16}[half_dtype]
    return tf.as_dtype(dtype)
