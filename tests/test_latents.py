"""Test what the tools for latents share: styles, noise, files of dlatents, and what a command is."""

import argparse
import importlib
import inspect
import io
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest

import dnnlib.tflib as tflib
from dnnlib.util import UserError
from latents import commands, dlatent_files, noise, noise_files, styles
from latents.commands.command import Command, check_seeds
from training import misc

PAPER = {'coarse': range(4), 'middle': range(4, 8)}  # StyleGAN, section 3


# Styles

@pytest.mark.parametrize('resolution_log2', range(6, 11))
def test_ranges_of_styles_are_those_of_the_paper_from_64_pixels_on(resolution_log2):
    num_layers = 2 * resolution_log2 - 2
    assert styles.ranges(num_layers) == {**PAPER, 'fine': range(8, num_layers)}


@pytest.mark.parametrize('num_layers, ends', [(2, (0, 1)), (4, (1, 2)), (6, (1, 3)), (8, (2, 4))])
def test_small_networks_are_divided_in_the_same_proportions(num_layers, ends):
    coarse, middle = ends
    assert styles.ranges(num_layers) == {'coarse': range(coarse), 'middle': range(coarse, middle),
                                         'fine': range(middle, num_layers)}


@pytest.mark.parametrize('num_layers', range(1, 21))
def test_every_layer_is_in_one_range(num_layers):
    found = [layer for layers in styles.ranges(num_layers).values() for layer in layers]
    assert found == list(range(num_layers))


DLATENTS = np.arange(12, dtype=np.float32).reshape(1, 4, 3)
AVERAGE = np.float32([1, 2, 3])


@pytest.mark.parametrize('cutoff, num_truncated', [(None, 4), (0, 0), (1, 1), (4, 4), (9, 4), (-1, 0)])
def test_truncation_moves_the_first_layers_towards_the_mean(cutoff, num_truncated):
    truncated = styles.truncate(DLATENTS, AVERAGE, 0.5, cutoff)
    expected = DLATENTS.copy()
    expected[:, :num_truncated] = (DLATENTS[:, :num_truncated] + AVERAGE) / 2
    np.testing.assert_array_equal(truncated, expected)
    assert truncated.dtype == np.float32


def test_truncation_takes_an_array_of_psis():
    psi = np.linspace(1, -1, 3).reshape(3, 1, 1)
    truncated = styles.truncate(DLATENTS, AVERAGE, psi, cutoff=2)
    assert truncated.shape == (3, 4, 3) and truncated.dtype == np.float32
    np.testing.assert_array_equal(truncated[0], DLATENTS[0])
    np.testing.assert_array_equal(truncated[1, :2], np.tile(AVERAGE, (2, 1)))
    np.testing.assert_array_equal(truncated[2, :2], 2 * AVERAGE - DLATENTS[0, :2])
    np.testing.assert_array_equal(truncated[:, 2:], np.tile(DLATENTS[:, 2:], (3, 1, 1)))


def test_mixed_layers_come_from_the_others():
    mixed = styles.mix(DLATENTS, -DLATENTS, range(1, 3))
    np.testing.assert_array_equal(np.sign(mixed[0, :, 2]), [1, -1, -1, 1])
    np.testing.assert_array_equal(np.abs(mixed), DLATENTS)
    assert not np.shares_memory(mixed, DLATENTS)


def test_one_source_mixes_into_many():
    many = np.stack([DLATENTS[0], DLATENTS[0] + 100])
    for mixed in (styles.mix(many, -DLATENTS[0], [0]), styles.mix(many, -DLATENTS, [0])):
        np.testing.assert_array_equal(mixed[:, 0], np.tile(-DLATENTS[0, 0], (2, 1)))
        np.testing.assert_array_equal(mixed[:, 1:], many[:, 1:])
    assert styles.mix(DLATENTS, many, [0]).shape == (2, 4, 3)
    np.testing.assert_array_equal(styles.mix(DLATENTS, many, []), [DLATENTS[0], DLATENTS[0]])


