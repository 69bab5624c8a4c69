"""What all metrics share: running an evaluation in a session of its own, and reporting its results."""

import contextlib
import dataclasses
import gc
import math
import os
import time

import dnnlib
import dnnlib.tflib as tflib
from dnnlib.progress import Progress
from dnnlib.tflib.autosummary import autosummary
from dnnlib.tflib.inference import on_this_machine
from dnnlib.util import EasyDict, UserError
from metrics import fit, metric_records, sessions
from metrics.evaluation import Evaluation, RealData
from metrics.features import feature_networks
from training import dataset, misc


class Metric:
    """A metric of a generator, or of the images of a data set. Subclasses override `measure`."""

    network_names = ()      # Feature networks that are needed; names as in feature_networks.SOURCES.
    result_suffixes = ()    # Suffixes of all results: TensorBoard needs them before the first evaluation.
    needs_generator = True  # False if images are enough.
    num_fakes = 0           # Number of images to measure if `needs_generator` is False.

    def __init__(self, name, force_dataset_args={}, force_G_kwargs={}, reals_name=None):
        """
        name:               name in results and records.
        force_dataset_args: override arguments of the data set, `shuffle` and `mirror_augment`.
        force_G_kwargs:     override arguments that the generator is called with.
        reals_name:         metric whose cached statistics of real images are used. None = `name`.
        """
        self.name = name
        self._reals_name = reals_name or name
        self._force_dataset_args = dict(force_dataset_args)
        self._force_G_kwargs = dict(force_G_kwargs)
        self._progress_range = None
        self._results = []   # EasyDict(value, suffix, fmt) for each result of the last evaluation.
        self._facts = metric_records.Facts()

    def measure(self, evaluation):
        """Measure `evaluation`, a metrics.evaluation.Evaluation, and report numbers with its `report`."""
        raise NotImplementedError

    def settings(self):
        """Return the settings to record with results, a dict for JSON."""
        return {}

    def require(self):
        """Download missing files. Raises UserError if the metric cannot be evaluated on this machine."""
        feature_networks.require(self.network_names)

    def require_images_only(self):
        """Raise UserError if the metric needs a generator."""
        if self.needs_generator:
            raise UserError(f'{self.name}: needs a generator and cannot measure the images of a data set; '
                            'omit --images or this metric')

    def configure_progress_reports(self, plo, phi, pmax, psec=15):
        """Report progress to the RunContext as well: from `plo` to `phi` of `pmax`, every `psec` seconds."""
        self._progress_range = (plo, phi, pmax, psec)

    def run(self, network_pkl, run_dir=None, data_dir=None, dataset_args=None, mirror_augment=None,
            num_gpus=1, tf_config=None, log_results=True, Gs_kwargs=dict(is_validation=True)):
        """Evaluate the generator in a pickle, in a graph and a session of their own.

        run_dir:        folder of a training run. Results are added to `metric-<name>.txt` and `.jsonl` in it.
        data_dir:       folder that holds the data sets.
        dataset_args:   arguments of dataset.load_dataset(). None = those of the training run.
        mirror_augment: mirror real images at random? None = as in the training run.
        tf_config:      session settings as for tflib.init_tf().
        log_results:    print the results?
        Gs_kwargs:      arguments of the generator.
        """
        data = self._real_data(run_dir, data_dir, dataset_args, mirror_augment)
        with self._timed_session(num_gpus, tf_config, data, network_pkl=network_pkl):
            with tflib.device(0):
                Gs = misc.load_generator(network_pkl)
            data, real_set = data.load_for(Gs, network_pkl)
            self._facts = dataclasses.replace(self._facts, data=data)
            Gs_kwargs = {**on_this_machine(Gs.static_kwargs), **Gs_kwargs, **self._force_G_kwargs}
            self._measure(data, real_set, num_gpus, source=network_pkl, Gs=Gs, Gs_kwargs=Gs_kwargs)
        if log_results:
            self._log_results(run_dir)

    def run_on_images(self, images, data_dir=None, dataset_args=None, mirror_augment=None, num_gpus=1,
                      tf_config=None, log_results=True):
        """Evaluate the images of another data set, `images` in `data_dir`, instead of a generator. They are
        read once, in order, without mirroring.

        The other arguments are those of `run`. Raises UserError if the metric needs a generator, if there are
        too few images or if their shape differs from the real ones.
        """
        self.require_images_only()
        data = self._real_data(None, data_dir, dataset_args, mirror_augment)
        with self._timed_session(num_gpus, tf_config, data, images=images):
            image_set = RealData(data_dir, dict(tfrecord_dir=images, shuffle_mb=0, repeat=False)).load()
            real_set = data.load()
            fit.check_images(images, image_set.shape, image_set.num_images, real_set.shape, self)
            self._measure(data, real_set, num_gpus, source=images, image_set=image_set)
        if log_results:
            self._log_results(None)

    def _real_data(self, run_dir, data_dir, dataset_args, mirror_augment):
        """Return the RealData of these arguments, completed from the training run in `run_dir`."""
        if run_dir is not None and (dataset_args is None or mirror_augment is None):
            run = misc.parse_config_for_previous_run(run_dir)
            if dataset_args is None:
                dataset_args = dict(run['dataset'])
                if 'tfrecord_dir' in dataset_args:
                    dataset_args['shuffle_mb'] = 0
            if mirror_augment is None:
                mirror_augment = run['train'].get('mirror_augment', False)
        args = dataset.with_published_names(dataset_args or {})
        mirror_augment = args.pop('mirror_augment', mirror_augment)  # once is enough
        forced = dict(self._force_dataset_args)
        if forced.pop('shuffle', None) is False:
            forced['shuffle_mb'] = 0
        mirror_augment = forced.pop('mirror_augment', mirror_augment)
        return RealData(data_dir, {**args, **forced}, mirror_augment)

    @contextlib.contextmanager
    def _timed_session(self, num_gpus, tf_config, data, **source):
        """Open a graph and a session, free them afterwards, and time all of it."""
        self._results = []
        self._facts = metric_records.Facts(data=data, num_gpus=num_gpus, **source)
        start = time.time()
        try:
            with sessions.fresh_session({**tflib.device_config(num_gpus), **(tf_config or {})}):
                yield
        finally:
            gc.collect()  # graphs are cycles, which would accumulate
        self._facts = dataclasses.replace(self._facts, seconds=time.time() - start)

    def _measure(self, data, real_set, num_gpus, source, Gs=None, Gs_kwargs={}, image_set=None):
        self.measure(Evaluation(
            self.name, self._reals_name, source, Gs, Gs_kwargs, image_set, real_set, data, num_gpus,
            progress=_ProgressReport(self.name, self._progress_range), results=self._results))

    def results(self):
        """Return [(name with suffix, value)] of the last run."""
        return [(self.name + result.suffix, float(result.value)) for result in self._results]

    def state(self):
        """Return the results of the last run as lists for JSON, for `restore`."""
        return [[float(result.value), result.suffix, result.fmt] for result in self._results]

    def restore(self, state):
        """Set the results to those of an earlier run."""
        self._results = [EasyDict(value=value, suffix=suffix, fmt=fmt) for value, suffix, fmt in state]

    def get_result_str(self):
        """Return the line of the last run: network or data set, time, results."""
        name = self._facts.title()
        if len(name) > 29:
            name = '...' + name[-26:]
        parts = ['%-30s' % name, ' time %-12s' % dnnlib.util.format_time(self._facts.seconds)]
        parts += [f' {self.name}{result.suffix} {result.fmt % result.value}' for result in self._results]
        return ''.join(parts)

    def get_record(self):
        """Return the last run, with all that is needed to repeat it, as a dict for JSON."""
        return metric_records.record(self, self._facts)

    def update_autosummaries(self):
        """Record the results for TensorBoard."""
        # No name can be added once training has begun, and the first evaluation may come later than that.
        results = {self.name + suffix: math.nan for suffix in self.result_suffixes}
        for name, value in {**results, **dict(self.results())}.items():
            autosummary('Metrics/' + name, value)

    def _log_results(self, run_dir):
        line = self.get_result_str().strip()
        if run_dir is None:
            print(line)
            return
        path = os.path.join(run_dir, f'metric-{self.name}')
        with dnnlib.util.Logger(path + '.txt', 'a'):
            print(line)
        metric_records.append(path + '.jsonl', self.get_record())


class _ProgressReport:
    """Shows the progress of an evaluation on the console and reports it to the RunContext if configured."""

    def __init__(self, metric_name, limits):
        """`limits`: arguments of Metric.configure_progress_reports, or None."""
        self._metric_name = metric_name
        self._limits = limits
        self._stage = self._progress = None
        self._last_time = 0.0

    def __call__(self, done, total, unit=''):
        if self._stage != (total, unit):
            self._stage = total, unit
            self._progress = Progress(total, unit=f'{unit} for {self._metric_name}')
        self._progress.show(done)
        if self._limits is None:
            return
        plo, phi, pmax, psec = self._limits
        if time.time() >= self._last_time + psec:
            self._last_time = time.time()
            share = 1.0 if total is None else done / total
            dnnlib.RunContext.get().update(unit, int(plo + share * (phi - plo)), pmax)
