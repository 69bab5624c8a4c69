"""How good networks are, by the published definitions."""

import dnnlib  # noqa: F401  (before TensorFlow loads: dnnlib/tf_environment.py)
