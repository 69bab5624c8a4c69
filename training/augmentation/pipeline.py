"""The pipeline of augmentation (StyleGAN2-ADA, Appendix B)."""

import tensorflow.compat.v1 as tf

from dnnlib.tflib.ops.shapes import dims
from training.augmentation.colour import colour_transforms, transform_colours
from training.augmentation.corruptions import add_noise, cut_out
from training.augmentation.filtering import band_gains, filter_bands
from training.augmentation.geometry import inverse_transforms, warp
from training.augmentation.parameters import Draws


def augment_pipeline(
    images,                            # [B,C,H,W], float32 in [-1, 1], not clipped. B may be unknown.
    labels,                            # Returned as they are.
    strength         = 1,              # Scales the multipliers to probabilities. A number or a tensor [].
    debug_percentile = None,           # None, or fixes each parameter to a quantile of its distribution.

    # Multipliers of the probability of each transform. 0 = off.
    xflip            = 0,              # Mirror.
    rotate90         = 0,              # Turn by multiples of 90 degrees.
    xint             = 0,              # Move by whole pixels.
    scale            = 0,              # Scale.
    rotate           = 0,              # Turn by any angle.
    aniso            = 0,              # Stretch one axis and shrink the other.
    xfrac            = 0,              # Move by fractions of pixels.
    brightness       = 0,              # Add a number.
    contrast         = 0,              # Scale all values.
    lumaflip         = 0,              # Flip the luma, keep hue and saturation.
    hue              = 0,              # Turn around the grey axis.
    saturation       = 0,              # Scale the distance from the grey axis.
    imgfilter        = 0,              # Amplify and attenuate frequency bands.
    noise            = 0,              # Add noise.
    cutout           = 0,              # Make a rectangle grey.

    # Ranges. Those named std are of normal distributions.
    xint_max         = 0.125,          # Relative to the side.
    scale_std        = 0.2,            # Of log2.
    rotate_max       = 1,              # 1 = full circle.
    aniso_std        = 0.2,            # Of log2.
    xfrac_std        = 0.125,          # Relative to the side.
    brightness_std   = 0.2,
    contrast_std     = 0.5,            # Of log2.
    hue_max          = 1,              # 1 = full circle.
    saturation_std   = 1,              # Of log2.
    imgfilter_bands  = (1, 1, 1, 1),   # Multipliers of the probability of each band, from low frequencies.
    imgfilter_std    = 1,              # Of log2.
    noise_std        = 0.1,            # Of the noise's standard deviation.
    cutout_size      = 0.5,            # Relative to the side.
):
    """Augment a minibatch at random, each image differently. -> images, labels.

    Differentiable twice with respect to the images; see `geometry.warp` about the exactness of gradients.
    `named_pipelines` has the published combinations of multipliers.
    """
    images = tf.convert_to_tensor(images)
    count, fmaps, height, width = dims(images)
    draws = Draws(count, strength, debug_percentile)
    G_inv = inverse_transforms(
        draws, width, height, xflip=xflip, rotate90=rotate90, xint=xint, scale=scale, rotate=rotate,
        aniso=aniso, xfrac=xfrac, xint_max=xint_max, scale_std=scale_std, rotate_max=rotate_max,
        aniso_std=aniso_std, xfrac_std=xfrac_std)
    C = colour_transforms(
        draws, fmaps, brightness=brightness, contrast=contrast, lumaflip=lumaflip, hue=hue,
        saturation=saturation, brightness_std=brightness_std, contrast_std=contrast_std, hue_max=hue_max,
        saturation_std=saturation_std)
    if G_inv is not None:
        images = warp(images, G_inv)
    if C is not None:
        images = transform_colours(images, C)
    if imgfilter > 0:
        images = filter_bands(images, band_gains(draws, imgfilter, imgfilter_bands, imgfilter_std))
    if noise > 0:
        images = add_noise(images, draws, noise, noise_std)
    if cutout > 0:
        images = cut_out(images, draws, cutout, cutout_size)
    return images, labels
