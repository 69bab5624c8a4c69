"""The metrics that a training evaluates: those requested, or the default one where that is possible."""


def choose(requested, default, is_dry_run=False):
    """Return the names of the metrics, and why the default metric is left out (None if it is not).

    requested: names; None = the default metric, if its feature network is at hand. A dry run does not look
    for what requested ones need. Raises UserError for a requested metric that cannot be evaluated.
    """
    if requested == [] or (requested and is_dry_run):
        return requested, None
    from metrics.features import availability  # loads TensorFlow
    if requested is None:
        reason = availability.missing([default])
        return [default] if reason is None else [], reason
    availability.require(requested)
    return requested, None
