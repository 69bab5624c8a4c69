"""Run one measurement in this process: python -m benchmarks.piece MODULE.FUNCTION ARGUMENTS OUT."""

import importlib
import json
import pathlib
import sys


def main(function, arguments, out):
    """Call a function of this package with arguments in JSON and write its result to the file `out`."""
    module, name = function.rsplit('.', 1)
    result = getattr(importlib.import_module(f'benchmarks.{module}'), name)(**json.loads(arguments))
    pathlib.Path(out).write_text(json.dumps(result), encoding='utf-8')


if __name__ == '__main__':
    main(*sys.argv[1:])
