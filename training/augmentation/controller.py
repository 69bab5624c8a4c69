"""How strongly images are augmented: the probability p, adjusted while networks train.

Source: StyleGAN2-ADA (Karras et al. 2020, "Training GANs with Limited Data"), Section 3.
"""

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.util import get_obj_by_name, is_top_level_function
from training import loss_ada

# {heuristic: names of the statistics that it is computed from}
STATISTICS = {
    None: (),
    'rt': ('Loss/signs/real',),
    'rv': ('Loss/scores/fake', 'Loss/scores/real', 'Loss/scores/valid'),
}


class AdaptiveAugment:
    """Augments images with a strength p, and adjusts p so that a measure of overfitting reaches a target.

    The heuristic 'rt' is the mean sign of D's scores of real images; 'rv' tells how far the scores of a
    validation set are from those of real images, towards those of fakes (Eq. 1). Without one, p is constant.
    """

    def __init__(self,
        apply_func       = None,   # Function, or its dotted name, that augments. None = none does.
        apply_args       = {},     # Arguments of that function.
        initial_strength = 0,      # p at the start.
        tune_heuristic   = None,   # 'rt', 'rv' or None.
        tune_target      = None,   # Target of the heuristic.
        tune_kimg        = 500,    # Thousands of images in which p moves by 1.
        stat_decay_kimg  = 0):     # Half-life of the statistics. 0 = those since the last tuning.
        assert apply_func is None or isinstance(apply_func, str) or is_top_level_function(apply_func)
        assert tune_heuristic in STATISTICS
        self.apply_func = apply_func
        self.apply_args = apply_args
        self.initial_strength = initial_strength
        self.tune_heuristic = tune_heuristic
        self.tune_target = tune_target
        self.tune_kimg = tune_kimg
        self.stat_decay_kimg = stat_decay_kimg
        self.strength = initial_strength  # p
        self.validation = None            # ValidationScores, if there is a validation set.
        self._strength_var = None
        self._cluster = tflib.Cluster()
        names = STATISTICS[tune_heuristic]
        self._sums = {name: [] for name in names}            # Variables [number, sum] of each device.
        self._totals = {name: [0.0, 0.0] for name in names}  # The same of all devices, decayed.
        self._measured = [0, 0.0]  # Number and sum of the heuristic's values since `start_tick`.

    def join(self, cluster):
        """Take the statistics of all processes of a tflib.Cluster, which each call `tune` alike."""
        self._cluster = cluster

    def apply(self, images, labels, enable=True):
        """Augment images [N,C,H,W] of [-1, 1] with the current strength. -> (images, labels).

        Both are returned unchanged if there is nothing to do, now and later: not `enable`, no function, or a
        strength that stays 0.
        """
        if not enable or self.apply_func is None or (self.strength == 0 and self.tune_heuristic is None):
            return images, labels
        function = get_obj_by_name(self.apply_func) if isinstance(self.apply_func, str) else self.apply_func
        with tf.name_scope('Augment'):
            return function(images, labels, strength=self.get_strength_var(), **self.apply_args)

    def get_strength_var(self):
        """Return the variable with the strength, float32 []."""
        if self._strength_var is None:
            with tflib.absolute_name_scope('Augment'), tf.control_dependencies(None), tf.device('/cpu:0'):
                self._strength_var = tf.Variable(np.float32(self.strength), trainable=False, name='strength')
        return self._strength_var

    def report_stat(self, name, expr):
        """Count the values of a tensor whenever the returned tensor is evaluated, if the heuristic needs
        them."""
        if name not in self._sums:
            return expr
        value = tf.cast(expr, tf.float32)
        moments = tf.stack([tf.cast(tf.size(value), tf.float32), tf.reduce_sum(value)])
        with tf.name_scope('acc_' + name.replace('/', '_')), tf.control_dependencies(None):
            sums = tf.Variable(tf.zeros([2]), trainable=False)
        self._sums[name].append(sums)
        with tf.control_dependencies([tf.assign_add(sums, moments)]):
            return tf.identity(expr)

    def init_validation_set(self, D_gpus, training_set):
        """Build the scores of the validation set, if the training set has one. Called once."""
        assert self.validation is None
        images, labels = training_set.load_validation_set_np()
        if len(images) > 0:
            self.validation = ValidationScores(self, D_gpus, images, labels, self._cluster)

    def run_validation(self, minibatch_size, feed_dict=None):
        """Score the next `minibatch_size` images of the validation set, if there is one."""
        if self.validation is not None:
            self.validation.run(minibatch_size, feed_dict)

    def tune(self, nimg_delta):
        """Adjust the strength after `nimg_delta` more real images. It has no upper limit: probabilities above
        1 act as 1."""
        before = self.strength
        if self.tune_heuristic is not None:
            assert self.tune_target is not None
            means = self._mean_statistics(nimg_delta)
            value = self._heuristic(means)
            # While D does not tell real images from fakes, r_v has any value, which would hide all others.
            self._measured = [self._measured[0] + 1, self._measured[1] + min(max(value, -1.0), 1.0)]
            step = nimg_delta / (self.tune_kimg * 1000)
            self.strength += step * float(np.sign(value - self.tune_target))
        self.strength = max(self.strength, 0)
        if self._strength_var is not None and self.strength != before:
            tflib.set_vars({self._strength_var: self.strength})

    def _heuristic(self, means):
        if self.tune_heuristic == 'rt':
            return means['Loss/signs/real']
        assert self._sums['Loss/scores/valid'], 'the heuristic rv needs a validation set'
        fake, real, valid = (means[f'Loss/scores/{kind}'] for kind in ('fake', 'real', 'valid'))
        return (real - valid) / max(real - fake, 1e-8)  # Eq. 1

    def _mean_statistics(self, nimg_delta):
        """Return {name: mean over all processes}, 0 without values, and let the statistics decay."""
        variables = [var for group in self._sums.values() for var in group]
        values = iter(tflib.run(variables))
        here = {name: np.sum([next(values) for _ in group], axis=0, dtype=np.float64).tolist()
                for name, group in self._sums.items() if group}
        tflib.set_vars({var: np.zeros(2) for var in variables})
        gathered = self._cluster.gather(here)
        for name, total in self._totals.items():
            total[:] = np.sum([total, *(sums[name] for sums in gathered if name in sums)], axis=0).tolist()
        means = {name: total / number if number > 0 else 0.0
                 for name, (number, total) in self._totals.items()}
        if nimg_delta > 0:
            decay = 0.5 ** (nimg_delta / (self.stat_decay_kimg * 1000)) if self.stat_decay_kimg > 0 else 0.0
            self._totals = {name: [number * decay, total * decay]
                            for name, (number, total) in self._totals.items()}
        return means

    def measured(self):
        """Return the mean of the heuristic's values since `start_tick`, each limited to [-1, 1]; None without
        any."""
        number, total = self._measured
        return total / number if number > 0 else None

    def start_tick(self):
        """Start the mean of `measured` anew."""
        self._measured = [0, 0.0]

    def state(self):
        """Return what `restore` takes, valid JSON, when `tune` has been called after the last evaluation."""
        position = 0 if self.validation is None else self.validation.position
        return {'strength': self.strength, 'totals': self._totals, 'measured': self._measured,
                'validation': position}

    def restore(self, state):
        """Continue as after `state()`."""
        self.strength, self._totals = state['strength'], state['totals']
        self._measured = state['measured']
        if self.validation is not None:
            self.validation.position = state['validation']
        if self._strength_var is not None:
            tflib.set_vars({self._strength_var: self.strength})


