"""The files of a projection: pictures, dlatents, noise and, if it is wanted, a video."""

import contextlib

import numpy as np

import dnnlib
from latents import dlatent_files, noise_files, video_files
from training.misc import pictures

FPS = 60                # as in StyleGAN2-ADA
VIDEO_HEIGHT = 256      # Smaller images are enlarged to about this.
_RANGE = [-1, 1]


def save_picture(images, name):
    """Write images [N,C,H,W], range -1 to 1, side by side."""
    path = dnnlib.make_run_dir_path(name)
    pictures.save_image_grid(images, path, drange=_RANGE, grid_size=(len(images), 1))


def save(prefix, target, image, dlatents, noises):
    """Write what a projection has found: target and image [C,H,W], dlatents [layers,dlatent_size] and noises
    [1,H,W]."""
    save_picture(np.stack([target, image]), f'{prefix}comparison.png')
    dlatent_files.write(dnnlib.make_run_dir_path(f'{prefix}projected_w.npz'), dlatents[np.newaxis])
    noise_files.write(dnnlib.make_run_dir_path(f'{prefix}projected_noises.npz'),
                      [noise[np.newaxis] for noise in noises])


@contextlib.contextmanager
def videos(paths, targets):
    """Give a function that adds a frame, target and image side by side, to one video per target.

    targets [N,C,H,W], range -1 to 1. The function takes images uint8 [N,H,W,C].
    """
    factor = max(VIDEO_HEIGHT // targets.shape[2], 1)
    targets = [np.atleast_3d(pictures.convert_to_pil_image(target, _RANGE)) for target in targets]
    with contextlib.ExitStack() as stack:
        adders = [stack.enter_context(video_files.opened(path, FPS)) for path in paths]

        def add(images):
            for adder, target, image in zip(adders, targets, images, strict=False):
                frame = np.concatenate([target, image], axis=1)
                frame = frame.repeat(factor, axis=0).repeat(factor, axis=1)
                adder(frame[:, :, 0] if frame.shape[2] == 1 else frame)
        yield add
