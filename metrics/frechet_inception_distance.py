"""Frechet inception distance (Heusel et al., 2017, "GANs trained by a two time-scale update rule")."""

from metrics import comparison
from metrics.figures import statistics


class FID(comparison.FeatureComparison):
    """Distance between normal distributions that have the moments of the Inception features."""

    network_names = ('inception_v3_features',)
    result_suffixes = ('',)

    def _summarize(self, batches, population=False):
        """-> mean [F], covariance [F,F]"""
        moments = None
        for features in batches:
            moments = moments or statistics.Moments(features.shape[1])
            moments.add(features)
        return moments.mean, moments.covariance(ddof=0 if population else 1)

    def _compare(self, real, fake):
        self._report_result(statistics.frechet_distance(*real, *fake))
