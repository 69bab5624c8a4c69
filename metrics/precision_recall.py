"""Precision and recall (Kynkaanniemi et al., 2019, "Improved precision and recall metric ...")."""

from metrics import feature_metric
from metrics.figures import manifold, statistics


class PR(feature_metric.FeatureMetric):
    """Share of generated images in the manifold of real ones, and the reverse, in VGG16 features."""

    network_name = 'vgg16'
    result_suffixes = ('_precision', '_recall')

    def __init__(self, num_images=None, nhood_size=3, minibatch_per_gpu=8, row_batch_size=10000,
                 col_batch_size=10000, **kwargs):
        """`nhood_size`: an image's neighbourhood reaches to its neighbour of this rank; batch sizes: rows and
        columns of the distance matrix to hold in memory. The other arguments are those of FeatureMetric."""
        super().__init__(num_images, minibatch_per_gpu, **kwargs)
        self.options = dict(
            nhood_size=nhood_size, row_batch_size=row_batch_size, col_batch_size=col_batch_size)

    def measure(self, evaluation):
        fakes = self.fakes(evaluation)
        real = self.reals(evaluation, statistics.all_rows)
        fake = statistics.all_rows(fakes)
        precision, recall = manifold.precision_recall(real, fake, **self.options)
        evaluation.report(precision, suffix='_precision')
        evaluation.report(recall, suffix='_recall')
