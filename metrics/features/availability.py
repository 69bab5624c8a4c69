"""Which metrics can be evaluated here: asked before a run starts."""

import dnnlib
from metrics import fit
from metrics.features import feature_networks
from metrics.metric_defaults import metric_defaults


def _built(metrics):
    """Metrics given by name."""
    return [dnnlib.util.call_func_by_name(**metric_defaults[name]) for name in metrics]


def missing(metrics):
    """Why one of these metrics cannot be evaluated without a download or a question; None if all can."""
    return feature_networks.missing([name for metric in _built(metrics) for name in metric.network_names])


def require_images_only(metrics):
    """Raise UserError if one of these metrics cannot do without a generator."""
    for metric in _built(metrics):
        metric.require_images_only()


def require_number(definitions, name, num_images):
    """Raise UserError if one of these metrics, given by definition, takes more images than the data set
    `name` holds."""
    for definition in definitions:
        fit.check_number(name, num_images, dnnlib.util.call_func_by_name(**definition))


def require(metrics):
    """Download what these metrics need. Raises UserError unless all of them can be evaluated here."""
    for metric in _built(metrics):
        metric.require()
