"""Augmentation of what the discriminator sees, under the published names (StyleGAN2-ADA)."""

from training.augmentation.controller import AdaptiveAugment
from training.augmentation.matrices import (
    construct_batch_of_matrices,
    rotate_2d,
    rotate_2d_inv,
    rotate_3d,
    scale_2d,
    scale_2d_inv,
    scale_3d,
    translate_2d,
    translate_2d_inv,
    translate_3d,
)
from training.augmentation.parameters import gate_augment_params
from training.augmentation.pipeline import augment_pipeline
from training.augmentation.wavelets import wavelets

__all__ = [
    'AdaptiveAugment', 'augment_pipeline', 'construct_batch_of_matrices', 'gate_augment_params', 'rotate_2d',
    'rotate_2d_inv', 'rotate_3d', 'scale_2d', 'scale_2d_inv', 'scale_3d', 'translate_2d', 'translate_2d_inv',
    'translate_3d', 'wavelets',
]
