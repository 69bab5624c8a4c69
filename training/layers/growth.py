"""Growing networks, which fade their layers in (Progressive GAN, Section 2; Figure 2).

A network for images of 2^R pixels has a block of layers for each resolution 2^r; both are nominal if its base
is not 4x4. The level of detail (lod) is how many times the images still have to double: at lod = R - r, the
block of 2^r is the last one in use. Between whole numbers, the next block fades in. Callers pass these
functions:

block(r, x)      layers of resolution 2^r, r >= 3.
to_rgb(r, x)     feature maps [N,C,2^r,2^r] -> images of that resolution.
from_rgb(r, y)   images of 2^r pixels -> feature maps.
upscale(y, factor), downscale(y, factor)   images resampled by a whole factor, which may be 1.

Structures: 'fixed' ignores the lod; 'linear' evaluates all blocks and blends; 'recursive' evaluates only the
blocks in use, with the same result.
"""

import operator

import numpy as np
import tensorflow.compat.v1 as tf

from dnnlib.tflib import xla
from dnnlib.tflib.tfutil import lerp, lerp_clip


def level_of_detail(dtype='float32'):
    """Create the variable `lod` and return its value, a scalar; 0 = full resolution. It is not trained.

    The value is read after the control dependencies of the caller, which may assign it.
    """
    lod = tf.get_variable('lod', initializer=np.float32(0), trainable=False)
    with tf.name_scope('_Lod'):  # the underscore hides the scope from list_layers()
        return tf.cast(lod.read_value(), dtype)


def choose_structure(structure, clean_graph):
    """Resolve 'auto' and None to 'linear', which creates every variable, for a clean graph, else to
    'recursive'."""
    if structure in ('auto', None):
        structure = 'linear' if clean_graph else 'recursive'
    assert structure in ('fixed', 'linear', 'recursive')
    return structure


def grow_image(x, lod, structure, resolution_log2, block, to_rgb, upscale):
    """Turn feature maps x [N,C,4,4] into images [N,channels,2^R,2^R] with the detail of the lod."""
    if structure == 'recursive':
        return _image_recursive(None, x, lod, 2, resolution_log2, block, to_rgb, upscale)
    image = to_rgb(2, x) if structure == 'linear' or resolution_log2 == 2 else None
    for r in range(3, resolution_log2 + 1):
        x = block(r, x)
        if structure == 'linear':
            image = _fade(to_rgb(r, x), upscale(image, 2), lod, resolution_log2 - r)
        elif r == resolution_log2:
            image = to_rgb(r, x)
    return image


def _fade(fine, coarse, lod, level):
    """Return `fine` at a lod up to this level, `coarse` from level + 1 on, and a blend in between."""
    with tf.name_scope(f'Grow_lod{level}'):
        return lerp_clip(fine, coarse, lod - level)


def _image_recursive(coarse_x, x, lod, r, resolution_log2, block, to_rgb, upscale):
    """Return the image of x [N,C,2^r,2^r] or of finer feature maps. `coarse_x`: those of half the resolution,
    None at 4x4."""
    level = resolution_log2 - r

    def complete():
        return upscale(to_rgb(r, x), 2 ** level)

    def fading():
        image = lerp(to_rgb(r, x), upscale(to_rgb(r - 1, coarse_x), 2), lod - level)
        return upscale(image, 2 ** level)

    def here():
        return complete() if coarse_x is None else xla.cond(operator.gt, lod, level, fading, complete)

    def finer():
        return _image_recursive(x, block(r + 1, x), lod, r + 1, resolution_log2, block, to_rgb, upscale)

    return xla.cond(operator.lt, lod, level, finer, here) if level > 0 else here()


def grow_features(images, lod, structure, resolution_log2, block, from_rgb, downscale):
    """Turn images [N,channels,2^R,2^R], with the detail of the lod, into feature maps [N,C,4,4]."""
    if structure == 'recursive':
        return _features_recursive(images, lod, 2, resolution_log2, block, from_rgb, downscale)
    x = from_rgb(resolution_log2, images)
    for r in range(resolution_log2, 2, -1):
        x = block(r, x)
        if structure == 'linear':
            images = downscale(images, 2)
            x = _fade(x, from_rgb(r - 1, images), lod, resolution_log2 - r)
    return x


def _features_recursive(images, lod, r, resolution_log2, block, from_rgb, downscale):
    """Return feature maps [N,C,2^r,2^r] of the images at this resolution or of finer feature maps."""
    level = resolution_log2 - r

    def from_images():
        return from_rgb(r, downscale(images, 2 ** level))

    def from_finer():
        x = _features_recursive(images, lod, r + 1, resolution_log2, block, from_rgb, downscale)
        x = block(r + 1, x)
        return xla.cond(operator.gt, lod, level - 1,
                        lambda: lerp(x, from_images(), lod - (level - 1)), lambda: x)

    return xla.cond(operator.lt, lod, level, from_finer, from_images) if level > 0 else from_images()
