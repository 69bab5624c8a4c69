"""Draws videos of walks through the latents of a network."""

import contextlib
import itertools
import math

import numpy as np

import dnnlib
import pretrained_networks
from dnnlib import faults
from dnnlib.progress import Progress, announced
from dnnlib.util import UserError
from latents import dlatent_files, noise, styles, video_files
from latents.videos import walks
from training import generation
from training.loop import outlook
from training.misc import pictures
from training.settings import picture_requests

SECONDS = {'w': 2, 'z': 20}  # Default: per waypoint; of the whole walk.
SMOOTHING_SECONDS = 1        # Of Progressive GAN.
MINIBATCH_ON_GPU = 8         # On a CPU, as many as are drawn in a second...
MAX_MINIBATCH = 32           # ...but no more than this.


@faults.described('choose a smaller --grid', 'draw a shorter video')
def draw(network_pkl, output, grid=None, fps=30, crf=None, noise_mode='const', trust_source=False, **walk):
    """Write a video into the run directory. The arguments are the flags of the command `video`."""
    print(f'Loading networks from "{network_pkl}"...')
    Gs = pretrained_networks.load_generator(network_pkl, trust_source)
    grid = grid or (1, 1)
    num_frames, inputs = _planned(Gs, math.prod(grid), fps, **walk)
    images = _images(Gs, inputs, num_frames * math.prod(grid), randomize_noise=noise_mode == 'random')
    path = dnnlib.make_run_dir_path(output)
    print(f'Drawing {num_frames} frames: {num_frames / fps:.1f} s at {fps:g} frames per second...')
    without_noise = noise.only(Gs, []) if noise_mode == 'none' else contextlib.nullcontext()
    with without_noise, video_files.opened(path, fps, crf or video_files.DEFAULT_CRF) as add:
        while cells := list(itertools.islice(images, math.prod(grid))):
            picture = pictures.create_image_grid(np.stack(cells), grid)  # [C,H,W]
            add(picture[0] if len(picture) == 1 else picture.transpose(1, 2, 0))
    print(f'Saved {path}')


def _planned(Gs, num_cells, fps, truncation_psi, truncation_cutoff=None, walk='w', seeds=None, projected_w=(),
             latents=(), seconds=None, frames=None, smoothing=None, class_idx=None, classes=None,
             fixed_layers=None, fixed_seed=None):
    """Return the number of frames, and an iterator over the inputs of each.

    Inputs are dlatents [cells,layers,dlatent_size], or latents and labels for a network without styles.
    """
    label_size = Gs.input_shapes[1][1]
    class_numbers = classes or ([] if class_idx is None else [class_idx])
    for number in class_numbers:
        picture_requests.check_class(number, label_size)
    labels = walks.LabelLoop(label_size, class_numbers)
    num_frames = frames or max(round((seconds or SECONDS[walk]) * fps), 1)
    has_styles = 'mapping' in Gs.components
    if not has_styles and (walk == 'w' or fixed_layers):
        raise UserError(picture_requests.NO_STYLES)
    mapped = _Mapping(Gs, truncation_psi, truncation_cutoff) if has_styles else None
    if walk == 'w':
        waypoints = _Waypoints(mapped, _latents(Gs, latents or [], seeds or []),
                               _projected(Gs, projected_w or []))
        num_frames *= max(len(waypoints) // num_cells, len(class_numbers))
        inputs = ((dlatents,) for dlatents in walks.in_w(waypoints, labels, num_cells, num_frames))
    else:
        smoothing = SMOOTHING_SECONDS if smoothing is None else smoothing
        with announced('Smoothing the random latents...'):
            walk_in_z = walks.in_z(Gs.input_shape[1], seeds, num_frames, smoothing * fps)
        inputs = ((np.stack(each), np.tile(labels.at(frame / num_frames), (num_cells, 1)))
                  for frame, each in enumerate(walk_in_z))
        if has_styles:
            inputs = ((mapped(*each),) for each in inputs)
    if fixed_layers:
        fixed = mapped(generation.latents_from_seeds(Gs, [fixed_seed]), labels.at(0))
        inputs = ((styles.mix(dlatents, fixed, fixed_layers),) for dlatents, in inputs)
    return num_frames, inputs


def _latents(Gs, paths, seeds):
    """Return the latents [N,latent_size] of files and then of seeds."""
    found = [dlatent_files.read_latents(path) for path in paths]
    for path, each in zip(paths, found, strict=True):
        dlatent_files.check_fit_of_latents(path, each, Gs.input_shape[1])
    return np.concatenate([*found, generation.latents_from_seeds(Gs, seeds)])


def _projected(Gs, paths):
    """Return the dlatents [N,layers,dlatent_size] of each file."""
    num_layers = Gs.components.synthesis.input_shape[1]
    return [dlatent_files.for_layers(dlatent_files.read(path), num_layers) for path in paths]


class _Mapping:
    """Maps latents to truncated dlatents."""

    def __init__(self, Gs, psi, cutoff):
        self._mapping, self._psi, self._cutoff = Gs.components.mapping, psi, cutoff
        self._dlatent_avg = Gs.get_var('dlatent_avg')

    def __call__(self, latents, labels):
        """Latents [N,latent_size], labels [N or none,label_size] -> dlatents [N,layers,dlatent_size]."""
        labels = np.broadcast_to(labels, [len(latents), labels.shape[-1]])
        dlatents = self._mapping.run(latents, labels)
        return styles.truncate(dlatents, self._dlatent_avg, self._psi, self._cutoff)


class _Waypoints:
    """The waypoints of a walk: dlatents [N,layers,dlatent_size], then latents [N,latent_size] to map."""

    def __init__(self, mapped, latents, projected):
        self._mapped, self._latents, self._projected = mapped, latents, projected

    def __len__(self):
        return sum(map(len, self._projected)) + len(self._latents)

    def __call__(self, label):
        """Return dlatents [N,layers,dlatent_size] for a label [label_size]."""
        mapped = [self._mapped(self._latents, label)] if len(self._latents) else []
        return np.concatenate([*self._projected, *mapped])


def _images(Gs, inputs, num_images, randomize_noise):
    """Yield images [C,H,W], uint8, cell by cell and frame by frame, and show the progress."""
    net = Gs.components.get('synthesis', Gs)
    cells = itertools.chain.from_iterable(zip(*arrays, strict=True) for arrays in inputs)
    size = min(outlook.images_within(1, Gs), MAX_MINIBATCH) if outlook.on_cpu() else MINIBATCH_ON_GPU
    progress = Progress(num_images, 'images', title='Drawing')
    for done in range(0, num_images, size):
        progress.show(done)
        minibatch = zip(*itertools.islice(cells, size), strict=True)
        options = {**generation.SYNTHESIS, 'randomize_noise': randomize_noise}
        yield from net.run(*map(np.stack, minibatch), **options)
    progress.clear()
