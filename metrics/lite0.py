"""Earlier names of the metrics over EfficientNet-Lite0, which settings of existing runs hold."""

import functools

from metrics.frechet_inception_distance import FID
from metrics.inception_score import IS
from metrics.kernel_inception_distance import KID
from metrics.precision_recall import PR

FrechetDistance = functools.partial(FID, network_name='efficientnet_lite0_features')
KernelDistance = functools.partial(KID, network_name='efficientnet_lite0_features')
PrecisionRecall = functools.partial(PR, network_name='efficientnet_lite0_features')
ClassScore = functools.partial(IS, network_name='efficientnet_lite0_probabilities')