class ValidationScores:
    """The scores that D gives to a validation set, some images at a time, on all devices."""

    def __init__(self, augment, D_gpus, images, labels, cluster):
        self.position = 0  # Index of the next image.
        self._images, self._labels = images, labels
        self._cluster = cluster
        with tf.name_scope('Validation'), tf.control_dependencies(None):
            with tf.device('/cpu:0'):
                self._images_in = tf.placeholder(images.dtype, [None, *images.shape[1:]], 'valid_images_in')
                self._labels_in = tf.placeholder(labels.dtype, [None, *labels.shape[1:]], 'valid_labels_in')
                parts = zip(tf.split(self._images_in, len(D_gpus)), tf.split(self._labels_in, len(D_gpus)),
                            strict=True)
            scores = [self._scores_of(augment, gpu, D, *part)
                      for gpu, (D, part) in enumerate(zip(D_gpus, parts, strict=True))]
            self._op = tf.group(*scores)

    def _scores_of(self, augment, gpu, D, images, labels):
        with tflib.device(gpu), tflib.random.tower(self._cluster.first_device + gpu):
            images = tf.cast(images, tf.float32) * (2 / 255) - 1
            return loss_ada.eval_D(D, augment, images, labels, report='valid').scores

    def run(self, minibatch_size, feed_dict=None):
        """Score the next images, on each process those of its devices."""
        cluster = self._cluster
        share = minibatch_size // cluster.num_devices
        first = self.position + share * cluster.first_device
        chosen = np.arange(first, first + share * cluster.num_gpus) % len(self._images)
        self.position = (self.position + minibatch_size) % len(self._images)
        tflib.run(self._op, {**(feed_dict or {}), self._images_in: self._images[chosen],
                             self._labels_in: self._labels[chosen]})
