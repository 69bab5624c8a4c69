"""Helpers that know nothing about GANs: utilities, run submission and, in `dnnlib.tflib`, TensorFlow."""

# ruff: noqa: E402, I001  (before anything loads TensorFlow)
from . import tf_environment

tf_environment.prepare()

from . import submission
from .submission.run_context import RunContext
from .submission.submit import (
    PathType,
    SubmitConfig,
    SubmitTarget,
    convert_path,
    get_path_from_template,
    make_run_dir_path,
    submit_run,
)
from .util import EasyDict, make_cache_dir_path

submit_config: SubmitConfig | None = None  # The active configuration while a run function executes.

__all__ = [
    'EasyDict', 'PathType', 'RunContext', 'SubmitConfig', 'SubmitTarget', 'convert_path',
    'get_path_from_template', 'make_cache_dir_path', 'make_run_dir_path', 'submission', 'submit_config',
    'submit_run',
]
