"""Frechet inception distance (Heusel et al., 2017, "GANs trained by a two time-scale update rule")."""

import functools

from dnnlib.progress import announced
from metrics import feature_metric
from metrics.figures import statistics


class FID(feature_metric.FeatureMetric):
    """Distance between the normal distributions that are fitted to features of real and generated images."""

    network_name = 'inception_v3_features'
    result_suffixes = ('',)

    def measure(self, evaluation):
        fakes = self.fakes(evaluation)
        ddof = 1 if self.num_images else 0  # without `num_images`, the real images are the whole population
        real = self.reals(evaluation, functools.partial(statistics.moments, ddof=ddof))
        fake = statistics.moments(fakes)
        with announced(f'Comparing real and generated images for {self.name}...'):
            evaluation.report(statistics.frechet_distance(*real, *fake))
