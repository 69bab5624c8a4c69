"""One evaluation of a metric: what is measured, against which real images, on how many devices."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.util import EasyDict, UserError
from metrics import fit, real_cache, sampling
from metrics.features import feature_networks
from training import dataset, misc
from training.data import sizes


@dataclass(frozen=True)
class RealData:
    """The real images and how to read them."""
    data_dir: str | None                # Folder that holds the data sets.
    dataset_args: dict                  # Arguments of dataset.load_dataset().
    mirror_augment: bool | None = None  # Mirror images at random?

    def load(self, **kwargs):
        """Load the data set; `kwargs` override its arguments."""
        return dataset.load_dataset(data_dir=self.data_dir, **{**self.dataset_args, **kwargs})

    def load_for(self, Gs, network_pkl):
        """Load the data set with the resolution and labels of a generator. Return (RealData, data set).

        Raises UserError if they do not match.
        """
        label_size = Gs.input_shapes[1][1] if Gs.num_inputs > 1 else 0
        height, width = Gs.output_shape[2:]
        resolution = sizes.nominal(height, width)
        has_files = 'tfrecord_dir' in self.dataset_args
        labels = (self.dataset_args.get('max_label_size') or 'full') if label_size else 0
        labels = {'max_label_size': labels} if has_files else {}
        data, loaded = self, self.load(**labels)
        if has_files and loaded.resolution > resolution:
            print(f'{network_pkl}: generates {width}x{height} images; real images are read at this '
                  'resolution')
            data = dataclasses.replace(self, dataset_args={**self.dataset_args, 'resolution': resolution})
            loaded = data.load(**labels)
        fit.check_generator(
            network_pkl, (Gs.output_shape[1:], [label_size]), (loaded.shape, [loaded.label_size]))
        return data, loaded


@dataclass(frozen=True)
class Evaluation:
    """What `Metric.measure` gets: images to measure, real ones to compare them with, and where results go.

    It is valid in the graph and session of one evaluation.
    """
    metric_name: str
    reals_name: str        # Metric whose cached statistics of real images are used.
    source: str            # Path of the network, or name of the data set that is measured: for messages.
    Gs: object             # The generator, a tflib.Network; None = measure `image_set`.
    Gs_kwargs: dict        # Arguments to call it with.
    image_set: object      # Data set to measure instead of a generator.
    real_set: object       # Data set of the real images, loaded from `data`.
    data: RealData
    num_gpus: int
    progress: Callable     # progress(done, total, unit) shows how far the evaluation is.
    results: list = field(default_factory=list)    # What `report` has been called with.
    _networks: dict = field(default_factory=dict)  # Feature networks in this graph, by name.

    def report(self, value, suffix='', fmt='%-10.4f'):
        """Add a result. Its name is the metric's name and `suffix`; `fmt` is its format in result lines."""
        self.results.append(EasyDict(value=value, suffix=suffix, fmt=fmt))

    def network(self, name):
        """Return the feature network of this name, loaded into this graph once."""
        if name not in self._networks:
            self._networks[name] = feature_networks.load(name)
        return self._networks[name]

    def fakes(self, count, minibatch_per_gpu, network_name=None, draw=sampling.random_images):
        """Yield `count` images to measure, in batches: uint8 [n,C,H,W] or, given the name of a feature
        network, its outputs, float32 [n,F].

        `draw`: builds the generated images of a minibatch; called like sampling.random_images.
        """
        if self.Gs is None:
            minibatches = sampling.minibatches(self.image_set, self.num_gpus * minibatch_per_gpu)
            yield from self._outputs(minibatches, count, network_name, 'images')
            return

        def build(Gs, *feature_nets):
            labels = self.random_labels(minibatch_per_gpu)
            images = tflib.convert_images_to_uint8(draw(Gs, labels, minibatch_per_gpu, self.Gs_kwargs))
            return feature_nets[0].get_output_for(sampling.to_rgb(images)) if feature_nets else images

        feature_nets = [] if network_name is None else [self.network(network_name)]
        yield from self.values(sampling.on_each_device(self.num_gpus, [self.Gs, *feature_nets], build), count)

    def reals(self, count, minibatch_per_gpu, network_name=None):
        """Yield `count` real images like `fakes`; fewer if a data set that does not repeat ends before.
        None = all of such a data set."""
        num_reals = getattr(self.real_set, 'num_images', None)
        if self.data.dataset_args.get('repeat', True) and count and num_reals and num_reals < count:
            print(f'{self.metric_name}: the data set holds {num_reals} images, which are repeated to make '
                  f'{count}.')
        minibatches = self.real_minibatches(self.num_gpus * minibatch_per_gpu)
        yield from self._outputs(minibatches, count, network_name, 'real images', total=num_reals)

    def real_minibatches(self, minibatch_size):
        """Yield `sampling.minibatches` of real images, mirrored at random if requested."""
        for images, num in sampling.minibatches(self.real_set, minibatch_size):
            yield (misc.apply_mirror_augment(images) if self.data.mirror_augment else images), num

    def _outputs(self, minibatches, max_images, network_name, unit, total=None):
        """Yield up to `max_images` images of `sampling.minibatches`, or their features."""
        count = 0
        for images, num in minibatches:
            if max_images is not None:
                num = min(num, max_images - count)
            if network_name is not None:
                images = self.network(network_name).run(
                    sampling.to_rgb(images), num_gpus=self.num_gpus, assume_frozen=True)
            yield images[:num]
            count += num
            self.progress(count, max_images or total, unit)
            if count == max_images:
                return

    def values(self, tensors, count, before=()):
        """Yield `count` rows of tensors [n,...], one per device, joined to [N,...].

        `before`: operations to run, and to complete, before each evaluation of the tensors.
        """
        done = 0
        while done < count:
            tflib.run(list(before))
            rows = np.concatenate(tflib.run(tensors), axis=0)[:count - done]
            yield rows
            done += len(rows)
            self.progress(done, count, 'samples')

    def random_labels(self, count):
        """Return a tensor of labels [count,label_size] of the real images, drawn anew in every evaluation."""
        return tf.cast(self.real_set.get_random_labels_tf(count), tf.float32)

    def require_styles(self):
        """Raise UserError unless the generator has a mapping network and a synthesis network."""
        if not {'mapping', 'synthesis'} <= set(self.Gs.components):
            raise UserError(f'{self.source}: {self.metric_name} needs a generator with styles; choose one of '
                            'StyleGAN or StyleGAN2, or another metric')

    def cache_file(self, extension='pkl', **kwargs):
        """Return the path for statistics of the real images that depend on `kwargs`."""
        return real_cache.file_path(
            self.reals_name, self.data.mirror_augment, self.data.dataset_args, extension, **kwargs)

    def cached(self, compute, network_name, metric_class, **kwargs):
        """Return `compute()`, statistics of the real images, and keep them in the cache file for `kwargs`.

        An existing file is read instead if it is intact and its data set, feature network and class of metric
        are the same.
        """
        path = self.cache_file(**kwargs)
        origin = dict(data=real_cache.fingerprint(self.data.data_dir, self.data.dataset_args),
                      feature_network=feature_networks.checksum(network_name), metric_class=metric_class)
        statistics = real_cache.read(path, **origin)
        if statistics is None:
            statistics = compute()
            real_cache.write(path, statistics, **origin)
        return statistics
