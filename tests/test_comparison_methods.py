"""Test that StyleGAN2-ADA's loss and every method that it is compared with train, and what they record."""

import types

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.util import EasyDict
from tests.golden_figures import QUICK, fresh_session
from training.dataset import SyntheticDataset
from training.loop.graph import GraphSettings, LossSettings, build_train_graph
from training.loop.trainer import LoopSettings, Trainer, session_calls
from training.settings import ada_configs, ada_loop

MINIBATCH = 4
# A configuration whose networks are tiny.
TINY = ada_configs.Cfg(ref_gpus=1, kimg=1, mb=MINIBATCH, mbstd=MINIBATCH, fmaps=1 / 512, lrate=0.002, gamma=1,
                       ema=10, ramp=None, map=1)
WITHOUT_PIPELINE = ('pagan', 'wgangp', 'adropout')
WITHOUT_PATH_LENGTHS = 'cifar'  # a base configuration
METHODS = (*ada_configs.CMETHODS, WITHOUT_PATH_LENGTHS)
QUICK_ONES = ('nocmethod', 'wgangp')


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
    WITHOUT_PATH_LENGTHS: {'G_train': {'G/reg'}},
}
WITHOUT_STEPS = {'wgangp': ['G_reg', 'D_reg'], WITHOUT_PATH_LENGTHS: ['G_reg']}


class Noise(SyntheticDataset):
    """Images of uniform noise."""

    def _generate_images(self, minibatch, lod, shape):
        return tf.cast(tflib.random.uniform([minibatch, *shape], 0, 256, dtype=tf.int32), tf.uint8)


def _settings(method):
    """Return the arguments of the training loop for a comparison method or a base configuration."""
    options = ada_configs.cfg_options(method, TINY, MINIBATCH)
    options['augment_args'] = ada_configs.augment_options('noaug' if method in WITHOUT_PIPELINE else 'ada',
                                                          augpipe='color')
    options['augment_args']['initial_strength'] = 0.5
    cmethod = method if method in ada_configs.CMETHODS else 'nocmethod'
    return ada_loop.training_settings(ada_configs.with_cmethod(options, cmethod))


def _build(method):
    """Build the graph of a training iteration. -> TrainGraph, feed_dict."""
    settings = _settings(method)
    shape = dict(num_channels=3, resolution=8, label_size=0)
    with tflib.device(0):
        G = tflib.Network('G', **{**settings['G_args'], **shape, 'fmap_max': 4, 'latent_size': 4,
                                  'dlatent_size': 4})
        D = tflib.Network('D', **{**settings['D_args'], **shape, 'fmap_max': 4})
        Gs = G.clone('Gs')
    training_set = Noise(resolution=8)
    sched = EasyDict(lod=0.0, G_lrate=0.002, D_lrate=0.002, minibatch_size=MINIBATCH, minibatch_gpu=MINIBATCH)
    graph = build_train_graph(G, D, Gs, training_set, GraphSettings(
        LossSettings({}, settings['G_opt_args'], 4), LossSettings({}, settings['D_opt_args'], 16),
        settings.get('lazy_regularization', True), mirror_augment=False, drange_net=[-1, 1],
        G_smoothing_kimg=10.0, loss_args=settings['loss_args'], augment_args=settings['augment_args']),
        [sched], seed=1)
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
        graph, feed = _build(method)
        tflib.autosummary.finalize_autosummaries()
        for step in range(2):
            feed[graph.inputs.step] = step
            session.run(graph.data_put, feed)
            session.run(graph.data_fetch, feed)
            for name, names in RECORDED.items():
                expected = names | ADDED.get(method, {}).get(name, set())
                expected = set() if name in WITHOUT_STEPS.get(method, []) else expected
                assert _recorded_by(session, getattr(graph, name), feed) == expected, name
        assert not any(session.run([optimizer.skipped.total for optimizer in graph.optimizers]))


@pytest.mark.parametrize('alternates, expected', [
    (True, 'G G_reg G G_reg Gs fetch D D_reg fetch D D_reg'),   # StyleGAN2-ADA
    (False, 'G G G_reg G_reg Gs fetch D fetch D D_reg D_reg')])  # StyleGAN2
def test_rounds_of_an_update_run_in_the_published_order(alternates, expected):
    graph = types.SimpleNamespace(G_train='G', G_reg='G_reg', Gs_update='Gs', D_train='D', D_reg='D_reg',
                                  data_fetch='fetch', alternates=alternates)
    assert session_calls(graph, 2, True, True) == [[op] for op in expected.split()]


class _Recorded(Trainer):
    """A Trainer that notes its session calls."""

    def __init__(self, rounds):
        names = ('G_train', 'G_reg', 'Gs_update', 'D_train', 'D_reg', 'data_put', 'data_fetch')
        graph = types.SimpleNamespace(**{name: name for name in names}, alternates=False, augment=None,
                                      inputs=types.SimpleNamespace(step='step', fetch_step='fetch_step'))
        super().__init__(graph, types.SimpleNamespace(advance=lambda count: self.ran.append('advance')), None,
                         1, LoopSettings(1, 0, 1, False, 1))
        self.ran, self._rounds = [], rounds

    def minibatch(self):
        self._run_all(session_calls(self.graph, self._rounds, G_reg=True, D_reg=False))
        return self.ran

    def _run(self, *ops):
        if 'data_put' in ops:
            self.expected = self.feed_dict['fetch_step']
        if 'data_fetch' in ops:
            assert self.step == self.expected, 'the data set draws as at the step that takes its images'
        self.ran.append(' '.join(ops))
        self.step += 1


def test_images_are_put_on_devices_while_the_step_before_computes():
    assert _Recorded(1).minibatch() == [
        'G_train data_put', 'G_reg', 'data_fetch Gs_update', 'advance', 'D_train']
    assert _Recorded(2).minibatch() == [
        'G_train data_put', 'G_train', 'G_reg', 'G_reg', 'Gs_update', 'data_fetch', 'advance',
        'D_train data_put', 'data_fetch', 'advance', 'D_train']
