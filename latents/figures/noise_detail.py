"""What noise changes: details of several realizations beside the standard deviation (StyleGAN, figure 4)."""

import numpy as np

from dnnlib import faults
from latents.figures import finishing, layout

PUBLISHED_CROP, PUBLISHED_SIZE = (650, 180, 256, 256), (1024, 1024)
FEWEST_SAMPLES = 5  # the image, and four of which a detail is shown


class Deviation:
    """The standard deviation over images, which it takes one by one and does not keep."""

    def __init__(self):
        """Begin without any images."""
        self._count, self._sum, self._squares = 0, 0, 0

    def add(self, image):
        """Add an image, uint8 [H,W] or [H,W,C], all of one size."""
        image = image.astype(np.int64)
        self._num_channels = 1 if image.ndim == 2 else image.shape[2]
        value = image if image.ndim == 2 else image.sum(axis=2)
        self._count, self._sum = self._count + 1, self._sum + value
        self._squares = self._squares + value ** 2

    def map(self):
        """Return 4 times the standard deviation of the channels' mean, rounded, uint8 [H,W]."""
        variance = self._count * self._squares - self._sum ** 2     # of count * num_channels * mean: exact
        deviation = np.sqrt(variance) / (self._count * self._num_channels)
        return np.clip(deviation * 4 + 0.5, 0, 255).astype(np.uint8)


def place_of_details(size, crop=None):
    """Return the crop, by default the place of the published one. Raises UserError if it does not fit."""
    crop = crop or layout.proportional(PUBLISHED_CROP, PUBLISHED_SIZE, size)
    layout.check_crop(crop, size)
    return crop


def picture_size(size, seeds, crop=None):
    """Return (width, height) of the picture. Raises UserError if the crop does not fit."""
    place_of_details(size, crop)
    return size[0] * 3, size[1] * len(seeds)


def compose(painter, seeds, num_samples, crop=None, psi=1):
    """Draw the picture: a row for each seed, of an image, four details and the standard deviation."""
    painter.check_noise()
    crop = place_of_details(painter.size, crop)
    picture = finishing.blank(painter, *picture_size(painter.size, seeds))
    for row, latents in enumerate(painter.latents(seeds)):
        latents = np.repeat(latents[np.newaxis], num_samples, axis=0)
        images = painter.from_latents(latents, psi, f'Row {row + 1} of {len(seeds)}', randomize_noise=True)
        _draw_row(picture, images, row * painter.size[1], painter.size, crop)
    return picture


def _draw_row(picture, images, y, size, crop):
    from PIL import Image
    (width, height), (left, top, crop_width, crop_height) = size, crop
    half, deviation = (width // 2, height // 2), Deviation()
    for idx, image in enumerate(images):
        deviation.add(np.asarray(image))
        if idx == 0:
            picture.paste(image, (0, y))
        elif idx <= 4:
            detail = image.crop((left, top, left + crop_width, top + crop_height))
            place = (width + (idx - 1) % 2 * half[0], y + (idx - 1) // 2 * half[1])
            picture.paste(detail.resize(half, Image.Resampling.NEAREST), place)
    picture.paste(Image.fromarray(deviation.map()), (2 * width, y))


def legend(size, seeds, num_samples):
    """Return the legend: what the columns show, and seeds."""
    columns = ['image', 'details of 4 more', 'standard deviation']
    return layout.Legend(f'{num_samples} images that differ in noise', layout.even_spans(columns, size[0]),
                         layout.even_spans([f'seed {seed}' for seed in seeds], size[1]))


@faults.described()
def draw(network_pkl, seeds, num_samples, crop=None, truncation_psi=1, class_idx=None, has_legend=True,
         scale=None, trust_source=False):
    """Write noise-detail.png."""
    from latents.figures.painter import Painter
    painter = Painter(network_pkl, class_idx, trust_source)
    picture = compose(painter, seeds, num_samples, crop, truncation_psi)
    texts = legend(painter.size, seeds, num_samples) if has_legend else None
    finishing.finish(picture, 'noise-detail.png', painter, texts, scale)
