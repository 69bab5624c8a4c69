"""The training schedule: everything that depends on how many real images have been shown."""

import numpy as np

from dnnlib import EasyDict


def training_schedule(
    cur_nimg,                               # Real images shown so far.
    training_set,                           # Anything with `resolution_log2`, such as a data set.
    lod_initial_resolution = None,          # Resolution to start growing from. None = do not grow.
    lod_training_kimg = 600,                # kimg to train a resolution before the next one fades in.
    lod_transition_kimg = 600,              # kimg for the next one to fade in.
    minibatch_size_base = 32,               # Images per update of the weights, over all devices.
    minibatch_size_dict = {},               # The same by resolution; the base holds for others.
    minibatch_gpu_base = 4,                 # Images that one device processes at a time.
    minibatch_gpu_dict = {},                # The same by resolution.
    G_lrate_base = 0.002,                   # Learning rate of G.
    G_lrate_dict = {},                      # The same by resolution.
    D_lrate_base = 0.002,                   # Learning rate of D.
    D_lrate_dict = {},                      # The same by resolution.
    lrate_rampup_kimg = 0,                  # kimg in which learning rates rise from 0. 0 = at once.
    tick_kimg_base = 4,                     # kimg from one tick to the next.
    tick_kimg_dict = {8: 28, 16: 24, 32: 20, 64: 16, 128: 12, 256: 8, 512: 6, 1024: 4}): # By resolution.
    """Return the settings after `cur_nimg` images. They depend on the arguments only.

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


def with_D_lrate(sched_args):
    """Return `sched_args` with the generator's learning rates for the discriminator, too, unless it has its
    own; as in StyleGAN2's loop."""
    if any(name.startswith('D_lrate_') for name in sched_args):
        return sched_args
    rates = {'D' + name[1:]: rate for name, rate in sched_args.items() if name.startswith('G_lrate_')}
    return {**sched_args, **rates}


def _level_of_detail(kimg, resolution_log2, initial_resolution, training_kimg, transition_kimg):
    """Return how many times the resolution has yet to double (Progressive GAN, Section 2)."""
    if initial_resolution is None:
        return 0.0
    phase_dur = training_kimg + transition_kimg
    phase_idx = int(np.floor(kimg / phase_dur)) if phase_dur > 0 else 0
    phase_kimg = kimg - phase_idx * phase_dur
    lod = resolution_log2 - np.floor(np.log2(initial_resolution)) - phase_idx
    if transition_kimg > 0:
        lod -= max(phase_kimg - training_kimg, 0.0) / transition_kimg
    return float(max(lod, 0.0))
