"""Metrics of images alone: a generator's or, in its place, those of a data set."""

import functools

from metrics import fit, metric_base, mixed_latents, sampling
from metrics.features import feature_networks
from training import dataset


class ImageMetric(metric_base.MetricBase):
    """Subclasses name their network in `network_names` and override `_measure`."""

    def __init__(self, num_fakes, minibatch_per_gpu=8, num_latents=None, **kwargs):
        """`num_latents`: mix so many latents for each image, as metrics.mixed_latents does; None = generate
        images as the generator does."""
        super().__init__(**kwargs)
        self.num_fakes = num_fakes
        self.minibatch_per_gpu = minibatch_per_gpu
        self.num_latents = num_latents

    @property
    def needs_generator(self):
        """Are images alone not enough?"""
        return self.num_latents is not None

    def settings(self):
        """Numbers of samples and of latents mixed, for records."""
        mixing = {} if self.num_latents is None else {'num_latents': self.num_latents}
        return {'num_fakes': self.num_fakes, **mixing}

    def _evaluate(self, Gs, Gs_kwargs, num_gpus):
        draw = sampling.random_images
        if self.num_latents is not None:
            self._require_styles(Gs)
            mixed_latents.check_generator(Gs, self.num_latents, self.name, self._network_pkl)
            draw = functools.partial(mixed_latents.random_images, num_latents=self.num_latents)
        network = feature_networks.load(*self.network_names)
        fakes = sampling.fake_features(
            self, Gs, Gs_kwargs, network, self.num_fakes, self.minibatch_per_gpu, num_gpus, draw)
        self._measure(network, fakes, num_gpus)

    def _evaluate_images(self, num_gpus):
        batches = sampling.minibatches(self._load_images(), num_gpus * self.minibatch_per_gpu)
        network = feature_networks.load(*self.network_names)
        features = sampling.features_of(self, batches, network, self.num_fakes, num_gpus, 'images')
        self._measure(network, features, num_gpus)

    def _load_images(self):
        """The data set that is measured in place of a generator."""
        data = dataset.load_dataset(
            data_dir=self._data_dir, tfrecord_dir=self._images, shuffle_mb=0, repeat=False)
        real = self._get_dataset_obj()
        fit.check_images(self._images, data.shape, real.shape)
        fit.check_number(self._images, data.num_images, self)
        return data

    def _measure(self, network, fakes, num_gpus):
        """Report results for images whose outputs of `network` come in batches [n,F], computed when asked
        for."""
        raise NotImplementedError
