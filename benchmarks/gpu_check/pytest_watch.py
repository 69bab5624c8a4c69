"""A plugin of pytest that writes a line of JSON for every test, and makes GPUs compute float32 in full.

On a GPU the lines tell whether a test used its memory. GPU_CHECK_TESTS_OUT in the environment names the file.
"""

import json
import os

import pytest

GPU = 'GPU:0'
OUT = 'GPU_CHECK_TESTS_OUT'
USED = 'gpu_bytes'


def pytest_configure(config):
    """Register the part for the process that reports, and set the precision where tests run."""
    is_worker = hasattr(config, 'workerinput')
    if not is_worker:
        config.pluginmanager.register(Reporter(os.environ[OUT]), 'gpu-check-reporter')
    if is_worker or not config.getoption('numprocesses', None):
        config.pluginmanager.register(Watch(), 'gpu-check-watch')


class Reporter:
    """Writes how tests end."""

    def __init__(self, path):
        self._path = path

    def _write(self, **content):
        with open(self._path, 'a', encoding='utf-8') as file:
            file.write(json.dumps(content) + '\n')

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids):
        """Write the number of tests."""
        self._write(total=len(ids))

    def pytest_runtest_logreport(self, report):
        """Write the result of a test, or of its preparation if that did not pass."""
        if report.when == 'call' or report.outcome != 'passed':
            error = '' if report.outcome == 'passed' else _reason(report)
            self._write(test=report.nodeid, outcome=report.outcome, seconds=report.duration, error=error,
                        **dict(report.user_properties))


def _reason(report):
    crash = getattr(report.longrepr, 'reprcrash', None)
    lines = (crash.message if crash else str(report.longrepr)).splitlines()
    return lines[0] if lines else ''


class Watch:
    """Measures how much of the GPU's memory a test takes."""

    def __init__(self):
        import tensorflow.compat.v1 as tf
        tf.config.experimental.enable_tensor_float_32_execution(False)
        self._has_gpu = bool(tf.config.list_physical_devices('GPU'))
        self._experimental = tf.config.experimental

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item):
        """Run the test, and remember the memory that it took beyond what was in use."""
        if not self._has_gpu:
            return (yield)
        self._experimental.reset_memory_stats(GPU)
        before = self._experimental.get_memory_info(GPU)['current']
        try:
            return (yield)
        finally:
            taken = self._experimental.get_memory_info(GPU)['peak'] - before
            item.user_properties.append((USED, taken))
