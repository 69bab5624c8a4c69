"""Submits a function: creates a numbered run directory with its files, and calls the function."""

import contextlib
import copy
import dataclasses
import enum
import functools
import inspect
import os
import pathlib
import pickle
import platform
import pprint
import re
import time
import traceback

import numpy as np

import dnnlib
from dnnlib import cli, util
from dnnlib.files import NO_SPACE, atomic_write, lock_folder
from dnnlib.submission import run_dirs
from dnnlib.submission.internal import local
from dnnlib.submission.run_context import RunContext
from dnnlib.submission.run_dirs import SubmitError
from dnnlib.submission.slurm import target as slurm

_TASK_NAME = r'^[a-zA-Z0-9][a-zA-Z0-9_.-]+$'

_user_name_override = None


class SubmitTarget(enum.Enum):
    """Where the function runs."""
    LOCAL = 1
    SLURM = 2


_TARGETS = {SubmitTarget.LOCAL: local, SubmitTarget.SLURM: slurm}


class PathType(enum.Enum):
    """The platform whose paths are written."""
    WINDOWS = 1
    LINUX = 2  # and everything else
    AUTO = 3   # as on this machine


@dataclasses.dataclass
class PlatformExtras:
    """Settings that depend on the platform."""
    data_reader_buffer_size: int = 1 << 30  # bytes
    data_reader_process_count: int = 0


class SubmitConfig(util.EasyDict):
    """What to run, where, and under which name."""

    def __init__(self):
        super().__init__()
        self.run_dir_root = ''             # Folder of the run directories; may contain <USERNAME>.
        self.run_desc = ''                 # Description: part of the directory's name.
        self.run_dir_ignore = [            # Patterns of names that are not copied with the sources.
            '__pycache__', '*.pyproj', '*.sln', '*.suo', '.cache', '.idea', '.vs', '.vscode', '_cudacache']
        self.run_dir_extra_files = []      # More files to copy: (path, path below src/).
        self.submit_target = SubmitTarget.LOCAL
        self.num_gpus = 1
        self.print_info = False            # Published, but not used.
        self.nvprof = False                # Published, but not used.
        self.local = local.TargetOptions()
        self.slurm = None                  # Options of the Slurm target, a slurm.TargetOptions.
        self.datasets = []                 # Published, but not used.
        self.run_id = None                 # This and the following are set by submit_run().
        self.run_name = None
        self.run_dir = None
        self.run_func_name = None
        self.run_func_kwargs = None
        self.user_name = None              # None = the user of the process.
        self.task_name = None
        self.host_name = 'localhost'
        self.platform_extras = PlatformExtras()


def _on_windows():
    return platform.system() == 'Windows'


def get_path_from_template(path_template: str, path_type: PathType = PathType.AUTO) -> str:
    """Replace <USERNAME>, and write the path as the platform does. `~` stays as it is."""
    windows = _on_windows() if path_type == PathType.AUTO else path_type == PathType.WINDOWS
    pure_path = pathlib.PureWindowsPath if windows else pathlib.PurePosixPath
    return str(pure_path(path_template.replace('<USERNAME>', get_user_name())))


def get_template_from_path(path: str) -> str:
    """Replace backslashes by slashes."""
    return path.replace('\\', '/')


def convert_path(path: str, path_type: PathType = PathType.AUTO) -> str:
    """Convert a path of any platform to the form of another one."""
    return get_path_from_template(get_template_from_path(path), path_type)


def set_user_name_override(name: str | None) -> None:
    """Set what `get_user_name()` returns; None = the user of the process."""
    global _user_name_override
    _user_name_override = name


def get_user_name() -> str:
    """Return the name of the user of this process, 'unknown' if it has none."""
    if _user_name_override is not None:
        return _user_name_override
    if _on_windows():
        return os.getlogin()
    try:
        import pwd  # not on Windows
        return pwd.getpwuid(os.geteuid()).pw_name
    except (ImportError, KeyError):
        return 'unknown'


def make_run_dir_path(*paths: str) -> str:
    """Return a path in the directory of the active run, or in the current directory without a run."""
    config = dnnlib.submit_config
    if config is None or config.run_dir is None:
        return os.path.join(os.getcwd(), *paths)
    return os.path.join(config.run_dir, *paths)


def check_root(run_dir_root: str) -> None:
    """Raise SubmitError if no run directory can be created in this folder, which may not exist yet."""
    run_dirs.check_root(get_path_from_template(run_dir_root))


