"""Inception score (Salimans et al., 2016, "Improved techniques for training GANs")."""

import numpy as np

from metrics import image_metric
from metrics.figures import statistics


class IS(image_metric.ImageMetric):
    """How sure the Inception network is of single images, and how unsure on the whole."""

    network_names = ('inception_v3_softmax',)
    result_suffixes = ('_mean', '_std')

    def __init__(self, num_images, num_splits=10, minibatch_per_gpu=8, **kwargs):
        """`num_splits`: parts of the images whose scores give mean and standard deviation."""
        super().__init__(num_images, minibatch_per_gpu, **kwargs)
        self.num_splits = num_splits

    def settings(self):
        """Numbers of samples, splits and latents mixed, for records."""
        return {**super().settings(), 'num_splits': self.num_splits}

    def _measure(self, network, fakes, num_gpus):
        probabilities = np.concatenate(list(fakes))
        mean, std = statistics.inception_score(probabilities, num_splits=self.num_splits)
        self._report_result(mean, suffix='_mean')
        self._report_result(std, suffix='_std')
