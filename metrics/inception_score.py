"""Inception score (Salimans et al., 2016, "Improved techniques for training GANs")."""

from metrics import feature_metric
from metrics.figures import statistics


class IS(feature_metric.FeatureMetric):
    """How certain the Inception network is about each image, and how varied its answers are overall."""

    network_name = 'inception_v3_softmax'
    result_suffixes = ('_mean', '_std')

    def __init__(self, num_images, num_splits=10, minibatch_per_gpu=8, **kwargs):
        """`num_splits`: groups of images; results are mean and standard deviation of their scores. The other
        arguments are those of FeatureMetric."""
        super().__init__(num_images, minibatch_per_gpu, **kwargs)
        self.num_splits = num_splits

    def settings(self):
        settings = {**super().settings(), 'num_splits': self.num_splits}
        del settings['max_reals']
        return settings

    def measure(self, evaluation):
        probabilities = statistics.all_rows(self.fakes(evaluation))
        mean, std = statistics.inception_score(probabilities, num_splits=self.num_splits)
        evaluation.report(mean, suffix='_mean')
        evaluation.report(std, suffix='_std')
