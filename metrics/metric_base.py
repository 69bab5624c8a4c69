"""Metrics as the training loop sees them: groups that evaluate a network pickle."""

import dnnlib


class MetricGroup:
    """Several metrics, run one after the other."""

    def __init__(self, metric_kwarg_list):
        """`metric_kwarg_list`: for each metric a dict with `func_name` and the arguments of that class."""
        self.metrics = [dnnlib.util.call_func_by_name(**kwargs) for kwargs in metric_kwarg_list]

    def run(self, *args, **kwargs):
        """Evaluate all of them; arguments as for each metric's own `run`."""
        for metric in self.metrics:
            metric.run(*args, **kwargs)

    def get_result_str(self):
        """Their results, separated by spaces."""
        return ' '.join(metric.get_result_str() for metric in self.metrics)

    def update_autosummaries(self):
        """Record their results for TensorBoard."""
        for metric in self.metrics:
            metric.update_autosummaries()
