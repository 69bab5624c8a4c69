"""How fast everything is on this machine."""

import dnnlib  # noqa: F401  (before TensorFlow loads: dnnlib/tf_environment.py)
