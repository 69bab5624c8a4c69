"""Test files of latents in the forms of other programs, and writing them."""

import io
import pathlib
import pickle
import zipfile

import numpy as np
import pytest

from dnnlib.util import UserError
from latents import array_files, conversion, dlatent_files, torch_file

SAMPLES = pathlib.Path(__file__).parent / 'samples'
W = np.load(SAMPLES / 'latents.npz')['w']  # [2,6,12]


def _saved(folder, suffix, array, key='w'):
    """Write an array as a file of this suffix. -> its path."""
    path = folder / f'x{suffix}'
    with open(path, 'wb') as file:
        if suffix == '.pt':
            torch_file.write(file, array)
        elif suffix == '.npy':
            np.save(file, array)
        else:
            np.savez(file, **{key: array})
    return path


# Reading

@pytest.mark.parametrize('form', ['tensor', 'dict', 'list', 'by_picture', 'parameter', 'legacy'])
def test_tensors_of_editors_are_read(form):
    found = dlatent_files.read(SAMPLES / f'latents_{form}.pt')
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, W)


def test_half_precision_becomes_single():
    found = dlatent_files.read(SAMPLES / 'latents_half.pt')
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, W.astype(np.float16).astype(np.float32))


@pytest.mark.parametrize('suffix', ['.npz', '.npy', '.pt'])
def test_dlatents_with_three_axes_are_the_same_in_all_files(suffix, tmp_path):
    np.testing.assert_array_equal(dlatent_files.read(_saved(tmp_path, suffix, W)), W)


@pytest.mark.parametrize('suffix, shape, expected', [
    ('.npz', [12], [1, 1, 12]), ('.npz', [6, 12], [6, 1, 12]),
    ('.npy', [12], [1, 1, 12]), ('.npy', [6, 12], [6, 1, 12]),
    ('.pt', [12], [1, 1, 12]), ('.pt', [1, 12], [1, 1, 12]), ('.pt', [6, 12], [1, 6, 12])])
def test_two_axes_are_w_in_arrays_and_layers_in_tensors(suffix, shape, expected, tmp_path):
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    found = dlatent_files.read(_saved(tmp_path, suffix, values))
    assert list(found.shape) == expected
    np.testing.assert_array_equal(found.ravel(), values.ravel())


def test_w_is_repeated_for_all_layers():
    found = dlatent_files.for_layers(W[:, :1], 6)
    np.testing.assert_array_equal(found, np.repeat(W[:, :1], 6, axis=1))
    np.testing.assert_array_equal(dlatent_files.for_layers(W, 6), W)


@pytest.mark.parametrize('key', ['w', 'dlatents', 'ws', 'w_plus', 'latents', 'latent'])
def test_archives_have_dlatents_under_the_names_of_several_programs(key, tmp_path):
    np.testing.assert_array_equal(dlatent_files.read(_saved(tmp_path, '.npz', W, key)), W)


@pytest.mark.parametrize('suffix, key', [('.npz', 'z'), ('.npz', 'latents'), ('.npy', ''), ('.pt', '')])
def test_latents_are_read(suffix, key, tmp_path):
    np.testing.assert_array_equal(dlatent_files.read_latents(_saved(tmp_path, suffix, W[0], key)), W[0])


# Refusing

class Bomb:
    """An object whose pickle ends the process."""

    def __reduce__(self):
        return exit, ('executed',)


def _zip(**files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, 'w') as archive:
        for name, content in files.items():
            archive.writestr(f'x/{name}', content)
    return packed.getvalue()


def _npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def _npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _pt(array):
    file = io.BytesIO()
    torch_file.write(file, array)
    return file.getvalue()


def _again_and_again(depth):
    """Return lists in lists, of which each holds the next one a thousand times."""
    found = [W]
    for _ in range(depth):
        found = [found] * 1000
    return pickle.dumps(found)