# Noise

@pytest.fixture(scope='module')
def progan(module_session):
    """Return a small generator without noise."""
    return tflib.Network('P', func_name='training.networks_progan.G_paper', resolution=8, fmap_max=4)


def test_noise_variables_come_from_the_coarsest_to_the_finest(generator, progan):
    assert [image.shape for image in noise.values(generator)] == [(1, 1, 4, 4), (1, 1, 8, 8), (1, 1, 8, 8)]
    assert noise.variables(progan) == [] and noise.values(progan) == []


def test_noise_is_drawn_in_the_order_of_the_variables(generator):
    drawn, rnd = noise.drawn(generator, np.random.RandomState(3)), np.random.RandomState(3)
    for image, size in zip(drawn, (4, 8, 8), strict=True):
        np.testing.assert_array_equal(image, rnd.randn(1, 1, size, size))


def test_noise_can_be_set(generator):
    drawn = noise.drawn(generator, np.random.RandomState(3))
    noise.set_values(generator, drawn)
    for found, image in zip(noise.values(generator), drawn, strict=True):
        np.testing.assert_array_equal(found, image.astype(np.float32))
    with pytest.raises(ValueError, match='shorter'):
        noise.set_values(generator, drawn[:2])


def test_noise_of_some_layers_is_switched_off_for_a_while(generator):
    noise.set_values(generator, noise.drawn(generator, np.random.RandomState(4)))
    before = noise.values(generator)
    with pytest.raises(KeyboardInterrupt), noise.only(generator, [1]):
        inside = noise.values(generator)
        raise KeyboardInterrupt
    assert [image.any() for image in inside] == [False, True, False]
    np.testing.assert_array_equal(inside[1], before[1])
    for found, image in zip(noise.values(generator), before, strict=True):
        np.testing.assert_array_equal(found, image)


# Files of dlatents

VALUES = np.random.RandomState(0).randn(2, 4, 3).astype(np.float32)


@pytest.mark.parametrize('key', dlatent_files.KEYS)
def test_dlatents_are_read_as_they_were_written(key, tmp_path):
    path = tmp_path / 'x.npz'
    dlatent_files.write(path, VALUES.astype(np.float64), key=key)
    np.testing.assert_array_equal(dlatent_files.read(path), VALUES)
    with np.load(path) as file:  # as the other code bases read it
        assert list(file) == [key] and file[key].dtype == np.float32 and file[key].shape == (2, 4, 3)


@pytest.mark.parametrize('dtype', ['float16', 'float64', '>f4'])
@pytest.mark.parametrize('save', [np.savez, np.savez_compressed])
def test_files_of_others_are_read_as_float32(dtype, save, tmp_path):
    save(tmp_path / 'x.npz', w=np.asfortranarray(VALUES.astype(dtype)), more=np.zeros(3))
    found = dlatent_files.read(tmp_path / 'x.npz')
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, VALUES.astype(dtype).astype(np.float32))


class Bomb:
    """An object whose pickle ends the process."""

    def __reduce__(self):
        return exit, ('executed',)


def _npz(**arrays):
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def _npz_of_header(shape, num_bytes, key='w'):
    """Return a file whose header asks for a shape, with this many zeros as data."""
    header, packed = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array_header_1_0(header, dict(descr='<f4', fortran_order=False, shape=shape))
    with zipfile.ZipFile(packed, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f'{key}.npy', header.getvalue() + bytes(num_bytes))
    return packed.getvalue()


def _damaged(position):
    data = bytearray(_npz(w=VALUES))
    data[position] ^= 255
    return bytes(data)


