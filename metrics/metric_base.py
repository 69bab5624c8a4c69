"""What all metrics share: how a network pickle is evaluated, where reals come from, what is reported."""

import contextlib
import math
import os
import time

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib
import dnnlib.tflib as tflib
from dnnlib.progress import Progress, announced
from dnnlib.tflib.autosummary import autosummary
from dnnlib.util import EasyDict, UserError
from metrics import fit, metric_records, real_cache, sampling, sessions
from metrics.features import feature_networks
from metrics.metric_defaults import dummy, fid50k, ls, ppl_wend, ppl_wfull, ppl_zend, ppl_zfull
from training import dataset, misc

# StyleGAN's scripts name its metrics here.
__all__ = ['DummyMetric', 'MetricBase', 'MetricGroup', 'dummy', 'fid50k', 'ls', 'ppl_wend', 'ppl_wfull',
           'ppl_zend', 'ppl_zfull']


class MetricBase:
    """A metric of a generator. Subclasses override `_evaluate` and report numbers with `_report_result`."""

    network_names = ()  # feature networks that are needed, as metrics.features.feature_networks has them
    result_suffixes = ()  # of all results, for those who need their names before the first evaluation
    needs_generator = True  # are images alone not enough?

    def __init__(self, name, force_dataset_args={}, force_G_kwargs={}, reals_name=None):
        """`name`: as in results. `force_dataset_args`: win over those of the run; arguments of the data set,
        `shuffle` and `mirror_augment`. `force_G_kwargs`: win over those that the generator is called with.
        `reals_name`: of the metric whose statistics of real images are used as well; None = `name`.
        """
        self.name = name
        self._reals_name = reals_name or name
        self._force_dataset_args = dict(force_dataset_args)
        self._force_G_kwargs = dict(force_G_kwargs)
        self._progress_range = None
        self._told_of_repeats = False
        self._reset()

    def close(self):
        """Forget the data set."""
        self._reset()

    def require(self):
        """Download what is not there. Raises UserError if the metric cannot be evaluated here."""
        feature_networks.require(self.network_names)

    def require_images_only(self):
        """Raise UserError if the metric cannot do without a generator."""
        if self.needs_generator:
            raise UserError(f'{self.name}: looks at what a generator makes of latents, which the images of a '
                            'data set do not tell; leave out --images or this metric')

    def _reset(self, network_pkl=None, run_dir=None, data_dir=None, dataset_args=None, mirror_augment=None,
               images=None):
        """Start afresh; what is not given about the data comes from the training run in `run_dir`."""
        self._dataset = None
        self._network_pkl = network_pkl
        self._images = images
        self._data_dir = data_dir
        self._results = []
        self._eval_time = 0.0
        self._progress_time = 0.0
        self._progress = (None, None)
        if run_dir is not None and (dataset_args is None or mirror_augment is None):
            run = misc.parse_config_for_previous_run(run_dir)
            if dataset_args is None:
                dataset_args = {**run['dataset'], 'shuffle_mb': 0}
            if mirror_augment is None:
                mirror_augment = run['train'].get('mirror_augment', False)
        forced = dict(self._force_dataset_args)
        if forced.pop('shuffle', None) is False:
            forced['shuffle_mb'] = 0
        self._mirror_augment = forced.pop('mirror_augment', mirror_augment)
        self._dataset_args = {**(dataset_args or {}), **forced}

    def configure_progress_reports(self, plo, phi, pmax, psec=15):
        """Pass progress on to the RunContext: from `plo` to `phi` of `pmax`, every `psec` seconds at most."""
        self._progress_range = (plo, phi, pmax, psec)

    def run(self, network_pkl, run_dir=None, data_dir=None, dataset_args=None, mirror_augment=None,
            num_gpus=1, tf_config=None, log_results=True, Gs_kwargs=dict(is_validation=True)):
        """Evaluate the generator in a pickle, in a graph and a session of their own.

        run_dir:        training run: tells what is not given about the data, and gets `metric-<name>.txt`.
        data_dir:       folder of the data sets.
        dataset_args:   arguments of dataset.load_dataset().
        mirror_augment: mirror real images at random?
        tf_config:      settings of the session as of tflib.init_tf().
        log_results:    print the result?
        Gs_kwargs:      arguments of the generator.
        """
        self._reset(network_pkl, run_dir, data_dir, dataset_args, mirror_augment)
        with self._timed_session(num_gpus, tf_config):
            with tflib.device(0):
                Gs = misc.load_generator(network_pkl)
            self._fit_dataset(Gs)
            self._evaluate(Gs, Gs_kwargs={**Gs_kwargs, **self._force_G_kwargs}, num_gpus=num_gpus)
        if log_results:
            self._log_results(run_dir, num_gpus)

    def run_on_images(self, images, data_dir=None, dataset_args=None, mirror_augment=None, num_gpus=1,
                      tf_config=None, log_results=True):
        """Evaluate the images of another data set, the folder `images` in `data_dir`, as if a generator had
        made them. They are taken in order, as they are and once.

        Other arguments: as of `run`. Raises UserError if the metric does not look at images alone, if there
        are too few images or if they have another shape than the real ones.
        """
        self.require_images_only()
        self._reset(None, None, data_dir, dataset_args, mirror_augment, images)
        with self._timed_session(num_gpus, tf_config):
            self._evaluate_images(num_gpus)
        if log_results:
            self._log_results(None, num_gpus)

    @contextlib.contextmanager
    def _timed_session(self, num_gpus, tf_config):
        """A graph and a session for an evaluation, which is timed. Nothing of them is left."""
        start = time.time()
        try:
            with sessions.fresh_session({**tflib.device_config(num_gpus), **(tf_config or {})}):
                yield
        finally:
            self._dataset = None
            sessions.collect_graphs()
        self._eval_time = time.time() - start

    def _evaluate(self, Gs, Gs_kwargs, num_gpus):
        """Report results for this generator, which is in the default session."""
        raise NotImplementedError

    def _evaluate_images(self, num_gpus):
        """Report results for the data set `self._images`, unless `needs_generator`."""
        raise NotImplementedError

    def settings(self):
        """Numbers of samples and the like, for records."""
        return {}

    # Results.

    def _report_result(self, value, suffix='', fmt='%-10.4f'):
        self._results.append(EasyDict(value=value, suffix=suffix, fmt=fmt))

    def results(self):
        """[(name with suffix, value)] of the last run."""
        return [(self.name + result.suffix, float(result.value)) for result in self._results]

    def state(self):
        """The results of the last run as lists for JSON, for `restore`."""
        return [[float(result.value), result.suffix, result.fmt] for result in self._results]

    def restore(self, state):
        """Have these results, as after the run that they are of."""
        self._results = []
        for result in state:
            self._report_result(*result)

    def get_result_str(self):
        """The line of the last run: network or data set, time, results."""
        name = os.path.splitext(os.path.basename(self._network_pkl or ''))[0]
        if self._images is not None:
            name = f'images of {self._images}'
        if len(name) > 29:
            name = '...' + name[-26:]
        parts = ['%-30s' % name, ' time %-12s' % dnnlib.util.format_time(self._eval_time)]
        parts += [f' {self.name}{result.suffix} {result.fmt % result.value}' for result in self._results]
        return ''.join(parts)

    def get_record(self, num_gpus=1):
        """The last run with all that is needed to repeat it, as a dict for JSON."""
        return metric_records.record(self, self._network_pkl, self._dataset_args, self._data_dir,
                                     self._mirror_augment, self._eval_time, num_gpus, self._images)

    def update_autosummaries(self):
        """Record the results for TensorBoard."""
        # No name can be added once training has begun, and the first evaluation may come later than that.
        results = {self.name + suffix: math.nan for suffix in self.result_suffixes}
        for name, value in {**results, **dict(self.results())}.items():
            autosummary('Metrics/' + name, value)

    def _log_results(self, run_dir, num_gpus):
        line = self.get_result_str().strip()
        if run_dir is None:
            print(line)
            return
        path = os.path.join(run_dir, f'metric-{self.name}')
        with dnnlib.util.Logger(path + '.txt', 'a'):
            print(line)
        metric_records.append(path + '.jsonl', self.get_record(num_gpus))

    def _report_progress(self, cur, max, status=''):
        """`cur` of `max` steps are done: to the console and, if that is configured, to the RunContext."""
        if self._progress[0] != (max, status):
            self._progress = (max, status), Progress(max, unit=f'{status} for {self.name}')
        self._progress[1].show(cur)
        if self._progress_range is None:
            return
        plo, phi, pmax, psec = self._progress_range
        if time.time() >= self._progress_time + psec:
            self._progress_time = time.time()
            done = 1.0 if max is None else cur / max
            dnnlib.RunContext.get().update(status, int(plo + done * (phi - plo)), pmax)

    # Data set.

    def _get_dataset_obj(self):
        if self._dataset is None:
            self._dataset = self._load_dataset()
        return self._dataset

    def _load_dataset(self, **kwargs):
        return dataset.load_dataset(data_dir=self._data_dir, **{**self._dataset_args, **kwargs})

    def _fit_dataset(self, Gs):
        """Load the data set with the resolution and labels that the generator has. Raises UserError if they
        do not go together."""
        label_size = Gs.input_shapes[1][1] if Gs.num_inputs > 1 else 0
        resolution = Gs.output_shape[2]
        has_files = 'tfrecord_dir' in self._dataset_args
        wanted = (self._dataset_args.get('max_label_size') or 'full') if label_size else 0
        labels = {'max_label_size': wanted} if has_files else {}
        data = self._load_dataset(**labels)
        if has_files and data.resolution > resolution:
            print(f'{self._network_pkl}: generates {resolution}x{resolution}; so are the real images taken')
            self._dataset_args['resolution'] = resolution
            data = self._load_dataset(**labels)
        fit.check_generator(self._network_pkl, (Gs.output_shape[1:], label_size),
                            (data.shape, data.label_size))
        self._dataset = data

    @property
    def num_reals(self):
        """Number of real images; None for a data set without end."""
        return getattr(self._get_dataset_obj(), 'num_images', None)

    def _tell_of_repeats(self, num_wanted):
        """Say, once, if the data set has to be gone through again for so many real images; None = it ends."""
        num = self.num_reals
        repeats = self._dataset_args.get('repeat', True) and None not in (num, num_wanted)
        if repeats and num < num_wanted and not self._told_of_repeats:
            self._told_of_repeats = True
            print(f'{self.name}: the data set holds {num} images, which are taken again and again until they '
                  f'are {num_wanted}.')

    def real_minibatches(self, minibatch_size):
        """Yield `sampling.minibatches` of real images, mirrored at random if that is asked for."""
        for images, num in sampling.minibatches(self._get_dataset_obj(), minibatch_size):
            yield (misc.apply_mirror_augment(images) if self._mirror_augment else images), num

    def _iterate_reals(self, minibatch_size):
        """Yield minibatches of real images, uint8 [N,C,H,W], without end unless the data set has one."""
        for images, num in self.real_minibatches(minibatch_size):
            yield images[:num]

    def _iterate_fakes(self, Gs, minibatch_size, num_gpus):
        """Yield minibatches of generated images, uint8 [N,H,W,C], without end."""
        transform = dict(func=tflib.convert_images_to_uint8, nchw_to_nhwc=True)
        while True:
            latents = np.random.randn(minibatch_size, *Gs.input_shape[1:])
            labels = self._get_dataset_obj().get_random_labels_np(minibatch_size)
            yield Gs.run(latents, labels, output_transform=transform, is_validation=True, num_gpus=num_gpus,
                         assume_frozen=True)

    def _get_random_labels_tf(self, minibatch_size):
        """Tensor of labels [N,label_size] of the data set, drawn afresh at every evaluation."""
        return tf.cast(self._get_dataset_obj().get_random_labels_tf(minibatch_size), tf.float32)

    def _require_styles(self, Gs):
        """Raise UserError unless the generator has a mapping network and a synthesis network."""
        if not {'mapping', 'synthesis'} <= set(Gs.components):
            raise UserError(f'{self._network_pkl}: {self.name} looks at styles, and this generator has none; '
                            'choose one of StyleGAN or StyleGAN2, or another metric')

    # Statistics of real images.

    def _get_cache_file_for_reals(self, extension='pkl', **kwargs):
        return real_cache.file_path(self._reals_name, self._mirror_augment, self._dataset_args, extension,
                                    **kwargs)

    def _cached_reals(self, compute, feature_network, **kwargs):
        """Statistics from the file for these `kwargs` or else `compute()`, which are then kept there.

        `feature_network`: checksum of the network that they are made with.
        """
        path = self._get_cache_file_for_reals(**kwargs)
        origin = dict(data=real_cache.fingerprint(self._data_dir, self._dataset_args),
                      feature_network=feature_network, metric_class=type(self).__qualname__)
        statistics = real_cache.read(path, **origin)
        if statistics is None:
            statistics = compute()
            real_cache.write(path, statistics, **origin)
        return statistics


class MetricGroup:
    """Several metrics, run one after the other."""

    def __init__(self, metric_kwarg_list):
        """`metric_kwarg_list`: for each metric a dict with `func_name` and the arguments of that class."""
        self.metrics = [dnnlib.util.call_func_by_name(**kwargs) for kwargs in metric_kwarg_list]

    def run(self, *args, **kwargs):
        """Evaluate all of them; arguments as for each metric's own `run`."""
        for metric in self.metrics:
            with announced(f'Evaluating {metric.name}...'):
                metric.run(*args, **kwargs)

    def get_result_str(self):
        """Their results, separated by spaces."""
        return ' '.join(metric.get_result_str() for metric in self.metrics)

    def update_autosummaries(self):
        """Record their results for TensorBoard."""
        for metric in self.metrics:
            metric.update_autosummaries()


class DummyMetric(MetricBase):
    """Reports 0."""

    result_suffixes = ('',)

    def _evaluate(self, Gs, Gs_kwargs, num_gpus):
        self._report_result(0.0)
