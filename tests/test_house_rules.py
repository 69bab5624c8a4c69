"""Test that the checks of test_house.py find violations, on made-up trees."""

import pytest

from tests import house_rules


def _tree(root, files):
    """Write {path below root: text}. -> paths."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return [root / name for name in files]


@pytest.mark.parametrize('one, other', [
    ('import train.loss_stylegan', 'import train.loss_terms'),
    ('import train.loss_stylegan as stylegan', 'from train import loss_terms as terms'),
    ('from train import misc, loss_stylegan', 'from train.loss_terms import squared_length'),
    ('from . import loss_stylegan', 'from .loss_terms import squared_length'),
    ('from train.loss_stylegan import *', 'from .loss_terms import *'),
    ('try:\n    import train.loss_stylegan\nfinally:\n    pass', 'if True:\n    from . import loss_terms'),
    ('class Terms:\n    from train import loss_stylegan', 'with open("x"):\n    import train.loss_terms'),
])
def test_two_modules_that_import_each_other_are_found(one, other, tmp_path):
    paths = _tree(tmp_path, {
        'train/__init__.py': '', 'train/misc.py': 'import os', 'train/loss_terms.py': one,
        'train/loss_stylegan.py': other, 'train/loop.py': 'from train import loss_terms'})
    names = ['train.loss_stylegan', 'train.loss_terms']
    found = house_rules.circle(paths, tmp_path)
    assert sorted(set(found)) == names and found[0] == found[-1] and len(found) == 3


def test_a_longer_circle_is_told_in_the_order_of_its_imports(tmp_path):
    paths = _tree(tmp_path, {
        'a.py': 'import b', 'b.py': 'from c import x', 'c.py': 'import os, a', 'd.py': 'import a'})
    assert ' '.join(house_rules.circle(paths, tmp_path)) in ('a b c a', 'b c a b', 'c a b c')


@pytest.mark.parametrize('package, inside', [
    ('from .ops import conv', 'from lib import Network\nconv = 1'),  # names defined by the package itself
    ('import lib.ops', 'import user'),  # a module that loads the package
    ('from . import ops', 'from user import x'),
])
def test_circles_through_packages_are_found(package, inside, tmp_path):
    paths = _tree(tmp_path, {'lib/__init__.py': package, 'lib/ops.py': inside, 'lib/util.py': '',
                             'user.py': 'import lib.util'})
    assert {'lib', 'lib.ops'} <= set(house_rules.circle(paths, tmp_path))


def test_what_only_looks_like_a_circle_passes(tmp_path):
    paths = _tree(tmp_path, {
        'lib/__init__.py': 'from . import ops\nfrom .util import x',
        'lib/util.py': 'import lib  # for what is in it later',
        'lib/ops.py': 'from . import util\nfrom .util import x',
        'a.py': 'import b, lib.ops',
        'b.py': 'def late():\n    import a\n    return a'})
    assert house_rules.circle(paths, tmp_path) == []


@pytest.mark.parametrize('text, found', [
    ('tf.Session()', ['Session']),
    ('def f():\n    with tf.Graph().as_default(), tf.Session(config=x):\n        pass', ['Session']),
    ('import tensorflow.compat.v1 as t\nt.InteractiveSession()', ['InteractiveSession']),
    ('Session(config=tf.ConfigProto())', ['ConfigProto', 'Session']),
    ('tf.train.Server(spec)', ['Server']),
    ('device_lib.list_local_devices()', ['list_local_devices']),
    ('tflib.create_session()\nrequests.Session()\nx: tf.Session = tf.get_default_session()', []),
])
def test_sessions_are_found_wherever_they_are_made(text, found, tmp_path):
    path, = _tree(tmp_path, {'a.py': text})
    assert sorted(house_rules.sessions(path)) == found


TOO_DEEP = """
def f(x):
    for a in x:
        if a:
            with a:
                try:
                    pass
                finally:
                    pass
"""
DEEP = """
def f(x):
    for a in x:
        if a == 1:
            pass
        elif a == 2:
            pass
        elif a == 3:
            with a:
                pass

    def inner():
        while x:
            pass
"""
SIGNATURE = 'def f(\n' + ''.join(f'    a{i},\n' for i in range(90)) + '):\n'


@pytest.mark.parametrize('text, found', [
    ('x = 1\n' * 400, []),
    ('x = 1\n' * 401, ['401 lines, more than 400']),
    ('x' * 110, []),
    ('x' * 111, ['line 1: 111 columns, more than 110']),
    ('x' * 110 + '  # noqa: F811', []),
    (SIGNATURE + '    x\n' * 60, []),
    (SIGNATURE + '    x\n' * 61, ['f: 61 lines, more than 60']),
    ('class C:\n    async def f():\n' + '        x\n' * 61, ['f: 61 lines, more than 60']),
    (DEEP, []),
    (TOO_DEEP, ['f: 4 blocks inside one another, more than 3']),
], ids=range(10))
def test_what_is_too_large_is_found(text, found, tmp_path):
    path, = _tree(tmp_path, {'a.py': text})
    assert list(house_rules.oversized(path, max_lines=400)) == found
