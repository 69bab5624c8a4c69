"""Test the reports of a network: operations, layers, the printed table, histograms."""

import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from tests.golden_figures import QUICK, fresh_session
from tests.golden_recipe import golden_input
from tests.small_networks import affine, double


def test_operations_are_those_of_the_template_without_helpers(generator):
    generator.run(golden_input('z', [1, 4]), None)
    names = [op.name for op in generator.list_ops()]
    assert f'{generator.scope}/latents_in' in names
    assert f'{generator.scope}/G_mapping/Dense0/MatMul' in names
    assert not any('_Run' in name for name in names)


def test_layers_of_a_discriminator_read_like_the_architecture():
    with fresh_session(QUICK):
        D = tflib.Network('D', func_name='training.networks_stylegan2.D_stylegan2', resolution=16,
                          fmap_base=128, fmap_max=8)
        layers = D.list_layers()
    assert [name for name, _, _ in layers] == [
        'images_in', 'labels_in', '16x16/FromRGB', '16x16/Conv0', '16x16/Conv1_down', '16x16/Skip',
        '8x8/Conv0', '8x8/Conv1_down', '8x8/Skip', '4x4/MinibatchStddev', '4x4/Conv', '4x4/Dense0', 'Output',
        'scores_out']
    outputs = {name: output for name, output, _ in layers}
    trainables = {name: [D.get_var_local_name(var) for var in found] for name, _, found in layers}
    assert str(outputs['4x4/Dense0'].shape) == '(?, 8)'
    assert trainables['16x16/Conv0'] == ['16x16/Conv0/weight', '16x16/Conv0/bias']
    assert trainables['images_in'] == []
    assert [name for found in trainables.values() for name in found] == list(D.trainables)


def test_layers_of_a_generator_read_like_the_architecture(generator):
    names = [name for name, _, _ in generator.list_layers()]
    blocks = ['4x4/Const', '4x4/Conv', '4x4/ToRGB', '8x8/Conv0_up', '8x8/Conv1', '8x8/Upsample', '8x8/ToRGB']
    assert names == [
        'latents_in', 'labels_in', 'lod', 'dlatent_avg', 'G_mapping/latents_in', 'G_mapping/labels_in',
        'G_mapping/Normalize', 'G_mapping/Dense0', 'G_mapping/Dense1', 'G_mapping/Broadcast',
        'G_mapping/dlatents_out', 'Truncation/Lerp', 'G_synthesis/dlatents_in',
        *(f'G_synthesis/{block}' for block in blocks), 'G_synthesis/images_out',
        'G_synthesis/noise0', 'G_synthesis/noise1', 'G_synthesis/noise2', 'images_out']


def test_the_table_of_layers_has_four_columns_and_a_total(session, capsys):
    net = tflib.Network('net', func_name=affine)
    net.print_layers()
    table = [
        ('net       ', 'Params', 'OutputShape', 'WeightShape'),
        ('---       ', '---   ', '---        ', '---        '),
        ('x_in      ', '-     ', '(?, 2)     ', '-          '),
        ('y_in      ', '-     ', '(?, 1, 3)  ', '-          '),
        ('Dense     ', '9     ', '(?, 3)     ', '(2, 3)     '),
        ('count     ', '-     ', '()         ', '-          '),
        ('add       ', '-     ', '(?, 3)     ', '-          '),
        ('affine_out', '-     ', '(?, 3)     ', '-          '),
        ('mul       ', '-     ', '(?, 1, 3)  ', '-          '),
        ('scaled_out', '-     ', '(?, 1, 3)  ', '-          '),
        ('---       ', '---   ', '---        ', '---        '),
        ('Total     ', '9     ', '           ', '           ')]
    printed = capsys.readouterr().out.split('\n')
    assert (printed[0], printed[-2:]) == ('', ['', ''])
    assert printed[1:-2] == ['  '.join(row) for row in table]


def test_the_table_may_leave_out_layers_without_parameters(net, capsys):
    net.print_layers(title='Title', hide_layers_with_no_params=True)
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line]
    assert [row[0] for row in rows] == ['Title', '---', 'Dense', '---', 'Total']


def test_the_shown_weight_is_the_only_parameter_or_the_shortest_weight(session, capsys):
    tflib.Network('net', func_name=double).print_layers(hide_layers_with_no_params=True)
    rows = [line.split()[:2] for line in capsys.readouterr().out.splitlines() if line]
    assert ['gain', '1'] in rows
    assert rows[-1] == ['Total', '2']


def test_every_trainable_gets_a_histogram_of_its_own(session):
    tflib.Network('net', func_name=affine).setup_weight_histograms()
    with tf.name_scope('elsewhere'):
        tflib.Network('net', func_name=double).setup_weight_histograms(title='Title')
    summary = tf.Summary.FromString(session.run(tf.summary.merge_all()))
    assert [value.tag for value in summary.value] == [
        'net_weight/Dense', 'net_bias/Dense', 'Title_toplevel/gain', 'Title_weight/double_inner']
