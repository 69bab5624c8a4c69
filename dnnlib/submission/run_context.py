"""The state of the active run: its clock, its stop signal and the file `run.txt`."""

import datetime
import os
import pprint

import dnnlib
from dnnlib.files import atomic_write


def _now():
    """Return the current time with its zone, so that intervals stay correct when clocks change."""
    return datetime.datetime.now().astimezone()


def _timestamp(time):
    return time.replace(tzinfo=None).isoformat(sep=' ')


class RunContext:
    """The clock and stop signal of a run. One is open at a time, which `RunContext.get()` returns.

    As a context manager, it is closed at the end of the block.
    """

    _open = None

    def __init__(self, submit_config, config_module=None):
        assert RunContext._open is None, 'another RunContext is open'
        if config_module is not None:
            print('RunContext.config_module parameter support has been removed.')
        self.submit_config = submit_config
        self.should_stop_flag = False
        self.has_closed = False
        self.start_time = _now()
        self.last_update_time = self.start_time
        self.last_update_interval = 0.0  # seconds
        self.progress_monitor_file_path = None
        self._description = {
            'task_name': submit_config.task_name,
            'host_name': submit_config.host_name,
            'start_time': _timestamp(self.start_time),
        }
        self._write_description()
        RunContext._open = self

    def __enter__(self) -> 'RunContext':
        return self

    def __exit__(self, exc_type, exc_value, traceback) -> None:
        self.close()

    @staticmethod
    def get() -> 'RunContext':
        """Return the open context, or a new one for the active run. Raises RuntimeError outside a run."""
        if RunContext._open is not None:
            return RunContext._open
        if dnnlib.submit_config is None:
            raise RuntimeError('no run is active: start one with dnnlib.submit_run()')
        return RunContext(dnnlib.submit_config)

    @staticmethod
    def close_any() -> None:
        """Close the open context if there is one."""
        if RunContext._open is not None:
            RunContext._open.close()

    def update(self, loss=0, cur_epoch=0, max_epoch=None) -> None:
        """Measure the interval since the last update, and look for the stop signal, the file `abort.txt`.

        The arguments are published, but not used.
        """
        assert not self.has_closed
        self.last_update_interval = self.get_time_since_last_update()
        self.last_update_time = _now()
        if os.path.exists(os.path.join(self.submit_config.run_dir, 'abort.txt')):
            self.should_stop_flag = True

    def should_stop(self) -> bool:
        """Return whether `abort.txt` has been found."""
        return self.should_stop_flag

    def get_time_since_start(self) -> float:
        """Return the seconds since this context was created."""
        return (_now() - self.start_time).total_seconds()

    def get_time_since_last_update(self) -> float:
        """Return the seconds since the last `update()`."""
        return (_now() - self.last_update_time).total_seconds()

    def get_last_update_interval(self) -> float:
        """Return the seconds between the last two updates."""
        return self.last_update_interval

    def close(self) -> None:
        """Add `stop_time` to `run.txt`, and let another context be opened. May be called twice."""
        if self.has_closed:
            return
        self.has_closed = True
        if RunContext._open is self:
            RunContext._open = None
        self._description['stop_time'] = _timestamp(_now())
        self._write_description()

    def _write_description(self):
        with atomic_write(os.path.join(self.submit_config.run_dir, 'run.txt'), 'w') as file:
            pprint.pprint(self._description, stream=file)
