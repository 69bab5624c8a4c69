"""Part: what this machine is. Its findings begin the report."""

from benchmarks import processes
from benchmarks.gpu_check import commands
from benchmarks.gpu_check.results import CUT, FAILED, PASSED


def run(part, context):
    """Run the doctor and find the GPUs."""
    lines = []
    ended = commands.run(processes.python('-m', 'dnnlib.doctor'), context.deadline,
                         context.log(part.name), lines.append, environment={},  # as the user has set it
                         idle=lambda: context.screen.remind('looking at the machine'))
    part.facts['doctor'] = [line for line in lines if not line.endswith('...')]  # without its progress
    part.add('doctor', PASSED if ended.is_good else CUT if ended.is_cut else FAILED,
             '' if ended.is_good else ended.reason)
