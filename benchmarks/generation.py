"""Generate images with StyleGAN2's config F at full width and random weights."""

import time

import numpy as np

import dnnlib.tflib as tflib
from benchmarks import counting, machine, timing
from training import misc
from training.settings.configs import config_settings

SETTINGS = config_settings('config-f')


def network(name, resolution, args=None):
    """Build 'G' or 'D' for RGB images. args: those of the network, None = config F's."""
    tflib.init_tf({'rnd.np_random_seed': 1})
    shape = dict(num_channels=3, resolution=resolution, label_size=0)
    with tflib.device(0):
        return tflib.Network(name, **shape, **(args or SETTINGS[f'{name}_args']))


def write_pickle(path, resolution):
    """Write (G, D, Gs) as training does."""
    G, D = network('G', resolution), network('D', resolution)
    misc.save_pkl((G, D, G.clone('Gs')), path)


def drawing(G, minibatch):
    """Return a function that calls `Network.run` on fixed latents with fresh noise."""
    latents = np.random.RandomState(1).randn(minibatch, *G.input_shape[1:])

    def images():
        G.run(latents, None, minibatch_size=minibatch, truncation_psi=0.5, randomize_noise=True,
              output_transform=dict(func=tflib.convert_images_to_uint8))

    return images


def generate(resolution, minibatch, seconds, min_rounds, with_profile=False):
    """Time the function that `drawing` returns. -> dict for JSON, times per image."""
    start = time.perf_counter()
    G = network('G', resolution)
    images = drawing(G, minibatch)
    built = time.perf_counter()
    images()
    first = time.perf_counter()
    rates, costs = timing.alternate(lambda: timing.cost_of(images) / minibatch, seconds, min_rounds)
    peak = machine.peak_memory_bytes()
    multiply_adds = counting.of_network(G)
    return {
        'resolution': resolution,
        'minibatch': minibatch,
        'build_seconds': built - start,
        'first_run_seconds': first - built,
        'peak_memory_bytes': peak,
        'multiply_adds_per_image': multiply_adds,
        **timing.against_limit(multiply_adds, rates, costs),
        **({'profile': timing.top(timing.profile(images))} if with_profile else {}),
    }
