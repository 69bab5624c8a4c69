"""Kernel inception distance (Binkowski et al., 2018, "Demystifying MMD GANs")."""

from metrics import comparison
from metrics.figures import statistics


class KID(comparison.FeatureComparison):
    """Squared maximum mean discrepancy of Inception features under a cubic kernel, mean over subsets."""

    network_names = ('inception_v3_features',)
    result_suffixes = ('',)

    def _compare(self, real, fake):
        self._report_result(statistics.kernel_distance(real, fake), fmt='%-12.8f')