def assert_refused(read, data, message, folder):
    """Check that a file of this content is an error of one line, which names the file."""
    path = folder / 'x.npz'
    path.write_bytes(data)
    with pytest.raises(UserError) as caught:
        read(path)
    assert str(caught.value).startswith(f'{path}: ') and message in str(caught.value)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('data, message', [
    (b'', 'not readable; expected dlatents [N,layers,dlatent_size]'),
    (b'hello', 'not readable; expected dlatents'),
    (_npz(w=VALUES)[:-9], 'not readable; expected dlatents'),
    (_damaged(100), 'not readable; expected dlatents'),
    (_npz(x=VALUES), ".npz with the key 'w' or 'dlatents', .npy or .pt, found x"),
    (_npz(w=VALUES[None]), 'found float32 [1, 2, 4, 3]'),
    (_npz(w=VALUES[:0]), 'found float32 [0, 4, 3]'),
    (_npz(w=VALUES.astype(int)), 'found int64 [2, 4, 3]'),
    (_npz(w=VALUES.astype(complex)), 'found complex128 [2, 4, 3]'),
    (_npz(w=VALUES.astype(object)), 'found object [2, 4, 3]'),
    (_npz(w=np.array([[[Bomb()]]])), 'found object [1, 1, 1]'),
    (_npz(w=np.full([1, 4, 3], np.nan)), 'the numbers of w are not finite'),
    (_npz(w=np.full([1, 4, 3], 1e300)), 'the numbers of w are not finite'),
    (_npz_of_header((1, 4, 3), 40), 'not readable; expected dlatents'),
    (_npz_of_header((1 << 20, 18, 512), 0), 'is too large; expected at most'),
    (_npz_of_header((1 << 40, 1 << 40, 1 << 40), 0), 'is too large; expected at most'),
    (_npz_of_header((1, -4, -3), 48), 'found float32 [1, -4, -3]')])
def test_other_files_are_refused_in_one_line(data, message, tmp_path):
    assert_refused(dlatent_files.read, data, message, tmp_path)


@pytest.mark.parametrize('name, reason', [('absent.npz', 'No such file'), ('', 'Is a directory')])
def test_a_file_that_cannot_be_opened_is_named_with_the_reason(name, reason, tmp_path):
    with pytest.raises(UserError, match=rf'{tmp_path / name}: cannot be opened \({reason}'):
        dlatent_files.read(tmp_path / name)


NOISES = [np.float32(np.random.RandomState(0).randn(1, 1, size, size)) for size in (4, 8)]


def test_noise_images_come_back(tmp_path):
    noise_files.write(tmp_path / 'x.npz', NOISES)
    for found, written in zip(noise_files.read(tmp_path / 'x.npz'), NOISES, strict=True):
        np.testing.assert_array_equal(found, written)


@pytest.mark.parametrize('data, message', [
    (b'hello', 'not readable; expected a .npz file with the noise images'),
    (_npz(w=VALUES), 'expected a .npz file with the noise images of a projection'),
    (_npz(), 'expected a .npz file with the noise images of a projection'),
    (_npz(noise1=NOISES[0]), 'expected a .npz file with the noise images of a projection'),
    (_npz(noise0=NOISES[0][0]), 'found float32 [1, 4, 4]'),
    (_npz(noise0=np.array([[[[Bomb()]]]])), 'found object [1, 1, 1, 1]'),
    (_npz(noise0=NOISES[0] * np.inf), 'the numbers of noise0 are not finite'),
    (_npz_of_header((1, 1, 1 << 20, 1 << 20), 0, 'noise0'), 'is too large; expected at most'),
    (_npz(**{f'noise{idx}': NOISES[0] for idx in range(65)}), 'expected a .npz file with the noise images')])
def test_other_files_of_noise_are_refused_in_one_line(data, message, tmp_path):
    assert_refused(noise_files.read, data, message, tmp_path)


def _blueprint(num_styles, **kwargs):
    return SimpleNamespace(is_generator=True, num_styles=num_styles, kwargs=kwargs)


@pytest.mark.parametrize('Gs, message', [
    (_blueprint(4, dlatent_size=3), None), (SimpleNamespace(is_generator=False), None),
    (_blueprint(6, dlatent_size=3), 'x.npz: has dlatents of 4 layers and 3 numbers, the network has 6 and 3'),
    (_blueprint(0, dlatent_size=3), 'the network has 0 and 3'),
    (_blueprint(4), 'the network has 4 and 512; use the network that the file was made with')])
