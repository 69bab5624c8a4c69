"""Networks, losses, data and the training loop."""

import dnnlib  # noqa: F401  (before TensorFlow loads: dnnlib/tf_environment.py)
