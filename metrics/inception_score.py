"""Inception score (Salimans et al., 2016, "Improved techniques for training GANs")."""

import numpy as np

from metrics import feature_networks, metric_base, sampling, statistics


class IS(metric_base.MetricBase):
    """How sure the Inception network is of single images, and how unsure on the whole."""

    network_names = ('inception_v3_softmax',)
    result_suffixes = ('_mean', '_std')

    def __init__(self, num_images, num_splits=10, minibatch_per_gpu=8, **kwargs):
        """`num_splits`: parts of the images whose scores give mean and standard deviation."""
        super().__init__(**kwargs)
        self.num_images = num_images
        self.num_splits = num_splits
        self.minibatch_per_gpu = minibatch_per_gpu

    def settings(self):
        """Numbers of samples, for records."""
        return {'num_fakes': self.num_images, 'num_splits': self.num_splits}

    def _evaluate(self, Gs, Gs_kwargs, num_gpus):
        network = feature_networks.load(*self.network_names)
        probabilities = np.concatenate(list(sampling.fake_features(
            self, Gs, Gs_kwargs, network, self.num_images, self.minibatch_per_gpu, num_gpus)))
        mean, std = statistics.inception_score(probabilities, num_splits=self.num_splits)
        self._report_result(mean, suffix='_mean')
        self._report_result(std, suffix='_std')
