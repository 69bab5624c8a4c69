"""Which metrics can be evaluated here: asked before a run starts."""

import dnnlib
from metrics import feature_networks
from metrics.metric_defaults import metric_defaults


def _network_names(metrics):
    """Feature networks of metrics given by name."""
    built = [dnnlib.util.call_func_by_name(**metric_defaults[name]) for name in metrics]
    return [network_name for metric in built for network_name in metric.network_names]


def missing(metrics):
    """Why one of these metrics cannot be evaluated without a download or a question; None if all can."""
    return feature_networks.missing(_network_names(metrics))


def require(metrics):
    """Download the feature networks of these metrics. Raises UserError unless all can be had and
    are trusted."""
    feature_networks.require(_network_names(metrics))
