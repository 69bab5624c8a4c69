"""Metrics over EfficientNet-Lite0 in place of the Inception network, whose file may not be at hand.

They rank generators for one data set. Their figures are others than those of papers, and so are their names:
fd50k_lite0 is no FID.
"""

from metrics.frechet_inception_distance import FID
from metrics.inception_score import IS
from metrics.kernel_inception_distance import KID
from metrics.precision_recall import PR


class FrechetDistance(FID):
    """Frechet distance of features (Heusel et al., 2017) of EfficientNet-Lite0."""

    network_names = ('efficientnet_lite0_features',)


class KernelDistance(KID):
    """Kernel distance of features (Binkowski et al., 2018) of EfficientNet-Lite0."""

    network_names = ('efficientnet_lite0_features',)


class PrecisionRecall(PR):
    """Precision and recall (Kynkaanniemi et al., 2019) of features of EfficientNet-Lite0."""

    network_names = ('efficientnet_lite0_features',)


class ClassScore(IS):
    """The formula of the inception score (Salimans et al., 2016) for classes of EfficientNet-Lite0."""

    network_names = ('efficientnet_lite0_probabilities',)
