"""The local target: the function runs at once, in this process."""

import dataclasses


@dataclasses.dataclass
class TargetOptions:
    """Options of the local target."""
    do_not_copy_source_files: bool = False  # Leave out `src/` and `run.py`.


def check(submit_config) -> None:
    """Accept every configuration."""


def finalize_submit_config(submit_config, run_dir: str) -> None:
    """Set the run directory."""
    submit_config.run_dir = run_dir


def submit(submit_config, shown_run_dir: str, run) -> None:
    """Print the run directory, then call `run(submit_config)`."""
    print(f'Local submit - run_dir: {shown_run_dir}')
    run(submit_config)
