"""Growing networks and fading their layers in (Progressive GAN, Section 2; Figure 2).

A network for images of 2^R pixels has a block of layers for every resolution 2^r. The level of detail says how many
times the images have still to double: at lod = R - r the block of 2^r is the last one in use, and between whole
numbers the next block fades in. What the callers give:

block(r, x)      layers of resolution 2^r.
to_rgb(r, x)     feature maps [N,C,2^r,2^r] -> images of that resolution.
from_rgb(r, y)   images of 2^r pixels -> feature maps.
upscale(y, factor), downscale(y, factor)   images resampled by a whole factor, 1 included.

Structures: 'fixed' ignores the lod; 'linear' evaluates everything and mixes; 'recursive' evaluates what is in use.
'linear' and 'recursive' agree for 0 <= lod <= R - 2.
"""

import tensorflow.compat.v1 as tf

from ..tfutil import lerp, lerp_clip


def choose_structure(structure, clean_graph):
    """'auto' stands for 'linear' where every variable has to be created, else for 'recursive'."""
    if structure == 'auto':
        structure = 'linear' if clean_graph else 'recursive'
    assert structure in ('fixed', 'linear', 'recursive')
    return structure


def grow_image(x, lod, structure, resolution_log2, block, to_rgb, upscale):
    """From feature maps x [N,C,4,4] to images [N,channels,2^R,2^R], of which the lod decides the detail."""
    if structure == 'recursive':
        return _image_recursive(x, lod, 3, resolution_log2, block, to_rgb, upscale)
    image = to_rgb(2, x) if structure == 'linear' or resolution_log2 == 2 else None
    for r in range(3, resolution_log2 + 1):
        x = block(r, x)
        if structure == 'linear':
            image = lerp_clip(to_rgb(r, x), upscale(image, 2), lod - (resolution_log2 - r))
        elif r == resolution_log2:
            image = to_rgb(r, x)
    return image


def _image_recursive(x, lod, r, resolution_log2, block, to_rgb, upscale):
    level = resolution_log2 - r
    y = block(r, x)

    def complete():
        return upscale(to_rgb(r, y), 2 ** level)

    def fading():
        image = lerp(to_rgb(r, y), upscale(to_rgb(r - 1, x), 2), lod - level)
        return upscale(image, 2 ** level)

    def deeper():
        return _image_recursive(y, lod, r + 1, resolution_log2, block, to_rgb, upscale)

    def here():
        return tf.cond(lod > level, fading, complete)

    return tf.cond(lod < level, deeper, here) if level > 0 else here()


def grow_features(images, lod, structure, resolution_log2, block, from_rgb, downscale):
    """From images [N,channels,2^R,2^R] to feature maps [N,C,4,4], looking at the detail that the lod decides."""
    if structure == 'recursive':
        return _features_recursive(images, lod, 3, resolution_log2, block, from_rgb, downscale)
    x = from_rgb(resolution_log2, images)
    for r in range(resolution_log2, 2, -1):
        x = block(r, x)
        if structure == 'linear':
            images = downscale(images, 2)
            x = lerp_clip(x, from_rgb(r - 1, images), lod - (resolution_log2 - r))
    return x


def _features_recursive(images, lod, r, resolution_log2, block, from_rgb, downscale):
    level = resolution_log2 - r

    def entrance(r):
        return from_rgb(r, downscale(images, 2 ** (resolution_log2 - r)))

    def deeper():
        return _features_recursive(images, lod, r + 1, resolution_log2, block, from_rgb, downscale)

    x = tf.cond(lod < level, deeper, lambda: entrance(r)) if level > 0 else entrance(r)
    x = block(r, x)
    return tf.cond(lod > level, lambda: lerp(x, entrance(r - 1), lod - level), lambda: x)
