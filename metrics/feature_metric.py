"""Metrics of the features that a network finds in images: generated ones or those of a data set."""

import functools

from metrics import metric, mixed_latents, sampling


class FeatureMetric(metric.Metric):
    """Subclasses name the published feature network in `network_name` and override `measure`."""

    network_name = None

    def __init__(self, num_images=None, minibatch_per_gpu=8, max_reals=None, num_fakes=None, num_latents=None,
                 network_name=None, **kwargs):
        """
        num_images:        number of real and of generated images (StyleGAN2).
        minibatch_per_gpu: images per device and session call.
        max_reals:         without `num_images`: number of real images (StyleGAN2-ADA). None = all, once.
        num_fakes:         without `num_images`: number of generated images.
        num_latents:       latents to mix in each image (metrics.mixed_latents). None = do not mix.
        network_name:      feature network to use instead of the published one.
        """
        super().__init__(**kwargs)
        self.num_images = num_images
        self.num_fakes = num_images or num_fakes
        self.max_reals = num_images or max_reals
        self.minibatch_per_gpu = minibatch_per_gpu
        self.num_latents = num_latents
        self.needs_generator = num_latents is not None
        self.network_name = network_name or self.network_name
        self.network_names = (self.network_name,)

    def settings(self):
        mixing = {} if self.num_latents is None else {'num_latents': self.num_latents}
        return {'max_reals': self.max_reals, 'num_fakes': self.num_fakes, **mixing}

    def fakes(self, evaluation):
        """Yield features [n,F] of the images to measure."""
        draw = sampling.random_images
        if self.num_latents is not None:
            evaluation.require_styles()
            mixed_latents.check_generator(evaluation.Gs, self.num_latents, self.name, evaluation.source)
            draw = functools.partial(mixed_latents.random_images, num_latents=self.num_latents)
        return evaluation.fakes(self.num_fakes, self.minibatch_per_gpu, self.network_name, draw)

    def reals(self, evaluation, summarize):
        """Return `summarize(batches of features [n,F])` of the real images, from the cache if possible."""
        counts = {'num_images': self.num_images} if self.num_images else {'max_reals': self.max_reals}
        return evaluation.cached(
            lambda: summarize(evaluation.reals(self.max_reals, self.minibatch_per_gpu, self.network_name)),
            self.network_name, metric_class=type(self).__qualname__, **counts)
