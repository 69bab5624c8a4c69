"""Perceptual path length (StyleGAN, section 4.1)."""

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from metrics import metric_base, sampling
from metrics.features import feature_networks
from metrics.figures import statistics

MAX_SIZE = 256  # larger images are averaged down before they are compared


def slerp(a, b, t):
    """Spherical interpolation between latents (StyleGAN, Section 4.1): a point on the great circle through
    the directions of a (t = 0) and b (t = 1).

    a, b [...,C], of any length but 0; t [...,1], which may lie beyond both ends -> unit vectors [...,C].
    """
    start, end = tf.math.l2_normalize(a, axis=-1), tf.math.l2_normalize(b, axis=-1)
    cosine = tf.reduce_sum(start * end, axis=-1, keepdims=True)  # [...,1]
    across = end - cosine * start  # at a right angle to the start
    sine = tf.norm(across, axis=-1, keepdims=True)
    angle = t * tf.atan2(sine, cosine)
    point = start * tf.cos(angle) + tf.math.divide_no_nan(across, sine) * tf.sin(angle)
    return tf.math.l2_normalize(point, axis=-1)


def _interleave(a, b):
    """Rows a0, b0, a1, b1, ...: [N,...] -> [2*N,...]."""
    return tf.reshape(tf.stack([a, b], axis=1), [-1, *a.shape.as_list()[1:]])


class PPL(metric_base.MetricBase):
    """How far images move, as LPIPS sees it, when latents do by a small step."""

    network_names = ('vgg16_zhang_perceptual',)
    result_suffixes = ('',)

    def __init__(self, num_samples, epsilon, space, sampling, crop=True, minibatch_per_gpu=4, Gs_overrides={},
                 **kwargs):
        """`epsilon`: length of a step; `space`: 'z' or 'w'; `sampling`: steps start anywhere on a path
        ('full') or at its 'end'; `crop`: look at the faces only; `Gs_overrides`: for the generator."""
        assert space in ('z', 'w') and sampling in ('full', 'end')
        super().__init__(**kwargs)
        self.num_samples = num_samples
        self.epsilon = epsilon
        self.space = space
        self.sampling = sampling
        self.crop = crop
        self.minibatch_per_gpu = minibatch_per_gpu
        self.Gs_overrides = Gs_overrides

    def settings(self):
        """Numbers of samples and form of the paths, for records."""
        return {'num_fakes': self.num_samples, 'epsilon': self.epsilon, 'space': self.space,
                'sampling': self.sampling, 'crop': self.crop}

    def _evaluate(self, Gs, Gs_kwargs, num_gpus):
        self._require_styles(Gs)
        Gs_kwargs = {**Gs_kwargs, **self.Gs_overrides}
        lpips = feature_networks.load(*self.network_names)
        built = sampling.on_each_device(
            num_gpus, [Gs, lpips], lambda Gs, lpips: self._build(Gs, lpips, Gs_kwargs))
        # In a step of its own: noise that changed within one would be taken for a difference of images.
        redraw = [op for _, ops in built for op in ops]
        minibatch_size = num_gpus * self.minibatch_per_gpu
        num_samples = -(-self.num_samples // minibatch_size) * minibatch_size  # whole minibatches are kept
        tensors = [distances for distances, _ in built]
        distances = np.concatenate(list(sampling.evaluate(self, tensors, num_samples, before=redraw)))
        self._report_result(statistics.filtered_mean(distances))

    def _build(self, Gs, lpips, Gs_kwargs):
        """-> scaled distances [N], operations that draw the noise afresh."""
        synthesis = Gs.components.synthesis
        images = synthesis.get_output_for(
            self._dlatents(Gs, Gs_kwargs), **{**Gs_kwargs, 'randomize_noise': False})
        images = sampling.to_rgb(self._prepare(tf.cast(images, tf.float32)))
        ends = images[0::2], images[1::2]
        sampling.check_input(lpips, ends[0], self.name)
        distances = lpips.get_output_for(*ends) * (1 / self.epsilon ** 2)
        noise = [var for name, var in synthesis.vars.items() if name.startswith('noise')]
        return distances, [var.initializer for var in noise]

    def _dlatents(self, Gs, Gs_kwargs):
        """Both ends of every step, in turn: [2*N,layers,dlatent_size]."""
        num = self.minibatch_per_gpu
        labels = self._get_random_labels_tf(num)
        labels = tf.reshape(tf.tile(labels, [1, 2]), [2 * num, labels.shape[1]])  # same for both ends
        latents = sampling.random_latents(Gs, 2 * num)
        t = tflib.random.uniform([num], 0.0, 1.0 if self.sampling == 'full' else 0.0)

        def mapping(latents):
            return tf.cast(Gs.components.mapping.get_output_for(latents, labels, **Gs_kwargs), tf.float32)

        if self.space == 'w':
            dlatents = mapping(latents)
            t = t[:, np.newaxis, np.newaxis]
            steps = [tflib.lerp(dlatents[0::2], dlatents[1::2], t + step) for step in (0.0, self.epsilon)]
            return _interleave(*steps)
        t = t[:, np.newaxis]
        return mapping(_interleave(*[slerp(latents[0::2], latents[1::2], t + step)
                                     for step in (0.0, self.epsilon)]))

    def _prepare(self, images):
        """Crop to the face, average down, [-1,1] -> [0,255]."""
        if self.crop:
            c = images.shape.as_list()[2] // 8
            images = images[:, :, c * 3:c * 7, c * 2:c * 6]
        return (sampling.shrink_to(images, MAX_SIZE) + 1) * (255 / 2)
