"""Part: whether the CPU and the first GPU agree about a generator and a training step of config F."""

from benchmarks.gpu_check import commands
from benchmarks.gpu_check.results import CUT, FAILED, LEFT_OUT, PASSED

DEVICES = ('/cpu:0', '/gpu:0')
SIZES = dict(image_resolution=256, step_resolution=64)


def run(part, context):
    """Add a check for the generator and for each network's step."""
    if not context.num_gpus:
        part.add('CPU and GPU', LEFT_OUT, 'no GPU was found')
        return
    _, ended = commands.results(
        'compared_steps.compare', dict(devices=DEVICES, **SIZES), context.deadline, context.log(part.name),
        lambda: context.screen.remind('comparing CPU and GPU'), lambda result: add_check(part, result))
    if not ended.is_good:
        part.add('the comparison', CUT if ended.is_cut else FAILED, ended.reason)


def add_check(part, result):
    """Add what `compared_steps.compare` yields."""
    is_close = result['error'] <= result['allowed']  # False for NaN
    part.add(result['name'], PASSED if is_close else FAILED,
             f'largest difference {result["error"]:.1e} ({result["where"]}), allowed {result["allowed"]:g}')
