"""Kernel inception distance (Binkowski et al., 2018, "Demystifying MMD GANs")."""

from metrics import feature_metric
from metrics.figures import statistics


class KID(feature_metric.FeatureMetric):
    """Squared maximum mean discrepancy of Inception features under a cubic kernel, averaged over subsets."""

    network_name = 'inception_v3_features'
    result_suffixes = ('',)

    def measure(self, evaluation):
        fakes = self.fakes(evaluation)
        real = self.reals(evaluation, statistics.all_rows)
        fake = statistics.all_rows(fakes)
        evaluation.report(statistics.kernel_distance(real, fake), fmt='%-12.8f')
