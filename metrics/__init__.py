"""How good networks are, by the published definitions: one file per metric, which says what is sampled and
which statistic is computed. `metric_base` has the published names and MetricGroup, through which training
comes in."""

import dnnlib  # noqa: F401  (before TensorFlow loads: dnnlib/tf_environment.py)
