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


def some_of(*choices: str):
    """Argparse type: one or more of these words, separated by commas -> a list."""
    def convert(text):
        return [one_of(*choices)(word) for word in text.split(',')]
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


def int_between(minimum: int, maximum: int):
    """Argparse type: a whole number in a range, its ends included."""
    def convert(text):
        value = int_at_least(minimum)(text)
        if value > maximum:
            raise argparse.ArgumentTypeError(f"expected at most {maximum}, not '{text}'")
        return value
    return convert


def power_of_two(text: str) -> int:
    """Argparse type: a side of images, 4, 8, 16 and so on."""
    value = int_at_least(4)(text)
    if value & (value - 1) != 0:
        raise argparse.ArgumentTypeError(f'expected a power of two such as 128 or 256, not {value}')
    return value


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


def folder_names(text: str) -> list[str]:
    """Argparse type: 'a,b' -> ['a', 'b'], names of folders without their path; nothing or 'none' -> []."""
    return [folder_name(name) for name in comma_list(text)]


def float_at_least(minimum: float):
    """Argparse type: a finite number that is not below `minimum`."""
    return _at_least(minimum, float, 'number')


def add_cache_dir(parser) -> None:
    """Add the flag --cache-dir to a parser; `use_cache_dir` heeds it."""
    parser.add_argument('--cache-dir', type=folder, metavar='DIR',
                        help='folder of downloads, statistics of real images and the list of trusted files '
                             '(default: $DNNLIB_CACHE_DIR or else .stylegan2-cache, and ~/.cache/dnnlib for '
                             'the list)')


def folder(text: str) -> str:
    """Argparse type: path of a folder, which may have to be made."""
    if not text or (os.path.exists(text) and not os.path.isdir(text)):
        raise argparse.ArgumentTypeError(f"expected a folder, not '{text}'")
    return text


def use_cache_dir(args) -> None:
    """Let --cache-dir be the cache directory, of processes that this one starts as well, and take it out of
    the arguments."""
    cache_dir = vars(args).pop('cache_dir', None)  # a script without its subcommand has none
    if cache_dir is not None:
        os.environ['DNNLIB_CACHE_DIR'] = os.path.abspath(cache_dir)


def line_for(error: BaseException) -> str | None:
    """All that a user has to be told about an error; None for one that needs its traceback."""
    if isinstance(error, UserError):
        return f'Error: {error}'
    if isinstance(error, requests.RequestException):
        return f'Error: download failed: {error}'
    if isinstance(error, OSError) and error.errno in _FILE_TROUBLE:
        reason = os.strerror(error.errno)
        return f'Error: {reason}' if error.filename is None else f'Error: {error.filename}: {reason}'
    if isinstance(error, MemoryError):
        return 'Error: out of memory; give the process more (ulimit -v, the limit of the job)'
    return 'Interrupted.' if isinstance(error, KeyboardInterrupt) else None


def run_script(main) -> None:
    """Call `main()`. What the user can mend ends the process with status 2, Ctrl-C with status 130, both with
    one line on stderr. Anything else keeps its traceback."""
    if callable(signal.getsignal(signal.SIGINT)):  # `script_start` has a handler for the time before
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        main()
    except (Exception, KeyboardInterrupt) as error:
        line = line_for(error)
        if line is None:
            raise
        print(line, file=sys.stderr)
        sys.exit(130 if isinstance(error, KeyboardInterrupt) else 2)
