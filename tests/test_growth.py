"""Test growing networks: all structures agree, the level of detail is up to date, 4x4 pixels are
supported."""

import time

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from tests.golden_figures import assert_close, set_golden_values
from tests.golden_recipe import golden_input

NETWORKS = {
    'G_style': dict(func_name='training.networks_stylegan.G_style'),
    'D_basic': dict(func_name='training.networks_stylegan.D_basic'),
    'G_revised': dict(func_name='training.networks_stylegan2.G_main',
                      synthesis_func='G_synthesis_stylegan_revised'),
    'D_stylegan': dict(func_name='training.networks_stylegan2.D_stylegan'),
    'G_paper': dict(func_name='training.networks_progan.G_paper'),
    'D_paper': dict(func_name='training.networks_progan.D_paper'),
}
LAST_LOD = 2  # 16x16 pixels with the detail of 4x4


def small(name, **kwargs):
    """Return a small network and an input for it."""
    size = dict(num_channels=2, resolution=16, fmap_base=32, fmap_max=4, latent_size=4, dlatent_size=4,
                mapping_fmaps=4, mapping_layers=1)
    net = tflib.Network('net', **NETWORKS[name], **{**size, **kwargs})
    set_golden_values(net)
    return net, tf.constant(golden_input('x', [2, *net.input_shape[1:]]))


def output(net, x, **kwargs):
    return net.get_output_for(x, None, randomize_noise=False, **kwargs)


@pytest.mark.parametrize('name', NETWORKS)
def test_linear_and_recursive_growing_agree_at_whole_and_fractional_levels_of_detail(name, session):
    net, x = small(name)
    outputs = [output(net, x, structure=structure) for structure in ('linear', 'recursive')]
    seen = []
    for lod in (0, 0.3, 1, 1.7, LAST_LOD, LAST_LOD + 0.5):
        net.set_var('lod', lod)
        linear, recursive = session.run(outputs)
        assert_close(recursive, linear, f'{name} at lod {lod}', tolerance=1e-5)
        seen.append(linear)
    for before, after in zip(seen[:4], seen[1:], strict=False):
        assert np.abs(after - before).max() > 1e-3 * np.abs(before).max()
    np.testing.assert_array_equal(seen[-1], seen[-2])


@pytest.mark.parametrize('name', ['G_style', 'D_basic'])
def test_fixed_structure_has_all_details_at_any_level_of_detail(name, session):
    net, x = small(name)
    complete = session.run(output(net, x, structure='linear'))
    net.set_var('lod', 1.5)
    assert_close(session.run(output(net, x, structure='fixed')), complete, name, tolerance=1e-5)


@pytest.mark.parametrize('name', ['G_style', 'G_revised'])
def test_a_generator_hands_over_the_level_of_detail_that_its_caller_assigns_in_the_same_step(name, session):
    """The assignment is slow, so that a network that does not wait for it would use the old value."""
    def late_level():
        time.sleep(0.1)
        return np.float32(LAST_LOD)

    net, x = small(name)
    assignment = tf.assign(net.vars['lod'], tf.ensure_shape(tf.py_func(late_level, [], tf.float32), []))
    with tf.control_dependencies([assignment]):
        after_assignment = output(net, x)
    plain = output(net, x)
    before = session.run(plain)
    images = session.run(after_assignment)
    np.testing.assert_array_equal(images, session.run(plain))
    assert np.abs(images - before).max() > 0.1


@pytest.mark.parametrize('name', NETWORKS)
def test_the_smallest_networks_have_4x4_pixels_in_every_structure(name, session):
    net, x = small(name, resolution=4)
    structures = ('fixed', 'linear', 'recursive')
    results = session.run([output(net, x, structure=structure) for structure in structures])
    for result in results[1:]:
        assert_close(result, results[0], name, tolerance=1e-6)
