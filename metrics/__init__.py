"""Metrics of generators: one file per metric says what is sampled and which statistic is computed.

run_metrics.py and training evaluate them through `metric_base.MetricGroup`; `metric_defaults` names
them.
"""

import dnnlib  # noqa: F401  (before TensorFlow loads: dnnlib/tf_environment.py)
