"""Helpers that know nothing about GANs: utilities, run submission and, in `dnnlib.tflib`, TensorFlow."""

import os

# Read when TensorFlow loads, which scripts do later; its warnings are for its makers.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')

# ruff: noqa: E402
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
