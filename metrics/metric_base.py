"""The published names: MetricBase, for metrics written for the published code, MetricGroup, DummyMetric."""

import numpy as np

import dnnlib
import dnnlib.tflib as tflib
from dnnlib.progress import announced
from metrics.metric import Metric
from metrics.metric_defaults import dummy, fid50k, ls, ppl_wend, ppl_wfull, ppl_zend, ppl_zfull

# StyleGAN's scripts expect its metrics here.
__all__ = ['DummyMetric', 'MetricBase', 'MetricGroup', 'dummy', 'fid50k', 'ls', 'ppl_wend', 'ppl_wfull',
           'ppl_zend', 'ppl_zfull']


class MetricBase(Metric):
    """A metric in the published form: subclasses override `_evaluate` and call the methods below from it.

    New metrics extend metrics.metric.Metric instead.
    """

    _evaluation = None

    def measure(self, evaluation):
        self._evaluation = evaluation
        try:
            self._evaluate(evaluation.Gs, Gs_kwargs=evaluation.Gs_kwargs, num_gpus=evaluation.num_gpus)
        finally:
            self._evaluation = None

    def close(self):
        """Do nothing: data sets are released after every run."""

    def _evaluate(self, Gs, Gs_kwargs, num_gpus):
        """Report results for this generator, which is in the default session."""
        raise NotImplementedError

    def _report_result(self, value, suffix='', fmt='%-10.4f'):
        self._evaluation.report(value, suffix, fmt)

    def _report_progress(self, cur, max, status=''):
        self._evaluation.progress(cur, max, status)

    def _get_cache_file_for_reals(self, extension='pkl', **kwargs):
        return self._evaluation.cache_file(extension, **kwargs)

    def _get_dataset_obj(self):
        return self._evaluation.real_set

    def _iterate_reals(self, minibatch_size):
        """Yield minibatches of real images, uint8 [N,C,H,W]; endless unless the data set does not repeat."""
        for images, num in self._evaluation.real_minibatches(minibatch_size):
            yield images[:num]

    def _iterate_fakes(self, Gs, minibatch_size, num_gpus):
        """Yield minibatches of generated images, uint8 [N,H,W,C], endlessly."""
        transform = dict(func=tflib.convert_images_to_uint8, nchw_to_nhwc=True)
        while True:
            latents = np.random.randn(minibatch_size, *Gs.input_shape[1:])
            labels = self._get_dataset_obj().get_random_labels_np(minibatch_size)
            yield Gs.run(latents, labels, output_transform=transform, is_validation=True, num_gpus=num_gpus,
                         assume_frozen=True)

    def _get_random_labels_tf(self, minibatch_size):
        """Return a tensor of labels [N,label_size] of the data set, drawn anew in every evaluation."""
        return self._evaluation.random_labels(minibatch_size)


class MetricGroup:
    """Several metrics, run one after the other."""

    def __init__(self, metric_kwarg_list):
        """`metric_kwarg_list`: a dict for each metric, with `func_name` and the arguments of that class."""
        self.metrics = [dnnlib.util.call_func_by_name(**kwargs) for kwargs in metric_kwarg_list]

    def require(self):
        """Download missing files. Raises UserError unless all metrics can be evaluated on this machine."""
        for metric in self.metrics:
            metric.require()

    def run(self, *args, **kwargs):
        """Evaluate all metrics; the arguments are those of Metric.run."""
        for metric in self.metrics:
            with announced(f'Evaluating {metric.name}...'):
                metric.run(*args, **kwargs)

    def get_result_str(self):
        """Return all result lines, separated by spaces."""
        return ' '.join(metric.get_result_str() for metric in self.metrics)

    def update_autosummaries(self):
        """Record all results for TensorBoard."""
        for metric in self.metrics:
            metric.update_autosummaries()


class DummyMetric(MetricBase):
    """Reports 0."""

    result_suffixes = ('',)

    def _evaluate(self, Gs, Gs_kwargs, num_gpus):
        self._report_result(0.0)
