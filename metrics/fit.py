"""What metrics compare has to have the same shape, and there has to be enough of it. Without TensorFlow."""

from dnnlib.util import UserError


def check_generator(network_pkl, generated, real):
    """Raise UserError unless (shape of the images [C,H,W], size of the labels) of a generator are those of
    the real images."""
    if list(generated[0]) != list(real[0]):
        raise UserError(f'{network_pkl}: generates images {list(generated[0])}, but those of the data set '
                        f'are {list(real[0])}; choose the one it was trained on')
    if generated[1] != real[1]:
        raise UserError(f'{network_pkl}: takes labels of {generated[1]} components, but those of the data '
                        f'set have {real[1]}; choose the one that it was trained on')


def check_images(name, shape, real_shape):
    """Raise UserError for images [C,H,W] of another shape than the real ones."""
    if list(shape) != list(real_shape):
        raise UserError(f'--images={name}: holds images {list(shape)}, but those of the data set are '
                        f'{list(real_shape)}; create one of them again with dataset_tool.py')


def check_number(name, num_images, metric):
    """Raise UserError for fewer images than a metric takes."""
    if num_images < metric.num_fakes:
        raise UserError(f'--images={name}: holds {num_images} images, but {metric.name} takes '
                        f'{metric.num_fakes}; compare fewer with --num-samples={num_images}')
