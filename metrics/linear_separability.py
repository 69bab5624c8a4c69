"""Linear separability (StyleGAN, section 4.2)."""

import numpy as np
import tensorflow.compat.v1 as tf

from dnnlib.progress import shown
from metrics import metric_base, sampling
from metrics.features import feature_networks
from metrics.figures import statistics

CLASSIFIER_SIZE = 256  # larger images are averaged down before they are classified


class LS(metric_base.MetricBase):
    """How well planes in Z and in W separate images with an attribute from those without, over attributes."""

    result_suffixes = ('_z', '_w')

    def __init__(self, num_samples, num_keep, attrib_indices, minibatch_per_gpu=4, **kwargs):
        """`num_keep`: so many samples whose attribute is surest; `attrib_indices`: of CelebA-HQ's 40."""
        assert num_keep <= num_samples
        super().__init__(**kwargs)
        self.num_samples = num_samples
        self.num_keep = num_keep
        self.attrib_indices = list(attrib_indices)
        self.minibatch_per_gpu = minibatch_per_gpu
        self.network_names = [feature_networks.CLASSIFIERS[idx] for idx in self.attrib_indices]

    def require(self):
        """As for all metrics; scikit-learn is needed, too."""
        statistics.separability_entropy(np.zeros([1, 1]), np.zeros([1], np.int64))
        super().require()

    def settings(self):
        """Numbers of samples and attributes, for records."""
        return {'num_fakes': self.num_samples, 'num_keep': self.num_keep,
                'attrib_indices': self.attrib_indices}

    def _evaluate(self, Gs, Gs_kwargs, num_gpus):
        self._require_styles(Gs)
        classifiers = [feature_networks.load(name) for name in self.network_names]
        built = sampling.on_each_device(
            num_gpus, [Gs, *classifiers], lambda Gs, *classifiers: self._build(Gs, classifiers, Gs_kwargs))
        columns = [z.shape.as_list()[1] for z in built[0]]
        rows = [tf.concat(parts, axis=1) for parts in built]
        samples = np.concatenate(list(sampling.evaluate(self, rows, self.num_samples)))
        latents, dlatents, logits = np.split(samples, np.cumsum(columns)[:-1], axis=1)
        for suffix, points in (('_z', latents), ('_w', dlatents)):
            attributes = shown(logits.T, f'Separating {suffix[1:].upper()}', 'attributes')
            entropies = [self._entropy(points, column) for column in attributes]
            self._report_result(2.0 ** np.sum(entropies), suffix=suffix)

    def _build(self, Gs, classifiers, Gs_kwargs):
        """-> latents [N,latent_size], dlatents of the last layer [N,dlatent_size], logits [N,attributes]."""
        latents = sampling.random_latents(Gs, self.minibatch_per_gpu)
        labels = self._get_random_labels_tf(self.minibatch_per_gpu)
        dlatents = Gs.components.mapping.get_output_for(latents, labels, **Gs_kwargs)
        images = Gs.get_output_for(latents, None, **Gs_kwargs)  # without labels, as published
        images = sampling.to_rgb(sampling.shrink_to(tf.cast(images, tf.float32), CLASSIFIER_SIZE))
        sampling.check_input(classifiers[0], images, self.name)
        logits = [classifier.get_output_for(images, None) for classifier in classifiers]
        return latents, tf.cast(dlatents[:, -1], tf.float32), tf.concat(logits, axis=1)

    def _entropy(self, points, logits):
        """Bits that are missing to know an attribute of the surest samples from their side of a plane."""
        certainty, target = _answers(logits)
        keep = np.argsort(-certainty, kind='stable')[:self.num_keep]
        return statistics.separability_entropy(points[keep], target[keep])


def _answers(logits):
    """Logits [N] -> probability of the likelier answer, its index (0 for a positive logit): [N] each."""
    pairs = np.stack([logits, -logits], axis=1)  # [N,2]
    powers = np.exp(pairs - pairs.max(axis=1, keepdims=True))
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    return probabilities.max(axis=1), probabilities.argmax(axis=1)
