"""Test dnnlib.util without its downloads, which test_open_url.py covers."""

import copy
import ctypes
import errno
import gc
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

from dnnlib import files, util


@pytest.fixture
def module_folder(tmp_path, monkeypatch):
    """Add a folder to the import path, and unload its modules afterwards."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, 'dont_write_bytecode', True)
    yield tmp_path
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], '__file__', None) and str(tmp_path) in sys.modules[name].__file__:
            del sys.modules[name]


def test_util_does_not_import_tensorflow():
    code = 'import sys, dnnlib.util, dnnlib.cli; sys.exit("tensorflow" in sys.modules)'
    assert subprocess.run([sys.executable, '-c', code]).returncode == 0


def test_easy_dict_attributes_are_items():
    d = util.EasyDict(a=1)
    d.b = 2
    del d.a
    assert d == {'b': 2} and d.b == 2 and d['b'] == 2


def test_easy_dict_names_the_missing_attribute():
    with pytest.raises(AttributeError, match='^missing$'):
        util.EasyDict().missing  # noqa: B018
    with pytest.raises(KeyError):
        del util.EasyDict().missing


def test_easy_dict_survives_copies_and_pickling():
    d = util.EasyDict(inner={'x': [1]})
    for twin in (copy.copy(d), copy.deepcopy(d), pickle.loads(pickle.dumps(d))):
        assert twin == d and type(twin) is util.EasyDict and type(twin.inner) is dict
    assert copy.deepcopy(d).inner['x'] is not d.inner['x']


def test_logger_copies_stdout_and_stderr_to_file_and_stdout(tmp_path, capsys):
    path = tmp_path / 'log.txt'
    with util.Logger(str(path)):
        print('one')
        print('two', file=sys.stderr)
        assert path.read_text() == 'one\ntwo\n'  # flushed immediately
    print('three')
    assert path.read_text() == 'one\ntwo\n'
    assert capsys.readouterr() == ('one\ntwo\nthree\n', '')


def test_logger_without_file_redirects_stderr(capsys):
    with util.Logger() as logger:
        print('text', file=sys.stderr)
        logger.write('')
    assert capsys.readouterr() == ('text\n', '')


def test_logger_appends_if_asked_to(tmp_path):
    path = tmp_path / 'log.txt'
    for word in ('a', 'b'):
        with util.Logger(str(path), file_mode='a', should_flush=False):
            print(word)
    assert path.read_text() == 'a\nb\n'


def test_inner_logger_forwards_to_the_outer_one(tmp_path):
    with util.Logger(str(tmp_path / 'outer')), util.Logger(str(tmp_path / 'inner')):
        print('text')
    assert (tmp_path / 'outer').read_text() == (tmp_path / 'inner').read_text() == 'text\n'


def test_loggers_can_be_closed_out_of_order(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys, 'stdout', sys.stdout)  # restores the stream after the outer logger is closed
    monkeypatch.setattr(sys, 'stderr', sys.stderr)
    outer = util.Logger(str(tmp_path / 'outer'))
    inner = util.Logger(str(tmp_path / 'inner'))
    outer.close()
    assert sys.stdout is inner
    print('text')
    inner.close()
    print('after')
    assert (tmp_path / 'outer').read_text() == ''
    assert (tmp_path / 'inner').read_text() == 'text\n'
    assert capsys.readouterr().out == 'text\nafter\n'


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='needs a file that is always full')
def test_logger_gives_stdout_back_when_its_file_cannot_be_flushed():
    before = sys.stdout, sys.stderr
    logger = util.Logger('/dev/full', should_flush=False)
    print('text')
    with pytest.raises(OSError):
        logger.close()
    assert (sys.stdout, sys.stderr) == before


@pytest.mark.parametrize('seconds, text', [
    (0, '0s'), (0.5, '0s'), (1.5, '2s'), (59.4, '59s'), (60, '1m 00s'), (3599, '59m 59s'),
    (3600, '1h 00m 00s'), (86399, '23h 59m 59s'), (90061, '1d 01h 01m'), (np.float32(61.2), '1m 01s'),
])
def test_format_time(seconds, text):
    assert util.format_time(seconds) == text


def test_ask_yes_no_asks_until_it_understands(monkeypatch, capsys):
    answers = iter(['maybe', 'YES', '', 'off'])
    monkeypatch.setattr('builtins.input', lambda: next(answers))
    assert [util.ask_yes_no('Go on?'), util.ask_yes_no('Go on?')] == [1, 0]
    assert capsys.readouterr().out == 'Go on? [y/n]\n' * 4


def test_tuple_product():
    assert util.tuple_product((2, 3, 4)) == 24
    assert util.tuple_product(()) == 1


def test_dtype_and_ctype_from_every_kind_of_type():
    expected = {
        'uint8': ctypes.c_ubyte, 'uint16': ctypes.c_uint16, 'uint32': ctypes.c_uint32,
        'uint64': ctypes.c_uint64, 'int8': ctypes.c_byte, 'int16': ctypes.c_int16, 'int32': ctypes.c_int32,
        'int64': ctypes.c_int64, 'float32': ctypes.c_float, 'float64': ctypes.c_double}
    for name, ctype in expected.items():
        for type_obj in (name, getattr(np, name), np.dtype(name)):
            assert util.get_dtype_and_ctype(type_obj) == (np.dtype(name), ctype)


def test_dtype_of_other_things_is_refused():
    with pytest.raises(RuntimeError, match='Cannot infer type name from input'):
        util.get_dtype_and_ctype(3)
    with pytest.raises(AssertionError):
        util.get_dtype_and_ctype('float16')


def test_is_pickleable():
    assert util.is_pickleable([1, 'a'])
    assert not util.is_pickleable(lambda: None)


def test_numpy_shorthand_needs_a_dot():
    assert util.get_obj_by_name('np.linalg.norm') is np.linalg.norm
    with pytest.raises(ModuleNotFoundError, match="'npxlinalg'"):
        util.get_obj_by_name('npxlinalg.norm')


def test_tf_shorthands_mean_the_tf1_api():
    import tensorflow.compat.v1 as tf
    for name in ('tf.train.AdamOptimizer', 'tensorflow.train.AdamOptimizer',
                 'tf.compat.v1.train.AdamOptimizer',
                 util.get_top_level_function_name(tf.train.AdamOptimizer)):
        assert util.get_obj_by_name(name) is tf.train.AdamOptimizer


def test_names_split_into_module_and_rest():
    assert util.get_module_from_obj_name('os.path.join') == (os.path, 'join')
    assert util.get_module_from_obj_name('dnnlib.util.EasyDict.copy') == (util, 'EasyDict.copy')
    assert util.get_module_from_obj_name('dnnlib.util') == (util, '')
    assert util.get_obj_by_name('dnnlib.util') is util


@pytest.mark.parametrize('name, error, message', [
    ('good_module.x', AttributeError, "module 'good_module' has no attribute 'x'"),
    ('good_module.Class.x', ModuleNotFoundError, "'good_module' is not a package"),
    ('no_such_module.x', ModuleNotFoundError, "No module named 'no_such_module'"),
    ('no_such_module', ImportError, '^no_such_module$'),
    ('needy_module.x', ModuleNotFoundError, "No module named 'no_such_module'"),
    ('broken_module.x', SyntaxError, 'invalid syntax'),
    ('raising_module.x', RuntimeError, '^from the body$'),
    ('', ValueError, 'Empty module name'),
])
def test_look_up_tells_what_is_wrong(module_folder, name, error, message):
    (module_folder / 'good_module.py').write_text('class Class:\n    pass\n')
    (module_folder / 'needy_module.py').write_text('import no_such_module\n')
    (module_folder / 'broken_module.py').write_text('def\n')
    (module_folder / 'raising_module.py').write_text('raise RuntimeError("from the body")\n')
    with pytest.raises(error, match=message) as caught:
        util.get_obj_by_name(name)
    assert caught.type is error


def test_functions_and_classes_are_called_by_name():
    assert util.call_func_by_name([3, 1], func_name='builtins.sorted', reverse=True) == [3, 1]
    assert util.construct_class_by_name(class_name='dnnlib.EasyDict', a=1) == {'a': 1}
    with pytest.raises(AssertionError):
        util.call_func_by_name(1)
    with pytest.raises(AssertionError):
        util.call_func_by_name(func_name='math.pi')


def test_module_directory_by_object_name():
    assert util.get_module_dir_by_obj_name('dnnlib.util.EasyDict') == os.path.dirname(util.__file__)


def test_top_level_functions_are_recognized():
    assert util.is_top_level_function(util.format_time) and util.is_top_level_function(util.EasyDict)
    for other in (lambda: None, util.EasyDict().setdefault, 3, None):
        assert not util.is_top_level_function(other)
    assert util.get_top_level_function_name(util.format_time) == 'dnnlib.util.format_time'
    with pytest.raises(AssertionError):
        util.get_top_level_function_name(lambda: None)


def test_functions_of_the_main_script_are_named_after_it(tmp_path):
    script = tmp_path / 'my_script.py'
    script.write_text('from dnnlib import util\ndef f(): pass\nprint(util.get_top_level_function_name(f))\n')
    result = subprocess.run([sys.executable, str(script)], capture_output=True, text=True,
                            env={**os.environ, 'PYTHONPATH': os.getcwd()})
    assert result.stdout == 'my_script.f\n', result.stderr


def make_tree(root, *files):
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def test_listing_leaves_out_ignored_files_and_directories(tmp_path):
    make_tree(tmp_path / 'top', 'a.py', 'a.pyc', 'sub/b.py', '__pycache__/c.py')
    top = str(tmp_path / 'top')
    found = util.list_dir_recursively_with_ignore(top, ignores=['*.pyc', '__pycache__'])
    assert found == [(f'{top}/a.py', 'a.py'), (f'{top}/sub/b.py', 'sub/b.py')]
    found = util.list_dir_recursively_with_ignore(top + '/', ignores=['*.py'], add_base_to_relative=True)
    assert [relative for _, relative in found] == ['top/a.pyc']
    assert len(util.list_dir_recursively_with_ignore(top)) == 4
    with pytest.raises(AssertionError):
        util.list_dir_recursively_with_ignore(top + '/missing')


def test_garbage_is_not_collected_while_that_is_paused():
    assert gc.isenabled()
    with pytest.raises(KeyError), util.paused_gc():
        assert not gc.isenabled()
        with util.paused_gc():
            pass
        assert not gc.isenabled(), 'the inner one leaves it to the outer one'
        raise KeyError
    assert gc.isenabled()


def test_copying_makes_the_directories(tmp_path):
    make_tree(tmp_path, 'a')
    target = tmp_path / 'x' / 'y' / 'b'
    util.copy_files_and_create_dirs([(str(tmp_path / 'a'), str(target))])
    assert target.read_text() == 'a'


@pytest.mark.parametrize('mode, content', [('wb', b'new'), ('w', 'neu: \u00e4\n')])
def test_atomic_write_shows_the_file_only_when_it_is_complete(tmp_path, mode, content):
    path = tmp_path / 'file'
    path.write_text('old')
    with files.atomic_write(path, mode) as file:
        file.write(content)
        file.flush()
        assert path.read_text() == 'old'
    assert path.read_bytes() == (content if mode == 'wb' else content.encode('utf-8'))
    assert os.listdir(tmp_path) == ['file']


@pytest.mark.parametrize('error', [ValueError, KeyboardInterrupt])
def test_failed_atomic_write_leaves_everything_as_it_was(tmp_path, error):
    (tmp_path / 'file').write_text('old')
    with pytest.raises(error), files.atomic_write(str(tmp_path / 'file')) as file:
        file.write(b'half')
        raise error
    assert os.listdir(tmp_path) == ['file'] and (tmp_path / 'file').read_text() == 'old'


def test_atomic_write_names_the_file_when_there_is_no_space(tmp_path):
    path = str(tmp_path / 'file')
    with pytest.raises(OSError) as caught, files.atomic_write(path):
        raise OSError(errno.ENOSPC, 'No space left on device')
    assert caught.value.filename == path


def test_atomic_write_names_the_file_where_a_folder_has_become_read_only(tmp_path, monkeypatch):
    path = str(tmp_path / 'file')

    def refuse(name, *_args, **_kwargs):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), name)

    monkeypatch.setattr('dnnlib.files.open', refuse, raising=False)
    monkeypatch.setattr(os, 'remove', refuse)
    with pytest.raises(OSError) as caught, files.atomic_write(path):
        pass
    assert (caught.value.errno, caught.value.filename, caught.value.filename2) == (errno.EROFS, path, None)


def test_atomic_write_names_the_file_and_not_its_temporary_name(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, files.atomic_write(str(tmp_path / 'no' / 'file')):
        pass
    assert caught.value.filename == str(tmp_path / 'no' / 'file')
    (tmp_path / 'folder').mkdir()
    with pytest.raises(IsADirectoryError) as caught, files.atomic_write(str(tmp_path / 'folder')):
        pass
    assert caught.value.filename == str(tmp_path / 'folder') and caught.value.filename2 is None


def test_cache_directory_is_the_first_that_is_known(monkeypatch):
    monkeypatch.setattr(util, '_cache_dir_override', None)
    for name in ('DNNLIB_CACHE_DIR', 'HOME', 'USERPROFILE'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr('tempfile.gettempdir', lambda: '/temp')
    assert util.make_cache_dir_path('a', 'b') == os.path.join('/temp', '.cache', 'dnnlib', 'a', 'b')
    monkeypatch.setenv('USERPROFILE', '/profile')
    assert util.make_cache_dir_path() == os.path.join('/profile', '.cache', 'dnnlib')
    monkeypatch.setenv('HOME', '/home')
    assert util.make_cache_dir_path() == os.path.join('/home', '.cache', 'dnnlib')
    monkeypatch.setenv('DNNLIB_CACHE_DIR', '/env')
    assert util.make_cache_dir_path('a') == os.path.join('/env', 'a')
    util.set_cache_dir('/set')
    assert util.make_cache_dir_path('a') == os.path.join('/set', 'a')