def test_dlatents_have_to_fit_the_network(Gs, message):
    if message is None:
        dlatent_files.check_fit('x.npz', VALUES, Gs)
        return
    with pytest.raises(UserError, match=message):
        dlatent_files.check_fit('x.npz', VALUES, Gs)


def test_w_fits_networks_of_any_depth_that_have_styles():
    for num_styles in (2, 18):
        dlatent_files.check_fit('x.npy', VALUES[:, :1], _blueprint(num_styles, dlatent_size=3))
    with pytest.raises(UserError, match='has dlatents of 1 layers and 3 numbers, the network has 0 and 3'):
        dlatent_files.check_fit('x.npy', VALUES[:, :1], _blueprint(0, dlatent_size=3))


# Commands of run_generator.py

@pytest.mark.parametrize('seeds', [[0], [2 ** 32 - 1, 5]])
def test_seeds_of_numpy_are_taken(seeds):
    check_seeds(seeds)


@pytest.mark.parametrize('seeds', [[-1], [3, 2 ** 32]])
def test_other_seeds_are_refused(seeds):
    with pytest.raises(UserError, match=f'not {min(seeds)} to {max(seeds)}'):
        check_seeds(seeds)


def _flags(command):
    """Return the names of the keyword arguments that a command passes to its function."""
    parser = argparse.ArgumentParser()
    command.add_to(parser.add_subparsers())
    sub_parser, = parser._subparsers._group_actions[0].choices.values()
    return {action.dest for action in sub_parser._actions} - {'help', 'cache_dir', 'result_dir'}


@pytest.mark.parametrize('command', commands.ALL.values(), ids=lambda command: command.name)
def test_the_function_of_a_command_takes_all_of_its_flags(command):
    module, _, name = command.run.rpartition('.')
    function = getattr(importlib.import_module(module), name)
    parameters = inspect.signature(function).parameters.values()
    required = {each.name for each in parameters
                if each.default is each.empty and each.kind != each.VAR_KEYWORD}
    accepted = {each.name for each in parameters}
    takes_others = any(each.kind == each.VAR_KEYWORD for each in parameters)
    assert required <= _flags(command)
    assert takes_others or _flags(command) <= accepted


@pytest.mark.parametrize('command', commands.ALL.values(), ids=lambda command: command.name)
def test_commands_are_in_the_table_by_their_names(command):
    assert commands.ALL[command.name] is command
    assert command.help[0].islower() and not command.help.endswith('.')


def test_a_command_may_do_without_network_and_truncation():
    command = Command('draw', 'draw PNG files', 'x.draw', lambda parser: parser.add_argument('--size'),
                      psi=None, needs_network=False)
    assert _flags(command) == {'size'}
    parser = argparse.ArgumentParser()
    command.add_to(parser.add_subparsers())
    args = parser.parse_args(['draw', '--size=3'])
    command.validate(args)
    assert vars(args) == dict(cache_dir=None, result_dir='results', size='3')


def test_the_checks_of_a_command_look_at_flags_and_then_at_the_network(generator, tmp_path):
    path = str(tmp_path / 'net.pkl')
    misc.save_pkl(generator, path)
    seen = []
    command = Command('draw', 'draw', 'x.draw', lambda parser: None,
                      check=lambda args: seen.append(args.network_pkl),
                      check_network=lambda args, Gs: seen.append((Gs.num_styles, args.class_idx)))
    args = argparse.Namespace(network_pkl=path, trust_source=False, class_idx=None, truncation_psi=0.5,
                              result_dir='results')
    command.validate(args)
    assert seen == [path, (4, None)]
    args.truncation_psi = float('inf')
    with pytest.raises(UserError, match='--truncation-psi must be a number, not inf'):
        command.validate(args)
