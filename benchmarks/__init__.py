"""Measure speed and memory use on this machine."""

import dnnlib  # noqa: F401 (must run before TensorFlow loads: dnnlib/tf_environment.py)
