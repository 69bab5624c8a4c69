"""Test the programs in examples/: their pictures, and that each does what it claims."""

import importlib
import pathlib
import subprocess
import sys
import unittest.mock

import numpy as np
import PIL.Image
import pytest
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.tflib.ops.upfirdn_2d import upsample_2d
from dnnlib.util import UserError
from tests.golden_figures import set_golden_values
from tests.small_networks import SMALL_G
from tests.test_house import ROOT
from training import misc

FOLDER = ROOT / 'examples'
SYNTHESIS = 'training.networks_stylegan2.G_synthesis_stylegan2'
SMALL = dict(SMALL_G, resolution=16)
KINDS = {
    'stylegan2': SMALL,
    'ada': dict(SMALL, func_name='training.networks_stylegan2_ada.G_main', label_size=3, num_channels=1),
    'stylegan': dict(SMALL, func_name='training.networks_stylegan.G_style'),
}


def example(name):
    """Import a module of examples/, which is not a package."""
    with unittest.mock.patch.object(sys, 'path', [str(FOLDER), *sys.path]):
        return importlib.import_module(name)


common, blend_layers, factorize, edit_weights, optimize_dlatents, train_encoder = map(example, [
    'common', 'blend_layers', 'factorize', 'edit_weights', 'optimize_dlatents', 'train_encoder'])
QUICK_FLAGS = {
    blend_layers: ['--columns=3'], factorize: ['--columns=3', '--directions=2'],
    edit_weights: ['--columns=3', '--factors', '0', '2'], optimize_dlatents: ['--columns=3', '--steps=2'],
    train_encoder: ['--columns=3', '--seconds=1']}
ROWS = {blend_layers: 4, factorize: 2, edit_weights: 2, optimize_dlatents: 3, train_encoder: 2}


def random_weights(net, seed):
    """Set all weights to random numbers, and return the network."""
    rnd = np.random.RandomState(seed)
    net.set_var('dlatent_avg', rnd.randn(*net.vars['dlatent_avg'].shape.as_list()))
    tflib.set_vars({var: rnd.randn(*var.shape.as_list()) for name, var in net.vars.items()
                    if name.startswith('G_synthesis/') and var.shape.ndims})
    return net


@pytest.fixture(scope='module')
def Gs(module_session):
    """Return a generator with random weights."""
    return random_weights(tflib.Network('Gs', **SMALL), seed=1)


@pytest.fixture(scope='module')
def dlatents(Gs):
    """Draw dlatents [3,layers,dlatent_size]."""
    return common.random_dlatents(Gs, 3, np.random.RandomState(2), psi=0.7)


@pytest.fixture(scope='module')
def files(module_session, tmp_path_factory):
    """Write a network of each kind. -> {kind: path}."""
    paths = {kind: str(tmp_path_factory.mktemp(kind) / 'network.pkl') for kind in KINDS}
    for kind, settings in KINDS.items():
        net = tflib.Network('Gs', **settings)
        set_golden_values(net)
        misc.save_pkl(net, paths[kind])
    return paths


@pytest.mark.parametrize('kind', ['ada', 'stylegan'])
@pytest.mark.parametrize('program', QUICK_FLAGS, ids=lambda module: module.__name__)
def test_every_program_writes_its_picture(program, kind, files, tmp_path, capsys):
    out = tmp_path / 'out.png'
    flags = [f'--network={files[kind]}', f'--out={out}', '--scale=3', *QUICK_FLAGS[program]]
    if program is blend_layers:
        flags.append(f'--other={files[kind]}')
    if (program, kind) == (factorize, 'stylegan'):
        with pytest.raises(UserError, match=r'network.pkl: no layer has modulation weights \(mod_weight\)'):
            program.main(flags)
        return
    program.main(flags)
    with PIL.Image.open(out) as picture:
        assert picture.size == (3 * 16 * 3, ROWS[program] * 16 * 3)
        assert picture.mode == ('L' if kind == 'ada' else 'RGB')
        assert len(picture.getcolors(10 ** 6)) > 10
    assert capsys.readouterr().out.endswith(f'Saved {out}\n')


