"""Metrics that compare features of real and of generated images."""

import numpy as np

from dnnlib.progress import announced
from metrics import image_metric, sampling
from metrics.features import feature_networks


class FeatureComparison(image_metric.ImageMetric):
    """Subclasses name their network in `network_names`, and override `_summarize` and `_compare`."""

    def __init__(self, num_images=None, minibatch_per_gpu=8, max_reals=None, num_fakes=None, **kwargs):
        """As in StyleGAN2: `num_images` reals and as many fakes. As in StyleGAN2-ADA, without `num_images`:
        `num_fakes`, and `max_reals` or all of a data set that does not repeat."""
        super().__init__(num_fakes if num_images is None else num_images, minibatch_per_gpu, **kwargs)
        self.num_images = num_images
        self.max_reals = max_reals if num_images is None else num_images

    def settings(self):
        """Numbers of samples and of latents mixed, for records."""
        return {'max_reals': self.max_reals, **super().settings()}

    def _measure(self, network, fakes, num_gpus):
        self._tell_of_repeats(self.max_reals)
        network_name, = self.network_names
        counts = {'num_images': self.num_images} if self.num_images else {'max_reals': self.max_reals}
        real = self._cached_reals(
            lambda: self._summarize_reals(network, num_gpus),
            feature_network=feature_networks.checksum(network_name), **counts)
        fake = self._summarize(fakes)
        with announced(f'Comparing reals and fakes for {self.name}...'):
            self._compare(real, fake)

    def _summarize_reals(self, network, num_gpus):
        minibatch_size = num_gpus * self.minibatch_per_gpu
        features = sampling.real_features(self, network, self.max_reals, minibatch_size, num_gpus)
        return self._summarize(features, population=self.num_images is None)

    def _summarize(self, batches, population=False):
        """What is compared, of features that come in batches [n,F]: here all of them, float32 [N,F].

        `population`: they are everything there is, and no sample of it.
        """
        return np.concatenate([batch.astype(np.float32) for batch in batches])

    def _compare(self, real, fake):
        """Report results for two summaries."""
        raise NotImplementedError
