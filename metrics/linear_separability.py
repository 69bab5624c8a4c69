"""Linear separability (StyleGAN, section 4.2)."""

import numpy as np
import tensorflow.compat.v1 as tf

from dnnlib.progress import shown
from metrics import metric, sampling
from metrics.features import feature_networks
from metrics.figures import statistics

CLASSIFIER_SIZE = 256  # larger images are averaged down before they are classified


class LS(metric.Metric):
    """How well a plane in Z, or in W, separates images with an attribute from those without."""

    result_suffixes = ('_z', '_w')

    def __init__(self, num_samples, num_keep, attrib_indices, minibatch_per_gpu=4, **kwargs):
        """`num_keep`: number of samples to keep, those whose attribute is most certain; `attrib_indices`:
        which of the 40 attributes of CelebA-HQ."""
        assert num_keep <= num_samples
        super().__init__(**kwargs)
        self.num_samples = num_samples
        self.num_keep = num_keep
        self.attrib_indices = list(attrib_indices)
        self.minibatch_per_gpu = minibatch_per_gpu
        self.network_names = [feature_networks.CLASSIFIERS[idx] for idx in self.attrib_indices]

    def require(self):
        """Download missing files. Raises UserError if the classifiers or scikit-learn are not available."""
        statistics.require_scikit_learn()
        super().require()

    def settings(self):
        return {'num_fakes': self.num_samples, 'num_keep': self.num_keep,
                'attrib_indices': self.attrib_indices}

    def measure(self, evaluation):
        """Report 2 to the power of the conditional entropies, summed over attributes, for Z and for W."""
        evaluation.require_styles()
        classifiers = [evaluation.network(name) for name in self.network_names]
        built = sampling.on_each_device(
            evaluation.num_gpus, [evaluation.Gs, *classifiers],
            lambda Gs, *classifiers: self._build(evaluation, Gs, classifiers))
        columns = [x.shape.as_list()[1] for x in built[0]]
        rows = [tf.concat(parts, axis=1) for parts in built]
        samples = np.concatenate(list(evaluation.values(rows, self.num_samples)))
        latents, dlatents, logits = np.split(samples, np.cumsum(columns)[:-1], axis=1)
        for suffix, points in (('_z', latents), ('_w', dlatents)):
            attributes = shown(logits.T, f'Separating {suffix[1:].upper()}', 'attributes')
            entropies = [self._entropy(points, column) for column in attributes]
            evaluation.report(2.0 ** np.sum(entropies), suffix=suffix)

    def _build(self, evaluation, Gs, classifiers):
        """Return latents [N,latent_size], dlatents of the last layer [N,dlatent_size], logits
        [N,attributes]."""
        latents = sampling.random_latents(Gs, self.minibatch_per_gpu)
        labels = evaluation.random_labels(self.minibatch_per_gpu)
        dlatents = Gs.components.mapping.get_output_for(latents, labels, **evaluation.Gs_kwargs)
        images = Gs.get_output_for(latents, None, **evaluation.Gs_kwargs)  # without labels, as published
        images = sampling.to_rgb(sampling.shrink_to(tf.cast(images, tf.float32), CLASSIFIER_SIZE))
        sampling.check_input(classifiers[0], images, self.name)
        logits = [classifier.get_output_for(images, None) for classifier in classifiers]
        return latents, tf.cast(dlatents[:, -1], tf.float32), tf.concat(logits, axis=1)

    def _entropy(self, points, logits):
        """Return the bits that the best plane leaves open about the attribute of the most certain samples."""
        certainty, target = _answers(logits)
        keep = np.argsort(-certainty, kind='stable')[:self.num_keep]
        return statistics.separability_entropy(points[keep], target[keep])


def _answers(logits):
    """Return the probability of the likelier answer and its index, 0 for a positive logit: [N] -> [N],
    [N]."""
    pairs = np.stack([logits, -logits], axis=1)  # [N,2]
    powers = np.exp(pairs - pairs.max(axis=1, keepdims=True))
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    return probabilities.max(axis=1), probabilities.argmax(axis=1)
