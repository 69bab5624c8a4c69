"""NVIDIA's published speeds, to put ours beside. They were measured by their authors, not here."""

TRAINING_KIMG = 25000
RESOLUTION = 1024
CARD = 'Tesla V100'
HOUR = 60 * 60
# StyleGAN2's README: training config F at 1024x1024 for 25,000 kimg. {number of GPUs: seconds}.
TRAINING_SECONDS = {1: (69 * 24 + 23) * HOUR, 8: (9 * 24 + 18) * HOUR}
ELSEWHERE = ('The README of stylegan2-ada-pytorch lists sec/kimg by configuration, resolution and number of '
             'GPUs; its figures are not repeated here.')


def seconds_per_kimg(num_gpus) -> float | None:
    """Return the published sec/kimg of config F at 1024x1024, None for numbers of GPUs without a figure."""
    seconds = TRAINING_SECONDS.get(num_gpus)
    return None if seconds is None else seconds / TRAINING_KIMG
