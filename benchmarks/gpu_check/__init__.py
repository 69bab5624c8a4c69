"""Checks a machine with GPUs within ten minutes and writes a report: `make gpu-check`.

`__main__` runs the parts one after the other; `results` says what a part finds out, `budget` how long it may
take, `commands` runs its processes, `report` writes what was found.
"""
