"""Command lines: argument types for argparse, and errors as one line instead of a traceback."""

import argparse
import errno
import io
import math
import os
import re
import signal
import sys

import requests

from dnnlib import required_packages
from dnnlib.files import NO_SPACE
from dnnlib.util import UserError, printable

MAX_NUMBERS = 1_000_000  # in a range
_FILE_TROUBLE = (*NO_SPACE, errno.EACCES, errno.EPERM, errno.EROFS)  # EPERM: chattr +i


class ArgumentParser(argparse.ArgumentParser):
    """A parser whose errors are one line, as those of `run_script`, without the usage above it."""

    def error(self, message):
        """Print the message and exit with status 2."""
        self.exit(2, f'{printable(f"Error: {message}")}\n')


def number_range(text: str) -> list[int]:
    """Parse '3-6' as [3, 4, 5, 6] and '1,2,7' as [1, 2, 7]."""
    limits = re.fullmatch(r'([0-9]+)-([0-9]+)', text)
    try:
        numbers = range(int(limits[1]), int(limits[2]) + 1) if limits else [int(x) for x in text.split(',')]
    except ValueError:
        numbers = []
    if len(numbers) > MAX_NUMBERS:
        raise argparse.ArgumentTypeError(f"expected at most {MAX_NUMBERS} numbers, not '{text}'")
    if not numbers:
        raise argparse.ArgumentTypeError(f"expected numbers such as '1-5' or '1,2,7', not '{text}'")
    return list(numbers)


def boolean(text: str) -> bool:
    """Parse yes, true, t, y, 1 or no, false, f, n, 0, in any case."""
    if text.lower() in ('yes', 'true', 't', 'y', '1'):
        return True
    if text.lower() in ('no', 'false', 'f', 'n', '0'):
        return False
    raise argparse.ArgumentTypeError('Boolean value expected.')


def comma_list(text: str) -> list[str]:
    """Split 'a,b' into ['a', 'b']; '' and 'none' are []."""
    return [] if text.lower() in ('', 'none') else text.split(',')


def some_of(*choices: str):
    """Return a type that accepts one or more of these words, separated by commas, as a list."""
    def convert(text):
        words = text.split(',')
        for word in words:
            if word not in choices:
                raise argparse.ArgumentTypeError(f"expected one of {', '.join(choices)}, not '{word}'")
        return words
    return convert


def kind(value_type, metavar='X') -> dict:
    """Return keyword arguments of `add_argument` for a type, or for a tuple of words to choose from, which
    the help then shows."""
    if isinstance(value_type, tuple):
        return dict(choices=value_type)
    return dict(type=value_type, metavar='BOOL' if value_type is boolean else metavar)


def _number(kind, name, minimum, maximum=None):
    limits = f'of at least {minimum}' if maximum is None else f'from {minimum} to {maximum}'

    def convert(text):
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not minimum <= value < math.inf or (maximum is not None and value > maximum):
            raise argparse.ArgumentTypeError(f"expected a {name} {limits}, not '{text}'")
        return value
    return convert


def int_at_least(minimum: int):
    """Return a type that accepts whole numbers of at least `minimum`."""
    return _number(int, 'whole number', minimum)


def int_between(minimum: int, maximum: int):
    """Return a type that accepts whole numbers in a range, limits included."""
    return _number(int, 'whole number', minimum, maximum)


def float_at_least(minimum: float):
    """Return a type that accepts finite numbers of at least `minimum`."""
    return _number(float, 'number', minimum)


def float_between(minimum: float, maximum: float):
    """Return a type that accepts numbers in a range, limits included."""
    return _number(float, 'number', minimum, maximum)


seed = int_between(0, 2 ** 32 - 1)  # what NumPy accepts


def power_of_two(text: str) -> int:
    """Parse a side of images: 4, 8, 16 and so on."""
    value = int_at_least(4)(text)
    if value & (value - 1) != 0:
        raise argparse.ArgumentTypeError(f'expected a power of two such as 128 or 256, not {value}')
    return value


