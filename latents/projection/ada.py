"""What projector.py does: an image is projected, and its files have the names of StyleGAN2-ADA."""

import contextlib
import os

import numpy as np

import dnnlib.tflib as tflib
import pretrained_networks
from dnnlib import faults
from dnnlib.progress import Progress, announced
from latents import dlatent_files, noise_files
from latents.projection import results
from latents.projection.image_files import ImageFiles
from latents.projection.projector import Projector
from training.misc import pictures


@faults.described()
def project(network_pkl, target_fname, outdir, save_video, seed, features, trust_source):
    """Project the image in a file into W, and write the results to a folder."""
    print('Loading networks from "%s"...' % network_pkl)
    tflib.init_tf({'rnd.np_random_seed': seed})
    Gs = pretrained_networks.load_generator(network_pkl, trust_source)
    files = ImageFiles(target_fname)
    pixels = files.read(files.names[0], Gs.output_shape[1:])[np.newaxis]  # [1,C,H,W]
    target = pixels.astype(np.float32) * (2 / 255) - 1
    projector = Projector()
    projector.features = features
    with announced('Building the graph...'):
        projector.set_network(Gs)
    projector.start(target)
    os.makedirs(outdir, exist_ok=True)
    pictures.save_image_grid(pixels, os.path.join(outdir, 'target.png'), drange=[0, 255])
    video = contextlib.nullcontext()
    if save_video:
        video = results.videos([os.path.join(outdir, 'proj.mp4')], target)
    with video as add_frame:
        _optimize(projector, add_frame)
    pictures.save_image_grid(projector.images_float, os.path.join(outdir, 'proj.png'), drange=[-1, 1])
    dlatent_files.write(os.path.join(outdir, 'dlatents.npz'), projector.dlatents, key='dlatents')
    if projector.noises:
        noise_files.write(os.path.join(outdir, 'projected_noises.npz'), projector.noises)


def _optimize(projector, add_frame):
    progress = Progress(projector.num_steps, 'steps', title='Projecting')
    while projector.cur_step < projector.num_steps:
        progress.show(projector.cur_step)
        if add_frame is not None:
            add_frame(projector.images_uint8)
        projector.step()
    progress.clear()
