"""Part: the project's tests of ops, networks, losses and optimizer, run as they are on this machine's device.

They compare with figures measured by running the published code. Where a test names no device, TensorFlow
takes the first GPU, for which convolutions have a form of their own.
"""

import collections
import json
import os
import pathlib

from benchmarks import processes
from benchmarks.gpu_check import commands
from benchmarks.gpu_check.pytest_watch import OUT, USED
from benchmarks.gpu_check.results import CUT, FAILED, PASSED
from dnnlib.util import num_cores

GROUPS = {  # Files below tests/, or tests in them.
    'ops and their gradients': ['test_ops.py', 'test_stylegan_resampling.py', 'test_stylegan_layers.py'],
    'networks': ['test_networks_stylegan2.py', 'test_networks_stylegan.py', 'test_networks_stylegan2_ada.py'],
    'augmentation': ['test_augment.py'],
    'losses': ['test_loss.py', 'test_loss_ada.py'],
    'optimizer': ['test_optimizer.py'],
    'whole trainings': ['test_training_loop.py::test_golden_run_ends_with_the_same_variables'],
}
ON_GPUS = {'half precision': ['test_mixed_precision.py'], 'growing networks': ['test_growth.py']}
MAX_PROCESSES = 4  # each holds a GPU context and, on CPUs, one to two GB
SHOWN_FAILURES = 3
FULL_FLOAT32 = {'NVIDIA_TF32_OVERRIDE': '0'}  # for CUDA's libraries; TensorFlow is told by the plugin


def groups(num_gpus):
    """Return {name: tests} for this machine."""
    return {**GROUPS, **(ON_GPUS if num_gpus else {})}


def command(wanted):
    """Return the command that runs these groups."""
    tests = [f'tests/{name}' for names in wanted.values() for name in names]
    jobs = min(MAX_PROCESSES, num_cores())
    plugins = ['-p', 'benchmarks.gpu_check.pytest_watch', '-p', 'no:cacheprovider']
    return processes.python('-m', 'pytest', *plugins, '-n', jobs, '--dist', 'loadfile', *tests)


def run(part, context):
    """Run the tests and add a check for each group."""
    wanted = groups(context.num_gpus)
    path, log = pathlib.Path(context.folder, 'tests.jsonl'), context.log(part.name)

    def idle():
        total, found = read(path)
        failed = sum(each['outcome'] == 'failed' for each in found)
        context.screen.remind(f'tests: {len(found)} of {total or "?"} have run, {failed} failed')

    try:
        ended = commands.run(command(wanted), context.deadline, log,
                             environment={**commands.ENVIRONMENT, OUT: str(path), **FULL_FLOAT32}, idle=idle)
    finally:
        total, found = read(path)
        add_checks(part, wanted, found, commands.name_of(log))
    if ended.is_cut:
        part.add('all tests', CUT, f'{len(found)} of {total} tests had run when the time was up; '
                 f'{ended.log} has the output')
    elif ended.status not in (0, 1) or not found:
        part.add('all tests', FAILED, ended.reason)
    if context.num_gpus:
        part.facts['on_gpu'] = sum(each.get(USED, 0) > 0 for each in found)
        part.facts['tests'] = len(found)


def read(path):
    """Read what `pytest_watch` wrote. -> number of tests that were collected, [dict per test that ran]."""
    if not os.path.exists(path):
        return 0, []
    whole_lines = path.read_text(encoding='utf-8').rpartition('\n')[0].splitlines()
    lines = [json.loads(line) for line in whole_lines]
    return max([line['total'] for line in lines if 'total' in line], default=0), [
        line for line in lines if 'test' in line]


def add_checks(part, wanted, found, log):
    """Add a check for each group of which a test has run. log: name of the file that says more."""
    files = {name.partition('::')[0]: group for group, names in wanted.items() for name in names}
    by_group = collections.defaultdict(list)
    for each in found:
        by_group[files[pathlib.PurePath(each['test'].partition('::')[0]).name]].append(each)
    for group in wanted:
        ran = by_group[group]
        failed = [each for each in ran if each['outcome'] == 'failed']
        if ran:
            seconds = sum(each['seconds'] for each in ran)
            part.add(group, FAILED if failed else PASSED, _note(ran, failed, log), seconds)


def _note(ran, failed, log):
    passed = sum(each['outcome'] == 'passed' for each in ran)
    texts = [f'{passed} of {len(ran)} tests passed']
    texts += [f'{each["test"].rpartition("::")[2]}: {each["error"]}' for each in failed[:SHOWN_FAILURES]]
    if failed:
        hidden = len(failed) - SHOWN_FAILURES
        texts.append(f'{f"and {hidden} more; " if hidden > 0 else ""}{log} has the output')
    return '; '.join(texts)
