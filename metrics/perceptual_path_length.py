"""Perceptual path length (StyleGAN, section 4.1)."""

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from metrics import metric
from metrics import sampling as images_of
from metrics.figures import statistics

MAX_SIZE = 256  # larger images are averaged down before they are compared


def slerp(a, b, t):
    """Interpolate latents spherically (StyleGAN, section 4.1): return the point on the great circle through
    the directions of a (t = 0) and b (t = 1).

    a, b [...,C], of any length but 0; t [...,1], any number -> unit vectors [...,C].
    """
    start, end = tf.math.l2_normalize(a, axis=-1), tf.math.l2_normalize(b, axis=-1)
    cosine = tf.reduce_sum(start * end, axis=-1, keepdims=True)  # [...,1]
    across = end - cosine * start  # at a right angle to the start
    sine = tf.norm(across, axis=-1, keepdims=True)
    angle = t * tf.atan2(sine, cosine)
    point = start * tf.cos(angle) + tf.math.divide_no_nan(across, sine) * tf.sin(angle)
    return tf.math.l2_normalize(point, axis=-1)


class PPL(metric.Metric):
    """How far images move, as LPIPS sees it, when their latents move by a small step."""

    network_names = ('vgg16_zhang_perceptual',)
    result_suffixes = ('',)

    def __init__(self, num_samples, epsilon, space, sampling, crop=True, minibatch_per_gpu=4, Gs_overrides={},
                 **kwargs):
        """
        epsilon:      length of a step.
        space:        take steps in 'z' or 'w'.
        sampling:     begin steps anywhere on a path ('full') or at its first end ('end').
        crop:         compare the region of the face only?
        Gs_overrides: override arguments of the generator.
        """
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
        return {'num_fakes': self.num_samples, 'epsilon': self.epsilon, 'space': self.space,
                'sampling': self.sampling, 'crop': self.crop}

    def measure(self, evaluation):
        """Report the mean length of steps, in units of `epsilon` squared."""
        evaluation.require_styles()
        built = images_of.on_each_device(
            evaluation.num_gpus, [evaluation.Gs, evaluation.network(self.network_names[0])],
            lambda Gs, lpips: self._build(evaluation, Gs, lpips))
        # Noise is redrawn by a session call of its own: within one, both images of a step must share it.
        redraw = [op for _, ops in built for op in ops]
        minibatch_size = evaluation.num_gpus * self.minibatch_per_gpu
        num_samples = -(-self.num_samples // minibatch_size) * minibatch_size  # whole minibatches are kept
        batches = evaluation.values([distances for distances, _ in built], num_samples, before=redraw)
        evaluation.report(statistics.filtered_mean(np.concatenate(list(batches))))

    def _build(self, evaluation, Gs, lpips):
        """Return scaled distances [N] and the operations that redraw the noise."""
        Gs_kwargs = {**evaluation.Gs_kwargs, **self.Gs_overrides}
        synthesis = Gs.components.synthesis
        dlatents = self._dlatents(Gs, evaluation.random_labels(self.minibatch_per_gpu), Gs_kwargs)
        images = synthesis.get_output_for(dlatents, **{**Gs_kwargs, 'randomize_noise': False})
        images = tf.cast(images, tf.float32)
        if self.crop:
            h, w = (side // 8 for side in images.shape.as_list()[2:])
            images = images[:, :, h * 3:h * 7, w * 2:w * 6]
        images = (images_of.shrink_to(images, MAX_SIZE) + 1) * (255 / 2)  # [-1,1] -> [0,255]
        images = images_of.to_rgb(images)
        ends = images[0::2], images[1::2]
        images_of.check_input(lpips, ends[0], self.name)
        distances = lpips.get_output_for(*ends) * (1 / self.epsilon ** 2)
        noise = [var for name, var in synthesis.vars.items() if name.startswith('noise')]
        return distances, [var.initializer for var in noise]

    def _dlatents(self, Gs, labels, Gs_kwargs):
        """Return the ends of all steps, pair by pair: labels [N,label_size] -> [2*N,layers,dlatent_size]."""
        num = self.minibatch_per_gpu
        labels = tf.reshape(tf.tile(labels, [1, 2]), [2 * num, labels.shape[1]])  # same for both ends
        points = images_of.random_latents(Gs, 2 * num)
        t = tflib.random.uniform([num], 0.0, 1.0 if self.sampling == 'full' else 0.0)

        def mapping(latents):
            return tf.cast(Gs.components.mapping.get_output_for(latents, labels, **Gs_kwargs), tf.float32)

        interpolate = slerp
        if self.space == 'w':
            points, interpolate = mapping(points), tflib.lerp
        t = tf.reshape(t, [num] + [1] * (points.shape.rank - 1))  # [N] -> [N,1] or [N,1,1]
        steps = [interpolate(points[0::2], points[1::2], t + step) for step in (0.0, self.epsilon)]
        pairs = tf.reshape(tf.stack(steps, axis=1), [2 * num, *points.shape.as_list()[1:]])  # [N,2,...]
        return pairs if self.space == 'w' else mapping(pairs)
