"""Test dnnlib.cli: argument types, and how scripts end."""

import argparse
import errno
import os
import subprocess
import sys

import pytest
import requests

from dnnlib import cli, util


@pytest.mark.parametrize('text, numbers', [
    ('1-5', [1, 2, 3, 4, 5]), ('7-7', [7]), ('1,2,7', [1, 2, 7]), ('3', [3]), ('-1,2', [-1, 2]),
    ('6,6', [6, 6])])
def test_number_range_accepts_ranges_and_lists(text, numbers):
    assert cli.number_range(text) == numbers


@pytest.mark.parametrize('text', ['', 'a', '5-1', '1-', '-', '1,', '1-2-3', '1-2,5', '1.5', ' 1-2'])
def test_number_range_refuses_anything_else(text):
    with pytest.raises(argparse.ArgumentTypeError, match='expected numbers'):
        cli.number_range(text)


def test_number_range_refuses_endless_ranges_at_once():
    with pytest.raises(argparse.ArgumentTypeError, match='expected at most 1000000 numbers'):
        cli.number_range('1-99999999999')


def test_boolean_spellings():
    assert all(cli.boolean(text) is True for text in ('yes', 'true', 't', 'y', '1', 'True', 'YES'))
    assert all(cli.boolean(text) is False for text in ('no', 'false', 'f', 'n', '0', 'False', 'NO'))
    for text in ('', 'on', '2'):
        with pytest.raises(argparse.ArgumentTypeError, match='^Boolean value expected.$'):
            cli.boolean(text)


def test_comma_list_may_be_empty():
    assert cli.comma_list('') == cli.comma_list('None') == cli.comma_list('none') == []
    assert cli.comma_list('fid50k,ppl_wend') == ['fid50k', 'ppl_wend']


def test_some_of_several_words_are_a_list_without_others():
    assert cli.some_of('a', 'b')('b,a') == ['b', 'a']
    for text in ('', 'a,', 'a,c'):
        with pytest.raises(argparse.ArgumentTypeError, match='expected one of a, b'):
            cli.some_of('a', 'b')(text)


def test_numbers_have_a_minimum():
    assert cli.int_at_least(1)('1') == 1
    assert cli.float_at_least(0)('0.5') == 0.5
    for text in ('0', '-1', '1.5', 'x', ''):
        with pytest.raises(argparse.ArgumentTypeError, match='whole number of at least 1'):
            cli.int_at_least(1)(text)
    for text in ('-0.1', 'nan', 'inf', 'x'):
        with pytest.raises(argparse.ArgumentTypeError, match='number of at least 0'):
            cli.float_at_least(0)(text)


def test_seeds_are_those_of_numpy():
    assert cli.seed('4294967295') == 4294967295
    for text in ('-1', '4294967296', 'x'):
        with pytest.raises(argparse.ArgumentTypeError, match='expected a '):
            cli.seed(text)


@pytest.mark.parametrize('words, message', [
    (['draw', '--num-gpus', '0'], "argument --num-gpus: expected a whole number of at least 1, not '0'"),
    (['draw', '--num-cats=1\n2'], 'unrecognized arguments: --num-cats=1\\n2')])
def test_wrong_flags_are_explained_in_one_line(words, message, capsys):
    parser = cli.ArgumentParser()
    draw = parser.add_subparsers().add_parser('draw')
    draw.add_argument('--num-gpus', type=cli.int_at_least(1))
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(words)
    assert caught.value.code == 2
    assert capsys.readouterr() == ('', f'Error: {message}\n')


def raising(error):
    def main():
        raise error
    return main


@pytest.mark.parametrize('error, status, line', [
    (util.UserError('data: no such folder'), 2, 'Error: data: no such folder'),
    (util.DownloadError('No data received'), 2, 'Error: No data received'),
    (requests.ConnectionError('no route'), 2, 'Error: download failed: no route'),
    (OSError(errno.ENOSPC, 'x', 'out.png'), 2, f'Error: out.png: {os.strerror(errno.ENOSPC)}'),
    (OSError(errno.EACCES, 'x', 'out.png'), 2, f'Error: out.png: {os.strerror(errno.EACCES)}'),
    (OSError(errno.EDQUOT, 'x', 'out.png'), 2, f'Error: out.png: {os.strerror(errno.EDQUOT)}'),
    (OSError(errno.EROFS, 'x', 'out.png'), 2, f'Error: out.png: {os.strerror(errno.EROFS)}'),
    (OSError(errno.EPERM, 'x', 'out.png'), 2, f'Error: out.png: {os.strerror(errno.EPERM)}'),
    (MemoryError(), 2, 'Error: out of memory; raise the memory limit (ulimit -v, or that of the job)'),
    (OSError(errno.ENOSPC, 'x'), 2, f'Error: {os.strerror(errno.ENOSPC)}'),
    (KeyboardInterrupt(), 130, 'Interrupted.'),
])
def test_an_error_that_the_user_can_fix_is_one_line(error, status, line, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.run_script(raising(error))
    assert caught.value.code == status
    assert capsys.readouterr() == ('', line + '\n')


def test_names_in_an_error_cannot_break_its_line(capsys):
    with pytest.raises(SystemExit):
        cli.run_script(raising(util.UserError('a\nb\x1b[31m\udce9.png: damaged')))
    assert capsys.readouterr().err == 'Error: a\\nb\\x1b[31m\\udce9.png: damaged\n'


def test_names_that_the_terminal_cannot_show_are_escaped():
    code = r"from dnnlib import cli; cli.run_script(lambda: print('\u65e5\udce9'))"
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True,
                            env=os.environ | {'PYTHONIOENCODING': 'ascii'})
    assert (result.returncode, result.stdout) == (0, '\\u65e5\\udce9\n'), result.stderr


@pytest.mark.parametrize('error', [ValueError('bug'), FileNotFoundError(errno.ENOENT, 'x', 'file')])
def test_other_errors_pass_through(error):
    with pytest.raises(type(error)):
        cli.run_script(raising(error))


def test_a_script_ends_without_a_traceback():
    code = ('from dnnlib import cli, util\n'
            'def main():\n    raise util.UserError("--x: expected y")\n'
            'cli.run_script(main)\n')
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (2, '', 'Error: --x: expected y\n')


def test_a_script_whose_output_nobody_reads_ends_quietly():
    code = ('from dnnlib import cli\n'
            'cli.run_script(lambda: print("x\\n" * 100000))\n')
    process = subprocess.Popen([sys.executable, '-c', code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert (process.stderr.read(), process.wait()) == (b'', 1)
    process.stderr.close()


def test_another_broken_pipe_passes_through():
    with pytest.raises(BrokenPipeError):
        cli.run_script(raising(BrokenPipeError()))
