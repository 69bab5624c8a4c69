"""Run a piece of a part in this process: python -m benchmarks.gpu_check.worker MODULE.FUNCTION ARGUMENTS."""

import importlib
import json
import sys

from benchmarks.gpu_check.commands import OUT_OF_MEMORY, RESULT
from dnnlib import cli, faults


def main(function, arguments):
    """Call a generator of this package with arguments in JSON, and print what it yields, a line each."""
    module, name = function.rsplit('.', 1)
    generator = getattr(importlib.import_module(f'benchmarks.gpu_check.{module}'), name)
    with faults.described(OUT_OF_MEMORY):
        for result in generator(**json.loads(arguments)):
            print(RESULT + json.dumps(result), flush=True)


if __name__ == '__main__':
    cli.run_script(lambda: main(*sys.argv[1:]))
