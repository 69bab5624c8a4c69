"""Test the documentation: its links, the files and modules it names, and the flags in its commands."""

import ast
import contextlib
import functools
import importlib
import io
import pathlib
import re
import shlex

import pytest

from tests.parsers import SCRIPTS, commands_of
from training.data import official_files

ROOT = pathlib.Path(__file__).parent.parent
PAGES = [*ROOT.glob('*.md'), *(ROOT / 'docs').rglob('*.md'), ROOT / 'examples' / 'README.md']
MODULE = re.compile(
    r'`((?:dnnlib|training|metrics|bridges|latents|reports|benchmarks)(?:\.\w+)+)\b(?!\*)')
FENCE = re.compile(r'^```(\w*)\n(.*?)^```', re.MULTILINE | re.DOTALL)


def _name(path):
    return path.relative_to(ROOT).as_posix()


def _prose(page):
    return FENCE.sub('', page.read_text(encoding='utf-8'))


def _blocks(page, language):
    return [text for kind, text in FENCE.findall(page.read_text(encoding='utf-8')) if kind == language]


@functools.cache
def _anchors(page):
    """Return the anchors that GitHub gives the headings of a page."""
    headings = re.findall(r'^#+ (.*)$', _prose(page), re.MULTILINE)
    plain = [re.sub(r'\[(.*?)\]\(.*?\)', r'\1', heading).lower() for heading in headings]
    return {re.sub(r'[^\w -]', '', heading).replace(' ', '-') for heading in plain}


@pytest.mark.parametrize('page', PAGES, ids=_name)
def test_every_link_leads_somewhere(page):
    for target in re.findall(r'\]\((.*?)\)', _prose(page)):
        if re.match(r'\w+://', target):
            continue
        path, _, anchor = target.partition('#')
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        assert not anchor or anchor in _anchors(linked), target


@pytest.mark.parametrize('page', PAGES, ids=_name)
def test_every_module_that_a_page_names_exists(page):
    """For `dnnlib.tflib.Network` and the like, the module exists and its text contains the rest of the
    name."""
    for name in MODULE.findall(_prose(page)):
        assert name.endswith('.jsonl') or _leads_to_something(name.split('.')), name


def _leads_to_something(parts):
    path = ROOT
    for number, part in enumerate(parts):
        if (path / part).is_dir():
            path /= part
        elif (path / f'{part}.py').is_file():
            return number + 1 == len(parts) or parts[number + 1] in _words(path / f'{part}.py')
        else:
            return part in _words(path / '__init__.py')
    return True


def _words(path):
    return set(re.findall(r'\w+', path.read_text(encoding='utf-8')))


def test_every_file_of_the_map_exists():
    """The tree in CONTRIBUTING.md gives folders by indentation, with the names of files in each line."""
    tree, = (text for text in _blocks(ROOT / 'CONTRIBUTING.md', '') if 'dnnlib/' in text)
    folders = []
    for line in tree.splitlines():
        indent = len(line) - len(line.lstrip())
        names = re.findall(r'[\w/.*-]*\w(?:\.py|\.md|\.json|/)(?=[\s,;:)]|$)', line)
        folders = [folder for folder in folders if folder[0] < indent]
        base = ROOT / (folders[-1][1] if folders else '')
        for name in names:
            assert any((where / name).exists() for where in (base, base / names[0], ROOT)), f'{base}: {name}'
        if names and names[0].endswith('/'):
            folders.append((indent, (base / names[0]).relative_to(ROOT)))


def test_every_key_of_a_published_file_is_in_the_table():
    page = (ROOT / 'docs' / 'official-networks.md').read_text(encoding='utf-8')
    for key in official_files.OFFICIAL_URLS:
        name = re.sub(r'^.*(?:metrics/|:)(?=\w+\.pkl|celebahq-c)', '', key)
        assert name.removeprefix('celebahq-classifier-').removesuffix('.pkl') in page, key


def _commands():
    """Yield the script and the words of every command in the pages that runs a script."""
    for page in PAGES:
        for line in '\n'.join(_blocks(page, '')).replace('\\\n', ' ').splitlines():
            words = shlex.split(line, comments=True) if line.startswith('python ') else []
            if words[1:] and words[1].removesuffix('.py') in SCRIPTS:
                yield pytest.param(words[1].removesuffix('.py'), words[2:],
                                   id=f'{page.name}: {" ".join(words[1:4])}')


@functools.cache
def _help(script, command):
    """Return the help of a script, or of one of its commands."""
    module = importlib.import_module(script)
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
        module.main([*command, '--help'])
    return output.getvalue()


@pytest.mark.parametrize('script, words', list(_commands()))
def test_every_flag_of_a_command_exists(script, words):
    command = [word for word in words[:1] if word in commands_of(script)]
    text = _help(script, tuple(command))
    for word in words:
        if word.startswith('--'):
            assert re.search(rf'{word.partition("=")[0]}(?![\w-])', text), word


@pytest.mark.parametrize('script', SCRIPTS)
def test_every_script_and_command_is_shown(script):
    commands = [] if script == 'dataset_tool' else commands_of(script)  # its help shows all of them
    shown = [words for name, words in (param.values for param in _commands()) if name == script]
    assert shown
    assert set(commands) <= {word for words in shown for word in words[:1]}


@pytest.mark.parametrize('page', PAGES, ids=_name)
def test_python_of_the_pages_is_valid(page):
    for block in _blocks(page, 'python'):
        ast.parse(block)