def _task_name(user_name, run_id, run_desc):
    """Return the name of a task. Raises SubmitError for characters that it must not contain."""
    task_name = f'{user_name}-{run_id:05d}-{run_desc}'
    if re.match(_TASK_NAME, task_name) is None:
        raise SubmitError(f"submit_config.task_name must match the regex '{_TASK_NAME}', not '{task_name}'")
    return task_name


def _plain(value):
    """Copy a configuration, with plain numbers in place of NumPy's."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        result = copy.copy(value)
        result.update({key: _plain(item) for key, item in value.items()})
        return result
    return type(value)(map(_plain, value)) if type(value) in (list, tuple) else value


def _write_config(submit_config):
    plain_config = _plain(submit_config)
    # A job of Slurm starts a local run, and published code can read this configuration.
    plain_config.update(submit_target=SubmitTarget.LOCAL, slurm=None)
    with atomic_write(os.path.join(submit_config.run_dir, 'submit_config.pkl')) as file:
        pickle.dump(plain_config, file)
    with atomic_write(os.path.join(submit_config.run_dir, 'submit_config.txt'), 'w') as file:
        pprint.pprint(plain_config, stream=file, indent=4, width=200, compact=False)


def _copy_sources(submit_config):
    """Copy the launcher and, to src/, the tree of the run function, dnnlib and the extra files."""
    depth = submit_config.run_func_name.count('.')
    assert depth > 0, 'run_func_name must be the full name of a function in a module'
    top = pathlib.Path(util.get_module_dir_by_obj_name(submit_config.run_func_name)).resolve()
    for _ in range(depth - 1):
        top = top.parent
    ignores = submit_config.run_dir_ignore
    package = os.path.dirname(dnnlib.__file__)
    files = util.list_dir_recursively_with_ignore(str(top), ignores)
    files += util.list_dir_recursively_with_ignore(package, ignores, add_base_to_relative=True)
    files += submit_config.run_dir_extra_files or []
    source_dir = os.path.join(submit_config.run_dir, 'src')
    copies = [(path, os.path.join(source_dir, relative)) for path, relative in files]
    launcher = os.path.join(os.path.dirname(local.__file__), 'run.py')
    util.copy_files_and_create_dirs(copies + [(launcher, os.path.join(submit_config.run_dir, 'run.py'))])


def _call_run_function(submit_config):
    start = time.monotonic()
    print(f'dnnlib: Running {submit_config.run_func_name}() on {submit_config.host_name}...')
    function = util.get_obj_by_name(submit_config.run_func_name)
    assert callable(function), submit_config.run_func_name
    kwargs = dict(submit_config.run_func_kwargs)
    if 'submit_config' in inspect.signature(function).parameters:
        kwargs['submit_config'] = submit_config
    function(**kwargs)
    elapsed = util.format_time(time.monotonic() - start)
    print(f'dnnlib: Finished {submit_config.run_func_name}() in {elapsed}.')


@contextlib.contextmanager
def _full_disk_named(log_path):
    """Name the log in errors of a full disk that name no file; `atomic_write` names the others."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_SPACE and error.filename is None:
            error.filename = log_path
        raise


def run_wrapper(submit_config: SubmitConfig, log_mode: str = 'w') -> None:
    """Call the run function and log its output to `log.txt`, which is opened with `log_mode`.

    Afterwards, stdout and stderr are restored and no run is active, even if the function raises. In that case
    `log.txt` ends with the traceback.
    """
    assert submit_config.submit_target == SubmitTarget.LOCAL
    run_dir = pathlib.Path(submit_config.run_dir)
    finished, run_txt = run_dir / '_finished.txt', run_dir / 'run.txt'
    for left_by_earlier_launch in (finished, run_txt):
        left_by_earlier_launch.unlink(missing_ok=True)
    with contextlib.ExitStack() as clean_up:
        log_path = str(run_dir / 'log.txt')
        clean_up.enter_context(_full_disk_named(log_path))
        logger = clean_up.enter_context(util.Logger(log_path, log_mode))
        clean_up.callback(setattr, dnnlib, 'submit_config', None)
        clean_up.callback(RunContext.close_any)
        clean_up.callback(finished.touch)
        dnnlib.submit_config = submit_config
        try:
            _call_run_function(submit_config)
            if not run_txt.exists():
                RunContext.get()  # writes run.txt for a function that does not use the context
        except BaseException:
            with contextlib.suppress(OSError):  # a full disk must not hide what happened
                traceback.print_exc(file=logger.file)
            raise


