"""Find the scripts, and the parsers that they make."""

import argparse
import importlib
import unittest.mock

import pytest

from tests.test_house import ROOT

SCRIPTS = sorted(path.stem for path in ROOT.glob('*.py') if 'cli.run_script(main)' in path.read_text())


class ParserFound(Exception):
    """Ends a script where it would parse its command line."""


def parser_of(script):
    """Return the parser that a script makes."""
    def stop(parser, *_args):
        raise ParserFound(parser)

    with unittest.mock.patch('argparse.ArgumentParser.parse_known_args', stop), \
            pytest.raises(ParserFound) as caught:
        importlib.import_module(script).main(['--help'])
    return caught.value.args[0]


def commands_of(script):
    """Return the names of a script's sub-commands."""
    actions = [action for action in parser_of(script)._actions if action.nargs == argparse.PARSER]
    return [name for action in actions for name in action.choices]
