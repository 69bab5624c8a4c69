"""What training does when: everything that depends on how many real images have been shown."""

import numpy as np

from dnnlib import EasyDict


def training_schedule(
    cur_nimg,                               # Images shown so far.
    training_set,                           # Data set, or anything with `resolution_log2`.
    lod_initial_resolution = None,          # Resolution at the beginning. None = no progressive growing.
    lod_training_kimg = 600,                # Thousands of images to show before doubling the resolution.
    lod_transition_kimg = 600,              # Thousands of images over which new layers fade in.
    minibatch_size_base = 32,               # Global minibatch.
    minibatch_size_dict = {},               # Resolution -> global minibatch, where it differs.
    minibatch_gpu_base = 4,                 # Images that a device processes at a time.
    minibatch_gpu_dict = {},                # Resolution -> images at a time, where it differs.
    G_lrate_base = 0.002,                   # Learning rate of the generator.
    G_lrate_dict = {},                      # Resolution -> learning rate, where it differs.
    D_lrate_base = 0.002,                   # Learning rate of the discriminator.
    D_lrate_dict = {},                      # Resolution -> learning rate, where it differs.
    lrate_rampup_kimg = 0,                  # Thousands of images over which the learning rates rise from 0.
    tick_kimg_base = 4,                     # Thousands of images between progress reports.
    tick_kimg_dict = {8: 28, 16: 24, 32: 20, 64: 16, 128: 12, 256: 8, 512: 6, 1024: 4}): # By resolution.
    """Settings in force after `cur_nimg` images, as a pure function.

    -> EasyDict of kimg, lod (0 = full resolution, fractional while layers fade in), resolution,
    minibatch_size, minibatch_gpu, G_lrate, D_lrate, tick_kimg.
    """
    s = EasyDict(kimg=cur_nimg / 1000.0)
    s.lod = _level_of_detail(s.kimg, training_set.resolution_log2, lod_initial_resolution, lod_training_kimg,
                             lod_transition_kimg)
    s.resolution = 2 ** (training_set.resolution_log2 - int(np.floor(s.lod)))
    s.minibatch_size = minibatch_size_dict.get(s.resolution, minibatch_size_base)
    s.minibatch_gpu = minibatch_gpu_dict.get(s.resolution, minibatch_gpu_base)
    s.G_lrate = G_lrate_dict.get(s.resolution, G_lrate_base)
    s.D_lrate = D_lrate_dict.get(s.resolution, D_lrate_base)
    if lrate_rampup_kimg > 0:
        rampup = min(s.kimg / lrate_rampup_kimg, 1.0)
        s.G_lrate *= rampup
        s.D_lrate *= rampup
    s.tick_kimg = tick_kimg_dict.get(s.resolution, tick_kimg_base)
    return s


def _level_of_detail(kimg, resolution_log2, initial_resolution, training_kimg, transition_kimg):
    """How many times the resolution still has to double (Progressive GAN, Section 2)."""
    if initial_resolution is None:
        return 0.0
    phase_dur = training_kimg + transition_kimg
    phase_idx = int(np.floor(kimg / phase_dur)) if phase_dur > 0 else 0
    phase_kimg = kimg - phase_idx * phase_dur
    lod = resolution_log2 - np.floor(np.log2(initial_resolution)) - phase_idx
    if transition_kimg > 0:
        lod -= max(phase_kimg - training_kimg, 0.0) / transition_kimg
    return float(max(lod, 0.0))
