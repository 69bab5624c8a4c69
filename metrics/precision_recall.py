"""Precision and recall (Kynkaanniemi et al., 2019, "Improved precision and recall metric ...")."""

from metrics import comparison
from metrics.figures import statistics


class PR(comparison.FeatureComparison):
    """Share of fakes within the manifold of reals, and of reals within that of fakes, by VGG16 features."""

    network_names = ('vgg16',)
    result_suffixes = ('_precision', '_recall')

    def __init__(self, num_images=None, nhood_size=3, minibatch_per_gpu=8, row_batch_size=10000,
                 col_batch_size=10000, **kwargs):
        """`nhood_size`: the nearest neighbour that an image's neighbourhood reaches to; batch sizes: rows and
        columns of the matrix of distances that are in memory at a time. Others as of FeatureComparison."""
        super().__init__(num_images, minibatch_per_gpu, **kwargs)
        self.nhood_size = nhood_size
        self.row_batch_size = row_batch_size
        self.col_batch_size = col_batch_size

    def _compare(self, real, fake):
        precision, recall = statistics.precision_recall(
            real, fake, nhood_size=self.nhood_size, row_batch_size=self.row_batch_size,
            col_batch_size=self.col_batch_size)
        self._report_result(precision, suffix='_precision')
        self._report_result(recall, suffix='_recall')
