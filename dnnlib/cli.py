"""What the command-line scripts share: argument types, and errors as one line instead of a traceback."""

import argparse
import errno
import math
import os
import re
import signal
import sys

import requests

from dnnlib.util import NO_SPACE, UserError

MAX_NUMBERS = 1_000_000  # in a range on the command line
_FILE_TROUBLE = (*NO_SPACE, errno.EACCES, errno.EPERM, errno.EROFS)  # EPERM: chattr +i


def number_range(text: str) -> list[int]:
    """Argparse type: '3-6' -> [3, 4, 5, 6], '1,2,7' -> [1, 2, 7]."""
    limits = re.fullmatch(r'([0-9]+)-([0-9]+)', text)
    try:
        numbers = range(int(limits[1]), int(limits[2]) + 1) if limits else [int(x) for x in text.split(',')]
    except ValueError:
        numbers = []
    if len(numbers) > MAX_NUMBERS:
        raise argparse.ArgumentTypeError(f"'{text}' are more than {MAX_NUMBERS} numbers")
    if not numbers:
        raise argparse.ArgumentTypeError(f"expected numbers such as '1-5' or '1,2,7', not '{text}'")
    return list(numbers)


def boolean(text: str) -> bool:
    """Argparse type: yes, true, t, y, 1 or no, false, f, n, 0, in any case."""
    if text.lower() in ('yes', 'true', 't', 'y', '1'):
        return True
    if text.lower() in ('no', 'false', 'f', 'n', '0'):
        return False
    raise argparse.ArgumentTypeError('Boolean value expected.')


def comma_list(text: str) -> list[str]:
    """Argparse type: 'a,b' -> ['a', 'b']; nothing or 'none' -> []."""
    return [] if text.lower() in ('', 'none') else text.split(',')


def one_of(*choices: str):
    """Argparse type: one of these words."""
    def convert(text):
        if text not in choices:
            raise argparse.ArgumentTypeError(f"expected one of {', '.join(choices)}, not '{text}'")
        return text
    return convert


def _at_least(minimum, kind, name):
    def convert(text):
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not minimum <= value < math.inf:
            raise argparse.ArgumentTypeError(f"expected a {name} of at least {minimum}, not '{text}'")
        return value
    return convert


def int_at_least(minimum: int):
    """Argparse type: a whole number that is not below `minimum`."""
    return _at_least(minimum, int, 'whole number')


def float_between(minimum: float, maximum: float):
    """Argparse type: a number in a range, its ends included."""
    def convert(text):
        value = float_at_least(minimum)(text)
        if value > maximum:
            raise argparse.ArgumentTypeError(f"expected a number from {minimum} to {maximum}, not '{text}'")
        return value
    return convert


def by_resolution(value_type):
    """Argparse type: '8:256,16:128' -> {8: 256, 16: 128}; nothing or 'none' -> {}."""
    def convert(text):
        table = {}
        for item in comma_list(text):
            key, colon, value = item.partition(':')
            resolution = int_at_least(4)(key)
            if not colon or resolution & (resolution - 1) != 0 or resolution in table:
                raise argparse.ArgumentTypeError(
                    f"expected resolutions (4, 8, 16, ...) with their values such as '8:256,16:128', "
                    f"not '{text}'")
            table[resolution] = value_type(value)
        return table
    return convert


def labels(text: str) -> int | str:
    """Argparse type: 'full', 'none' (-> 0) or a number of components."""
    if text.lower() in ('full', 'none'):
        return 'full' if text.lower() == 'full' else 0
    return int_at_least(0)(text)


def columns_by_rows(text: str) -> tuple[int, int]:
    """Argparse type: '4x3' -> (4, 3), columns and rows."""
    match = re.fullmatch('([1-9][0-9]*)x([1-9][0-9]*)', text)
    if match is None:
        raise argparse.ArgumentTypeError(f"expected columns and rows such as '4x3', not '{text}'")
    return int(match[1]), int(match[2])


def seed(text: str) -> int:
    """Argparse type: what NumPy takes as a seed."""
    value = int_at_least(0)(text)
    if value >= 2 ** 32:
        raise argparse.ArgumentTypeError(f'expected a seed of at most {2 ** 32 - 1}, not {value}')
    return value


def folder_name(text: str) -> str:
    """Argparse type: name of a folder without its path, which can be a part of a run's name."""
    if not re.fullmatch(r'[\w.-]*\w', text, re.ASCII):
        raise argparse.ArgumentTypeError(
            f"expected the name of a folder, of letters, digits, '_', '.' and '-', not '{text}'")
    return text


def float_at_least(minimum: float):
    """Argparse type: a finite number that is not below `minimum`."""
    return _at_least(minimum, float, 'number')


def _fail(message, status):
    print(message, file=sys.stderr)
    sys.exit(status)


def run_script(main) -> None:
    """Call `main()`. What the user can mend ends the process with status 2, Ctrl-C with status 130, both with
    one line on stderr. Anything else keeps its traceback."""
    if callable(signal.getsignal(signal.SIGINT)):  # `script_start` has a handler for the time before
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        main()
    except UserError as error:
        _fail(f'Error: {error}', 2)
    except requests.RequestException as error:
        _fail(f'Error: download failed: {error}', 2)
    except OSError as error:
        if error.errno not in _FILE_TROUBLE:
            raise
        reason = os.strerror(error.errno)
        _fail(f'Error: {reason}' if error.filename is None else f'Error: {error.filename}: {reason}', 2)
    except MemoryError:
        _fail('Error: out of memory; give the process more (ulimit -v, the limit of the job)', 2)
    except KeyboardInterrupt:
        _fail('Interrupted.', 130)
