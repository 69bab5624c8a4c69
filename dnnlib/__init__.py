"""General helpers: utilities, run submission, safe reading of network files and, in `tflib`, TensorFlow.

Imports nothing of the GANs built on it. Only the readers of network files know their functions, by name.
"""

# ruff: noqa: E402, I001  (these run before anything loads TensorFlow)
from dnnlib import required_packages, tf_environment

required_packages.check()
tf_environment.prepare()

from dnnlib import submission
from dnnlib.submission.run_context import RunContext
from dnnlib.submission.submit import (
    PathType,
    SubmitConfig,
    SubmitTarget,
    convert_path,
    get_path_from_template,
    make_run_dir_path,
    submit_run,
)
from dnnlib.util import EasyDict, make_cache_dir_path

submit_config: SubmitConfig | None = None  # The active configuration while a run function executes.

__all__ = [
    'EasyDict', 'PathType', 'RunContext', 'SubmitConfig', 'SubmitTarget', 'convert_path',
    'get_path_from_template', 'make_cache_dir_path', 'make_run_dir_path', 'submission', 'submit_config',
    'submit_run',
]