def test_blends_have_coarse_layers_of_one_network_and_fine_ones_of_the_other(Gs, dlatents):
    fine = random_weights(tflib.Network('fine', **SMALL), seed=3)
    for name in ('weight', 'bias'):  # Layers of 16x16 add nothing to the image of the coarser ones.
        var = fine.find_var(f'G_synthesis/16x16/ToRGB/{name}')
        fine.set_var(var, np.zeros(var.shape.as_list()))
    first, blended, *_, last = blend_layers.draw_rows(Gs, fine, dlatents)
    np.testing.assert_array_equal(first, common.draw(Gs, dlatents))
    np.testing.assert_array_equal(last, common.draw(fine, dlatents))
    small = tflib.Network('small', SYNTHESIS, resolution=8, fmap_max=4, dlatent_size=4)
    small.copy_vars_from(Gs.components.synthesis)
    enlarged = upsample_2d(small.run(dlatents[:, :4], randomize_noise=False), k=[1, 3, 3, 1])
    np.testing.assert_allclose(blended, enlarged.eval(), rtol=1e-3, atol=1e-4)

    blend = Gs.components.synthesis.clone()
    blend_layers.copy_resolution(blend, fine.components.synthesis, 16)
    expected = [(fine if name.startswith('16x16/') or name in ('noise3', 'noise4') else Gs).find_var(
        f'G_synthesis/{name}') for name in blend.vars]
    for value, other in zip(*tflib.run([list(blend.vars.values()), expected]), strict=True):
        np.testing.assert_array_equal(value, other)


def test_networks_that_cannot_be_blended_are_named(Gs):
    other = tflib.Network('other', **dict(SMALL, fmap_max=2))
    message = r'^b.pkl: cannot be blended with a.pkl: expected 16x16/Conv0_up/bias \(4,\), found \(2,\)$'
    with pytest.raises(UserError, match=message):
        blend_layers.check_compatible(Gs, other, ('a.pkl', 'b.pkl'))


@pytest.mark.parametrize(('name', 'resolution'), [
    ('4x4/Const/const', 4), ('16x16/Conv1/weight', 16), ('ToRGB_lod0/bias', 64), ('ToRGB_lod3/bias', 8),
    ('noise0', 4), ('noise1', 8), ('noise2', 8), ('noise3', 16), ('lod', None)])
def test_the_resolution_of_a_variable_is_found_by_its_name(name, resolution):
    assert blend_layers.resolution_of(name, highest=64) == resolution


def test_the_first_direction_changes_styles_and_images_most(Gs, dlatents):
    directions, strengths = factorize.directions(Gs, 'x.pkl')
    np.testing.assert_allclose(directions @ directions.T, np.eye(4), atol=1e-9)
    assert np.all(np.diff(strengths) < 0)
    A = np.concatenate([Gs.get_var(name) for name in Gs.vars if name.endswith('mod_weight')], axis=1)
    np.testing.assert_allclose(np.square(directions @ A).sum(axis=1), strengths, rtol=1e-5)
    changes = [np.abs(np.diff(factorize.walk(Gs, row, direction, [0, 0.01]), axis=0)).mean()
               for direction in (directions[0], directions[-1]) for row in dlatents]
    assert np.mean(changes[:3]) > 1.5 * np.mean(changes[3:])


def test_the_encoder_learns_and_the_generator_stays_as_it_is(Gs):
    before = Gs.components.synthesis.get_var('16x16/Conv1/weight')
    training = train_encoder.Training(Gs, psi=0.7)
    losses = [training.step(np.random.RandomState(step % 4)) for step in range(60)]
    assert np.mean(losses[-4:]) < 0.7 * np.mean(losses[:4])
    assert all(gradient is not None for gradient in tf.gradients(training.images, training.variables))
    np.testing.assert_array_equal(Gs.components.synthesis.get_var('16x16/Conv1/weight'), before)


def test_edited_strengths_are_those_of_the_network_until_they_are_set_back(Gs, dlatents, monkeypatch):
    names = [name for name in Gs.vars if name.endswith('noise_strength')]
    Gs.set_var(names[0], 0.5)
    found = []
    draw = common.draw
    monkeypatch.setattr(common, 'draw', lambda *args: (found.append(tflib.run([Gs.vars[x] for x in names])),
                                                       draw(*args))[1])
    strengths = edit_weights.noise_strengths(Gs, 'x.pkl')
    assert list(strengths) == [Gs.vars[name] for name in names]
    without, twice = edit_weights.draw_rows(Gs, strengths, [0, 2], dlatents)
    assert np.abs(found[0]).max() == 0 and found[1][0] == 1
    assert Gs.get_var(names[0]) == 0.5
    Gs.set_var(names[0], 0)
    np.testing.assert_array_equal(draw(Gs, dlatents), without)
    assert np.abs(twice - without).max() > 0.01