@contextlib.contextmanager
def alone_in(run_dir: str):
    """Lock a run directory. Raises UserError if another process has locked it. No effect on Windows."""
    try:
        descriptor = lock_folder(run_dir)
    except BlockingIOError as error:
        raise util.UserError(f'{run_dir}: another process uses this run directory') from error
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def continue_run(submit_config: SubmitConfig, **extra_kwargs) -> None:
    """Call the run function again in its existing run directory, and append to `log.txt`.

    The configuration is rewritten. `extra_kwargs` are additional arguments for this call only.
    """
    submit_config = copy.deepcopy(submit_config)
    _write_config(submit_config)
    submit_config.run_func_kwargs = {**submit_config.run_func_kwargs, **extra_kwargs}
    local.submit(submit_config, submit_config.run_dir, functools.partial(run_wrapper, log_mode='a'))


def slurm_script(submit_config: SubmitConfig, run_func_name: str) -> str:
    """Return the batch script that `submit_run` would hand to Slurm. Raises SubmitError as it does."""
    submit_config = _checked_copy(submit_config, run_func_name, {})
    root = get_path_from_template(submit_config.run_dir_root)
    run_id = run_dirs.next_run_id(root) if os.path.isdir(root) else 0
    submit_config.run_dir = os.path.abspath(os.path.join(root, f'{run_id:05d}-{submit_config.run_desc}'))
    submit_config.task_name = _task_name(submit_config.user_name, run_id, submit_config.run_desc)
    return slurm.batch_script(submit_config)


def submit_run(submit_config: SubmitConfig, run_func_name: str, **run_func_kwargs) -> SubmitConfig:
    """Create a run directory, and call the function of this full name with these keyword arguments.

    The Slurm target submits a job that calls it. Returns the completed copy of the configuration. Raises
    SubmitError for a configuration that cannot run, slurm.RefusedError if Slurm refuses the job, and whatever
    the function raises. The run directory is removed after a refused job, and after Ctrl-C or an error that
    `cli.line_for` explains if the function has written no file. Otherwise it stays, with the traceback in
    `log.txt`.
    """
    submit_config = _checked_copy(submit_config, run_func_name, run_func_kwargs)
    target = _TARGETS[submit_config.submit_target]
    target.check(submit_config)
    root = get_path_from_template(submit_config.run_dir_root)
    new_folders = run_dirs.absent_folders(root)
    run_dirs.make_root(root)
    run_id, run_name = run_dirs.create_run_dir(root, submit_config.run_desc)
    submit_config.run_id, submit_config.run_name = run_id, run_name
    submit_config.task_name = _task_name(submit_config.user_name, run_id, submit_config.run_desc)
    run_dir = os.path.join(root, run_name)
    is_local = submit_config.submit_target == SubmitTarget.LOCAL
    # A job that may exist must not lose its directory.
    ends = cli.line_for if is_local else lambda error: isinstance(error, slurm.RefusedError)
    with run_dirs.removed_without_result(run_dir, new_folders, ends):
        target.finalize_submit_config(submit_config, run_dir)
        _write_config(submit_config)
        if not submit_config.local.do_not_copy_source_files:
            _copy_sources(submit_config)
        with alone_in(run_dir) if is_local else contextlib.nullcontext():  # a job locks it when it starts
            target.submit(submit_config, convert_path(run_dir), run_wrapper)
    return submit_config


def _checked_copy(submit_config, run_func_name, run_func_kwargs):
    """Copy a configuration and fill in the user, the function and its arguments."""
    submit_config = copy.deepcopy(submit_config)
    assert submit_config.submit_target in _TARGETS
    if not submit_config.num_gpus:
        raise SubmitError('submit_config.num_gpus must be set to a non-zero value')
    if submit_config.user_name is None:
        submit_config.user_name = get_user_name()
    if submit_config.submit_target == SubmitTarget.SLURM and submit_config.slurm is None:
        submit_config.slurm = slurm.TargetOptions()
    submit_config.run_func_name = run_func_name
    submit_config.run_func_kwargs = run_func_kwargs
    _task_name(submit_config.user_name, 0, submit_config.run_desc)  # raises before a directory is created
    return submit_config
