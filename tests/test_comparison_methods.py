"""Test that StyleGAN2-ADA's loss and every method that it is compared with train, and what they record."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.util import EasyDict
from tests.golden_figures import QUICK, fresh_session
from training.augmentation import named_pipelines
from training.dataset import SyntheticDataset
from training.loop.graph import GraphSettings, LossSettings, build_train_graph

MINIBATCH = 4
PIPELINE = 'training.augment.augment_pipeline'
FLOAT32 = dict(num_fp16_res=0, conv_clamp=None)
NO_PIPELINE = dict(apply_func=None, apply_args={}, tune_heuristic=None)

# Changes of each method to the arguments of StyleGAN2-ADA, as `train.py --cmethod` makes them.
METHODS = {
    'nocmethod': {},
    'no path lengths': dict(  # --cfg=cifar
        loss=dict(pl_weight=0), G=dict(style_mixing_prob=None), D=dict(architecture='orig')),
    'bcr': dict(loss=dict(func_name='training.loss.cmethods', bcr_real_weight=10, bcr_fake_weight=10,
                          bcr_augment=dict(func_name=PIPELINE, xint=1, xint_max=1 / 32))),
    'zcr': dict(loss=dict(func_name='training.loss.cmethods', zcr_gen_weight=0.02, zcr_dis_weight=0.2),
                G=FLOAT32, D=FLOAT32),
    'pagan': dict(D=dict(use_pagan=True), aug=dict(NO_PIPELINE, tune_heuristic='rt', tune_target=0.95)),
    'wgangp': dict(loss=dict(func_name='training.loss.wgangp'), G=FLOAT32, D=FLOAT32, aug=NO_PIPELINE,
                   lazy_regularization=False),
    'auxrot': dict(loss=dict(func_name='training.loss.cmethods', auxrot_alpha=10, auxrot_beta=5),
                   D=dict(score_max=5)),
    'spectralnorm': dict(D=dict(use_spectral_norm=True)),
    'shallowmap': dict(G=dict(mapping_layers=2)),
    'adropout': dict(D=dict(adaptive_dropout=1), aug=dict(NO_PIPELINE, tune_heuristic='rt')),
}
QUICK_ONES = {'nocmethod', 'wgangp', 'auxrot'}


def _scores(*kinds):
    return {f'{value}/{kind}' for value in ('scores', 'signs', 'squares') for kind in kinds}


# What each step records, and what a method adds or replaces.
RECORDED = {
    'G_train': {'G/loss', *_scores('fake')},
    'G_reg': {'G/reg', 'pl_penalty'},
    'D_train': {'D/loss', *_scores('fake', 'real')},
    'D_reg': {'D/reg', 'r1_penalty'},
}
ADDED = {
    'bcr': {'D_train': {'bcr_penalty/real', 'bcr_penalty/fake', *_scores('real_bcr', 'fake_bcr')}},
    'zcr': {'G_train': {'zcr_gen_penalty'}, 'D_train': {'zcr_dis_penalty', *_scores('fake_zcr')}},
    'wgangp': {'D_train': {'D/reg', 'epsilon_penalty', 'mix_norms', *_scores('mix')}},
    'no path lengths': {'G_train': {'G/reg'}},
}
WITHOUT_STEPS = {'wgangp': ['G_reg', 'D_reg'], 'no path lengths': ['G_reg']}


class Noise(SyntheticDataset):
    """Images of uniform noise."""

    def _generate_images(self, minibatch, lod, shape):
        return tf.cast(tflib.random.uniform([minibatch, *shape], 0, 256, dtype=tf.int32), tf.uint8)


def _build(loss=None, G=None, D=None, aug=None, lazy_regularization=True):
    """Build the graph of a training iteration, with changes to the arguments. -> TrainGraph, feed_dict."""
    shape = dict(num_channels=3, resolution=8, label_size=0)
    tiny = dict(fmap_base=32, fmap_max=4, num_fp16_res=4, conv_clamp=256)
    with tflib.device(0):
        nets = [
            tflib.Network('G', func_name='training.networks.G_main', **shape, **{
                **tiny, 'latent_size': 4, 'dlatent_size': 4, 'mapping_layers': 1, **(G or {})}),
            tflib.Network('D', func_name='training.networks.D_main', **shape, **{
                **tiny, 'mbstd_group_size': 4, **(D or {})})]
        nets.append(nets[0].clone('Gs'))
    adam = dict(beta1=0.0, beta2=0.99)
    augment_args = dict(
        class_name='training.augment.AdaptiveAugment', tune_heuristic='rt', tune_target=0.6,
        initial_strength=0.5, apply_func=PIPELINE, apply_args=named_pipelines.multipliers('color'))
    training_set = Noise(resolution=8)
    sched = EasyDict(lod=0.0, G_lrate=0.002, D_lrate=0.002, minibatch_size=MINIBATCH, minibatch_gpu=MINIBATCH)
    graph = build_train_graph(*nets, training_set, GraphSettings(
        LossSettings({}, adam, 4), LossSettings({}, adam, 16), lazy_regularization, mirror_augment=False,
        drange_net=[-1, 1], G_smoothing_kimg=10.0,
        loss_args={'func_name': 'training.loss.stylegan2', 'r1_gamma': 1, **(loss or {})},
        augment_args={**augment_args, **(aug or {})}), [sched], seed=1)
    training_set.configure(MINIBATCH)
    return graph, graph.inputs.feed(sched)


def _recorded_by(session, op, feed):
    """Run an op, and return the names of the losses that it recorded, with values that are finite."""
    session.run(op, feed)
    summary = tf.Summary.FromString(session.run(tf.summary.merge_all()))
    return {value.tag.removeprefix('Loss/') for value in summary.value
            if value.tag.startswith('Loss/') and np.isfinite(value.simple_value)}


@pytest.mark.parametrize('method', [
    method if method in QUICK_ONES else pytest.param(method, marks=pytest.mark.long) for method in METHODS])
def test_a_method_trains_and_each_step_records_its_own_values(method):
    with fresh_session(QUICK) as session:
        graph, feed = _build(**METHODS[method])
        tflib.autosummary.finalize_autosummaries()
        for step in range(2):
            feed[graph.inputs.step] = step
            session.run(graph.data_fetch, feed)
            for name, names in RECORDED.items():
                expected = names | ADDED.get(method, {}).get(name, set())
                expected = set() if name in WITHOUT_STEPS.get(method, []) else expected
                assert _recorded_by(session, getattr(graph, name), feed) == expected, name
        assert not any(session.run([optimizer.skipped.total for optimizer in graph.optimizers]))
