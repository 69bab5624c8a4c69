"""Networks, losses, data and the training loop.

run_training.py calls `training_loop`, which puts the parts in `loop` and `resuming` together. Networks are
made of `layers`; `misc` loads and saves them.
"""

import dnnlib  # noqa: F401  (before TensorFlow loads: dnnlib/tf_environment.py)
