"""Growing networks and fading their layers in (Progressive GAN, Section 2; Figure 2).

A network for images of 2^R pixels has a block of layers for every resolution 2^r. The level of detail says
how many times the images have still to double: at lod = R - r the block of 2^r is the last one in use, and
between whole numbers the next block fades in. What the callers give:

block(r, x)      layers of resolution 2^r, r >= 3.
to_rgb(r, x)     feature maps [N,C,2^r,2^r] -> images of that resolution.
from_rgb(r, y)   images of 2^r pixels -> feature maps.
upscale(y, factor), downscale(y, factor)   images resampled by a whole factor, 1 included.

Structures: 'fixed' ignores the lod; 'linear' evaluates everything and mixes; 'recursive' evaluates what is in
use, which comes to the same.
"""

import numpy as np
import tensorflow.compat.v1 as tf

from dnnlib.tflib.tfutil import lerp, lerp_clip


def level_of_detail(dtype='float32'):
    """The variable `lod`, a scalar that is not trained; 0 = full resolution.

    Its value is that after the control dependencies of the caller, where somebody may have assigned it.
    """
    lod = tf.get_variable('lod', initializer=np.float32(0), trainable=False)
    with tf.name_scope('_Lod'):  # the underscore hides the scope from list_layers()
        return tf.cast(lod.read_value(), dtype)


def choose_structure(structure, clean_graph):
    """'auto' and None stand for 'linear' where every variable has to be created, else for 'recursive'."""
    if structure in ('auto', None):
        structure = 'linear' if clean_graph else 'recursive'
    assert structure in ('fixed', 'linear', 'recursive')
    return structure


def grow_image(x, lod, structure, resolution_log2, block, to_rgb, upscale):
    """From feature maps x [N,C,4,4] to images [N,channels,2^R,2^R], of which the lod decides the detail."""
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
    """`fine` where the lod is at or below this level, `coarse` from level + 1 on, mixed in between."""
    with tf.name_scope(f'Grow_lod{level}'):
        return lerp_clip(fine, coarse, lod - level)


def _image_recursive(coarse_x, x, lod, r, resolution_log2, block, to_rgb, upscale):
    """Image of x [N,C,2^r,2^r], or finer. `coarse_x`: feature maps of half the resolution, None below 4x4."""
    level = resolution_log2 - r

    def complete():
        return upscale(to_rgb(r, x), 2 ** level)

    def fading():
        image = lerp(to_rgb(r, x), upscale(to_rgb(r - 1, coarse_x), 2), lod - level)
        return upscale(image, 2 ** level)

    def here():
        return complete() if coarse_x is None else tf.cond(lod > level, fading, complete)

    def finer():
        return _image_recursive(x, block(r + 1, x), lod, r + 1, resolution_log2, block, to_rgb, upscale)

    return tf.cond(lod < level, finer, here) if level > 0 else here()


def grow_features(images, lod, structure, resolution_log2, block, from_rgb, downscale):
    """From images [N,channels,2^R,2^R] to feature maps [N,C,4,4]; the lod decides how much detail counts."""
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
    """-> [N,C,2^r,2^r], from the images of this resolution or from finer feature maps."""
    level = resolution_log2 - r

    def from_images():
        return from_rgb(r, downscale(images, 2 ** level))

    def from_finer():
        x = _features_recursive(images, lod, r + 1, resolution_log2, block, from_rgb, downscale)
        x = block(r + 1, x)
        return tf.cond(lod > level - 1, lambda: lerp(x, from_images(), lod - (level - 1)), lambda: x)

    return tf.cond(lod < level, from_finer, from_images) if level > 0 else from_images()