def by_resolution(value_type):
    """Return a type that parses '8:256,16:128' as {8: 256, 16: 128}; '' and 'none' are {}."""
    def convert(text):
        table = {}
        for item in comma_list(text):
            key, colon, value = item.partition(':')
            resolution = int_at_least(4)(key)
            if not colon or resolution & (resolution - 1) != 0 or resolution in table:
                raise argparse.ArgumentTypeError(
                    f"expected resolutions (4, 8, 16, ...) with values, such as '8:256,16:128', not '{text}'")
            table[resolution] = value_type(value)
        return table
    return convert


def labels(text: str) -> int | str:
    """Parse 'full', 'none' (-> 0) or a number of components."""
    if text.lower() in ('full', 'none'):
        return 'full' if text.lower() == 'full' else 0
    return int_at_least(0)(text)


def columns_by_rows(text: str) -> tuple[int, int]:
    """Parse '4x3' as 4 columns and 3 rows."""
    match = re.fullmatch('([1-9][0-9]*)x([1-9][0-9]*)', text)
    if match is None:
        raise argparse.ArgumentTypeError(f"expected columns and rows such as '4x3', not '{text}'")
    return int(match[1]), int(match[2])


def folder(text: str) -> str:
    """Accept the path of a folder that exists or can be created."""
    if not text or (os.path.exists(text) and not os.path.isdir(text)):
        raise argparse.ArgumentTypeError(f"expected a folder, not '{text}'")
    return text


def add_trust_source(parser) -> None:
    """Add the flag --trust-source, about the networks that a script loads, to a parser."""
    parser.add_argument('--trust-source', action='store_true',
                        help='run the source text in the file for networks that are unknown here')


def add_cache_dir(parser) -> None:
    """Add the flag --cache-dir to a parser; `use_cache_dir` applies it."""
    parser.add_argument('--cache-dir', type=folder, metavar='DIR',
                        help='folder for downloads, statistics of real images, networks of --engine=onnx and '
                             'the list of trusted files (default: $DNNLIB_CACHE_DIR, or else '
                             '.stylegan2-cache, and ~/.cache/dnnlib for the list)')


def use_cache_dir(args) -> None:
    """Remove --cache-dir from the arguments and apply it to this process and those that it starts."""
    cache_dir = vars(args).pop('cache_dir', None)  # absent without a subcommand
    if cache_dir is not None:
        os.environ['DNNLIB_CACHE_DIR'] = os.path.abspath(cache_dir)


def call_with_flags(parser, argv, check, function) -> None:
    """Call `function` with the flags of a command line as keyword arguments, after `check(args)`, which may
    change them. --cache-dir is applied."""
    args = parser.parse_args(argv)
    use_cache_dir(args)
    check(args)
    function(**vars(args))


def line_for(error: BaseException) -> str | None:
    """Return one line that explains an error to the user; None for an error that needs its traceback."""
    if isinstance(error, UserError):
        return f'Error: {error}'
    if isinstance(error, requests.RequestException):
        return f'Error: download failed: {error}'
    if isinstance(error, OSError) and error.errno in _FILE_TROUBLE:
        reason = os.strerror(error.errno)
        return f'Error: {reason}' if error.filename is None else f'Error: {error.filename}: {reason}'
    if isinstance(error, ModuleNotFoundError) and error.name == 'tensorflow':
        return f'Error: not installed in {sys.executable}: tensorflow; {required_packages.ADVICE}'
    if isinstance(error, MemoryError):
        return 'Error: out of memory; raise the memory limit (ulimit -v, or that of the job)'
    return 'Interrupted.' if isinstance(error, KeyboardInterrupt) else None


def _nobody_reads_stdout():
    """Return whether the reader of a pipe, such as `head`, has ended. What is printed then has no effect."""
    try:
        print(flush=True)
        return False
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # flushed again when Python exits
        return True


def run_script(main) -> None:
    """Call `main()`, and end the process with one line on stderr for errors that the user can fix.

    The exit status is 2 for these and 130 for Ctrl-C. Other errors keep their traceback.
    """
    if callable(signal.getsignal(signal.SIGINT)):  # the handler of `script_start`
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors='backslashreplace')  # names that the terminal cannot show
    try:
        main()
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        if isinstance(error, BrokenPipeError) and _nobody_reads_stdout():
            sys.exit(1)
        line = line_for(error)
        if line is None:
            raise
        print(printable(line), file=sys.stderr)  # names of files can be anything
        sys.exit(130 if isinstance(error, KeyboardInterrupt) else 2)
