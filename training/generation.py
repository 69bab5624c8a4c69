"""Images from seeds: what the scripts that draw with a trained generator share."""

import numpy as np

import dnnlib
import dnnlib.tflib as tflib
from training import misc

SYNTHESIS = dict(randomize_noise=False, output_transform=dict(func=tflib.convert_images_to_uint8))


def inputs_from_seed(Gs, seed):
    """Latents [1,latent_size] of this seed; the random numbers that follow them become the noise of Gs."""
    rnd = np.random.RandomState(seed)
    latents = rnd.randn(1, *Gs.input_shape[1:])
    synthesis_vars = Gs.components.synthesis.vars.items()
    tflib.set_vars({var: rnd.randn(*var.shape.as_list())
                    for name, var in synthesis_vars if name.startswith('noise')})
    return latents


def images_from_latents(Gs, latents, truncation_psi):
    """Latents [N,latent_size] -> uint8 [N,C,H,W], with the noise that Gs has."""
    return Gs.run(latents, None, truncation_psi=truncation_psi, **SYNTHESIS)


def dlatents_from_seeds(Gs, seeds, truncation_psi):
    """-> {seed: its dlatents [layers,dlatent_size], pulled towards the mean by `truncation_psi`}."""
    seeds = list(dict.fromkeys(seeds))
    latents = np.stack([np.random.RandomState(seed).randn(*Gs.input_shape[1:]) for seed in seeds])
    dlatents = Gs.components.mapping.run(latents, None)  # [N,layers,dlatent_size]
    dlatent_avg = Gs.get_var('dlatent_avg')
    return dict(zip(seeds, dlatent_avg + (dlatents - dlatent_avg) * truncation_psi, strict=True))


def images_from_dlatents(Gs, dlatents, minibatch_size=4):
    """Dlatents [N,layers,dlatent_size] -> uint8 [N,C,H,W], with the noise that Gs has."""
    return Gs.components.synthesis.run(dlatents, minibatch_size=minibatch_size, **SYNTHESIS)


def save_images(images, name, grid_size=None):
    """Write images, uint8 [N,C,H,W], as one picture of (columns, rows) into the run directory."""
    misc.save_image_grid(images, dnnlib.make_run_dir_path(name), drange=[0, 255], grid_size=grid_size)