@pytest.mark.parametrize('data, message', [
    (_npy(W.astype(int)), 'found int64 [2, 6, 12]'),
    (_npy(W[None]), 'found float32 [1, 2, 6, 12]'),
    (_npy(W[:0]), 'found float32 [0, 6, 12]'),
    (_npy(np.array([Bomb()])), 'found object [1]'),
    (_npy(W * np.inf), 'the numbers of the array are not finite'),
    (_npy(W)[:-1], 'not readable; expected dlatents [N,layers,dlatent_size]'),
    (_npz(z=W), 'found z'),
    (_pt(W)[:-9], 'not readable; expected dlatents'),
    (_pt(W.reshape(1, 1, 2, -1)), 'found float32 [1, 1, 2, 72]'),
    (_pt(W * np.nan), 'the numbers of a tensor are not finite'),
    (_zip(data=b''), 'a zip archive that PyTorch did not write'),
    (_zip(**{'data.pkl': pickle.dumps(Bomb(), 2)}), 'refused: the file asks for'),
    (pickle.dumps([Bomb()]), 'refused: the file asks for'),
    (pickle.dumps({'img': 1, 'noise': 2}), "found 'img', 'noise'"),
    (pickle.dumps({'latent': 'text'}), 'found an object of type str'),
    (pickle.dumps(['text']), 'found an object of type str'),
    (pickle.dumps([]), 'found no tensors'),
    (pickle.dumps([[[[[W]]]]]), 'found an object of type list'),
    (pickle.dumps([W, W[:, :2]]), 'found several of different shapes'),
    (_again_and_again(3), 'found an object of type list'),
    (b'hello', 'not readable; expected dlatents'),
    (b'', 'not readable; expected dlatents')])
def test_other_files_are_refused_in_one_line(data, message, tmp_path):
    path = tmp_path / 'x'
    path.write_bytes(data)
    with pytest.raises(UserError) as caught:
        dlatent_files.read(path)
    assert str(caught.value).startswith(f'{path}: ') and message in str(caught.value)
    assert 'expected dlatents' in str(caught.value) or 'not finite' in str(caught.value)
    assert '\n' not in str(caught.value)


def test_a_list_that_holds_itself_is_refused(tmp_path):
    found = []
    found.append(found)
    (tmp_path / 'x').write_bytes(pickle.dumps(found))
    with pytest.raises(UserError, match='found an object of type list'):
        dlatent_files.read(tmp_path / 'x')


def test_too_many_numbers_are_refused_before_they_are_copied(tmp_path, monkeypatch):
    monkeypatch.setattr(array_files, 'MAX_VALUES', W.size - 1)
    with pytest.raises(UserError, match='the tensors are too many; expected at most 143 numbers'):
        dlatent_files.read(SAMPLES / 'latents_list.pt')


def test_dlatents_are_no_latents(tmp_path):
    with pytest.raises(UserError, match=r"expected latents z \[N,latent_size\].*, found w"):
        dlatent_files.read_latents(_saved(tmp_path, '.npz', W))
    with pytest.raises(UserError, match=r'expected latents z .*, found float32 \[2, 6, 12\]'):
        dlatent_files.read_latents(_saved(tmp_path, '.npy', W))


def test_latents_have_to_be_as_long_as_those_of_the_network():
    dlatent_files.check_fit_of_latents('x.npy', W[0], 12)
    dlatent_files.check_fit_of_latents('x.npy', W[0], None)
    with pytest.raises(UserError, match='x.npy: has latents of 12 numbers, the network has 512'):
        dlatent_files.check_fit_of_latents('x.npy', W[0], 512)


# Writing

@pytest.mark.parametrize('suffix', conversion.SUFFIXES)
@pytest.mark.parametrize('flags, expected', [
    (dict(dlatents=W), W), (dict(dlatents=W[:, 0]), W[:, :1]),
    (dict(dlatents=W[:, 0], layers=6), np.repeat(W[:, :1], 6, axis=1)), (dict(latents=W[0]), W[0])],
    ids=['w+', 'w', 'w repeated', 'z'])
def test_files_come_back_from_all_kinds(suffix, flags, expected, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(conversion.dnnlib, 'make_run_dir_path', lambda name: str(tmp_path / name))
    flags = {key: value if key == 'layers' else str(_saved(tmp_path, '.npy', value))
             for key, value in flags.items()}
    conversion.convert(f'out{suffix}', **flags)
    read = dlatent_files.read_latents if 'latents' in flags else dlatent_files.read
    np.testing.assert_array_equal(read(tmp_path / f'out{suffix}'), expected)
    assert f'out{suffix}: [' in capsys.readouterr().out


def test_pytorch_opens_the_tensors_without_trust(tmp_path):
    torch = pytest.importorskip('torch')
    for values in (W, np.repeat(W[:1, :1], 6, axis=1), W[0].T):
        found = torch.load(_saved(tmp_path, '.pt', values), weights_only=True)
        assert found.dtype == torch.float32 and found.is_contiguous()
        np.testing.assert_array_equal(found.numpy(), values)
