"""Whether metrics, given by name, can be evaluated on this machine."""

import dnnlib
from metrics.features import feature_networks
from metrics.metric_defaults import metric_defaults


def _built(names):
    return [dnnlib.util.call_func_by_name(**metric_defaults[name]) for name in names]


def missing(names):
    """Return why a metric cannot be evaluated without a download or a question; None if all can."""
    return feature_networks.missing([network for metric in _built(names) for network in metric.network_names])


def require(names):
    """Download what the metrics need. Raises UserError unless all of them can be evaluated."""
    for metric in _built(names):
        metric.require()
