"""Run run_training.py with a metric of few images: python -m benchmarks.soak_training FLAGS."""

import run_training
from dnnlib import cli
from metrics.metric_defaults import metric_defaults, with_num_samples

NUM_IMAGES = 64
FEW = with_num_samples(metric_defaults['fd50k_lite0'], NUM_IMAGES)

if __name__ == '__main__':
    metric_defaults[FEW.name] = FEW
    cli.run_script(run_training.main)
