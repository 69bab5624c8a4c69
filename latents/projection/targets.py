"""The images that run_projector.py projects: of seeds, of data sets and of files, one after the other."""

from dataclasses import dataclass

import numpy as np

from dnnlib.util import UserError
from training import dataset, generation


@dataclass(frozen=True)
class Target:
    """An image to project."""
    message: str          # Printed before.
    prefix: str           # Of the names of its files.
    image: np.ndarray     # float32 [C,H,W], range -1 to 1
    label: np.ndarray     # [label_size]
    seed: int             # Of the random numbers of its projection.


def of_seeds(Gs, seeds, truncation_psi, class_idx=None):
    """Yield images that the network draws from seeds, each with noise of its own."""
    label = generation.label_of_class(Gs, class_idx)
    for idx, seed in enumerate(seeds):
        latents = generation.inputs_from_seed(Gs, seed)
        [image] = Gs.run(latents, label, truncation_psi=truncation_psi, randomize_noise=False)
        yield Target('Projecting seed %d (%d/%d) ...' % (seed, idx, len(seeds)), 'seed%04d-' % seed,
                     image, label[0], seed)


def of_data_set(Gs, data_dir, name, num_images, class_idx=None):
    """Yield the first images of a data set. Their labels count if the network takes such labels and
    `class_idx` is None."""
    print('Loading images from "%s"...' % name)
    with_labels = class_idx is None and Gs.input_shapes[1][1] > 0
    images = dataset.load_dataset(data_dir=data_dir, tfrecord_dir=name, repeat=False, shuffle_mb=0,
                                  max_label_size='full' if with_labels else 0)
    if images.shape != Gs.output_shape[1:]:
        raise UserError(f'--dataset={name}: has images {images.shape}; the network draws '
                        f'{Gs.output_shape[1:]}')
    label = generation.label_of_class(Gs, class_idx)[0]
    with_labels = with_labels and images.label_size == len(label)
    for idx in range(num_images):
        [pixels], [own_label] = images.get_minibatch_np(1)
        yield Target('Projecting image %d/%d ...' % (idx, num_images), 'image%04d-' % idx, _scaled(pixels),
                     own_label if with_labels else label, idx)


def of_files(Gs, files, class_idx=None):
    """Yield the images in `image_files.ImageFiles`."""
    print('Loading images from "%s"...' % files.path)
    for reason in files.others:
        print('Leaving out', reason)
    label = generation.label_of_class(Gs, class_idx)[0]
    for idx, name in enumerate(files.names):
        yield Target('Projecting image %d/%d (%s) ...' % (idx, len(files.names), name), 'image%04d-' % idx,
                     _scaled(files.read(name, Gs.output_shape[1:])), label, idx)


def _scaled(pixels):
    return pixels.astype(np.float32) * (2 / 255) - 1
