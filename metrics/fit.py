"""Checks that the images of a generator or a data set can be compared with the real ones."""

from dnnlib.util import UserError
from training.data import sizes


def check_network(network_pkl, Gs, folder, max_label_size='full'):
    """Raise UserError unless a generator, an inspection.Blueprint, fits the images and labels of the data set
    in a folder. Nothing is checked if it is built by its own source text."""
    from training import dataset  # loads TensorFlow
    if not (Gs.is_generator and Gs.image_shape and Gs.num_channels):
        return
    real_shape, _ = dataset.shapes_in(folder)
    resolution = min(sizes.nominal(*Gs.image_shape), sizes.nominal(*real_shape[1:]))
    reals = dataset.shapes_in(folder, resolution, max_label_size=max_label_size if Gs.label_size else 0)
    check_generator(network_pkl, ([Gs.num_channels, *Gs.image_shape], [Gs.label_size]), reals)


def check_generator(network_pkl, generated, real):
    """Raise UserError unless a generator's ([C,H,W], [label_size]) are those of the real images."""
    if list(generated[0]) != list(real[0]):
        raise UserError(f'{network_pkl}: generates images {list(generated[0])}, but those of the data set '
                        f'are {list(real[0])}; choose the data set it was trained on')
    if list(generated[1]) != list(real[1]):
        raise UserError(f'{network_pkl}: takes labels of {generated[1][0]} components, but those of the data '
                        f'set have {real[1][0]}; choose the data set it was trained on')


def check_images(name, shape, num_images, real_shape, metric):
    """Raise UserError if a data set's images [C,H,W] differ in shape from the real ones or are too few."""
    if list(shape) != list(real_shape):
        raise UserError(f'--images={name}: holds images {list(shape)}, but those of the data set are '
                        f'{list(real_shape)}; create one of them again with dataset_tool.py')
    if num_images < metric.num_fakes:
        raise UserError(f'--images={name}: holds {num_images} images, but {metric.name} takes '
                        f'{metric.num_fakes}; compare fewer with --num-samples={num_images}')