def test_statistics_of_all_variables_are_printed(Gs, capsys):
    edit_weights.print_statistics(Gs)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(Gs.vars)
    value = Gs.get_var('dlatent_avg')
    assert f'mean {value.mean():8.4f}  std {value.std():7.4f}' in lines[list(Gs.vars).index('dlatent_avg')]


def test_the_search_improves_the_dlatents_that_the_graph_is_built_on(Gs, dlatents, capsys):
    targets = common.draw(Gs, dlatents)
    search = optimize_dlatents.Search(Gs, targets)
    average = np.broadcast_to(Gs.get_var('dlatent_avg'), dlatents.shape)
    np.testing.assert_allclose(search.start, common.draw(Gs, average), rtol=1e-3, atol=1e-4)
    gradient, = tflib.run(tf.gradients(search.loss, search.variable))
    assert np.abs(gradient).max(axis=(1, 2)).min() > 0
    before = tflib.run(search.loss)
    search.run(40)
    assert tflib.run(search.loss) < 0.7 * before
    np.testing.assert_allclose(tflib.run(search.images), common.draw(Gs, tflib.run(search.variable)),
                               rtol=1e-3, atol=1e-3)
    assert capsys.readouterr().out.count('\n') == 10


def test_pictures_become_targets_in_the_size_and_colours_of_the_network(Gs, tmp_path):
    PIL.Image.new('L', (9, 5), 255).save(tmp_path / 'white.png')
    targets = optimize_dlatents.targets_from([optimize_dlatents.read_picture(tmp_path / 'white.png')], Gs)
    assert targets.shape == (1, 3, 16, 16) and targets.min() == 1
    with pytest.raises(UserError, match='--targets: .*none.png: not a readable picture'):
        optimize_dlatents.read_picture(tmp_path / 'none.png')


@pytest.mark.parametrize(('flags', 'message'), [
    (['--network={folder}/none.pkl'], 'none.pkl: no such file'),
    (['--network={file}', '--out={folder}/none/x.png'], 'there is no folder {folder}/none'),
    (['--network={file}', '--out=x.txt'], 'x.txt: unknown picture format'),
])
def test_mistakes_are_found_before_anything_is_loaded(flags, message, files, tmp_path):
    values = dict(folder=tmp_path, file=files['ada'])
    for program in QUICK_FLAGS:
        given = [flag.format(**values) for flag in flags]
        with pytest.raises(UserError, match=message.format(**values)), \
                unittest.mock.patch.object(common, 'load', None):
            program.main([*given, f'--other={files["ada"]}'] if program is blend_layers else given)


def test_networks_without_styles_are_refused(module_session, tmp_path):
    path = str(tmp_path / 'progan.pkl')
    misc.save_pkl(tflib.Network('G', 'training.networks_progan.G_paper', resolution=8, fmap_max=4,
                                latent_size=4), path)
    with pytest.raises(UserError, match='progan.pkl: expected a generator with a mapping and a synthesis'):
        factorize.main([f'--network={path}', f'--out={tmp_path}/x.png'])


def test_a_program_runs_from_the_command_line_and_ends_with_one_line_of_error(tmp_path):
    def run(*words):
        return subprocess.run([sys.executable, str(FOLDER / words[0]), *words[1:]], cwd=tmp_path,
                              capture_output=True, text=True, timeout=60, check=False)

    shown = run('factorize.py', '--help')
    assert shown.returncode == 0 and shown.stdout.startswith('usage: factorize.py')
    refused = run('blend_layers.py', '--network=none.pkl', '--other=none.pkl')
    assert refused.returncode == 2 and refused.stdout == ''
    assert refused.stderr.startswith('Error: none.pkl: no such file') and refused.stderr.count('\n') == 1
    assert list(pathlib.Path(tmp_path).iterdir()) == []
