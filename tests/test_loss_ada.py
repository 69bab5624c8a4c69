"""Test the losses of StyleGAN2-ADA: golden values and gradients, and what they augment, score and record."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from tests.loss_cases import CASES_OF_ADA, check_golden_loss_of_ada, golden_networks, networks_of
from training import loss as losses
from training import loss_ada, loss_terms
from training.augment import AdaptiveAugment

# Their terms are those of other tests, too.
LONG_CASES = {'stylegan2', 'stylegan2-shrink1', 'stylegan2-no-reg', 'cmethods-plain', 'cmethods-r2'}


def _cases():
    """Return all golden cases, with their names as ids."""
    return [pytest.param(networks_of('losses_ada', case), case, id=case['name'],
                         marks=[pytest.mark.long] if case['name'] in LONG_CASES else [])
            for case in CASES_OF_ADA]


@pytest.fixture(scope='module')
def networks(request):
    """Build G and D of the golden runs, once for all losses."""
    with golden_networks(*request.param) as built:
        yield built


@pytest.mark.parametrize(('networks', 'case'), _cases(), indirect=['networks'])
def test_golden_case_has_the_same_losses_regularizers_and_gradients(networks, case):
    check_golden_loss_of_ada(case, *networks)


# Linear networks, of which values are known


class LinearG:
    """Generates images [N,1,4,4] = 3 * latents + the first component of the labels."""
    input_shapes = [[None, 16], [None, 1]]
    output_shape = [None, 1, 4, 4]

    def get_output_for(self, latents, labels, is_training, return_dlatents=False, return_as_list=False):
        assert is_training
        dlatents = latents[:, tf.newaxis]  # [N,C] -> [N,1,C]
        images = tf.reshape(dlatents[:, 0] * 3.0 + labels, [-1, 1, 4, 4])
        outputs = (images, dlatents) if return_dlatents else (images,)
        return list(outputs) if return_as_list else outputs[0] if len(outputs) == 1 else outputs


class LinearD:
    """Scores images by their sum divided by 2, a gradient of length 2, and their labels."""

    def __init__(self):
        self.calls = []

    def get_output_for(self, images, labels, is_training, **kwargs):
        assert is_training
        self.calls.append(kwargs)
        scores = tf.reduce_sum(images, axis=[2, 3]) * 0.5 + 100 * labels
        return tf.concat([scores + i for i in range(kwargs.get('score_size', 1))], axis=1)


def noisy(images, labels, strength):
    """Augment images by doubling them and by noise."""
    return images * 2 + strength * tflib.random.normal(tf.shape(images)), labels


def faded(images, labels, strength):
    """Augment images by random factors."""
    return images * (1 - strength * tflib.random.uniform([tf.shape(images)[0], 1, 1, 1])), labels


def _linear(loss, aug=None, count=4, reals=None, **kwargs):
    """Build a loss on the linear networks, with labels 1 of reals and 2 of fakes. -> its terms."""
    reals = tf.ones([count, 1, 4, 4]) if reals is None else reals
    labels = tf.ones_like(reals[:, :, 0, 0])
    terms = loss(LinearG(), LinearD(), aug, labels * 2, reals, labels, **kwargs)
    tflib.init_uninitialized_vars()
    return terms


NOISY = dict(apply_func=noisy, initial_strength=1)


def test_fakes_have_their_own_labels_and_are_augmented_once_for_both_losses(session):
    aug = AdaptiveAugment(apply_func=faded, initial_strength=1)
    terms = _linear(losses.wgangp, aug, reals=tf.zeros([4, 1, 4, 4]), wgan_epsilon=0)
    G_loss, D_loss = session.run([terms.G_loss, terms.D_loss])
    assert (np.abs(G_loss + 200) < 90).all() and np.ptp(G_loss) > 0.1
    np.testing.assert_allclose(D_loss, -G_loss - 100, rtol=1e-5)


@pytest.mark.parametrize(('loss', 'kwargs', 'plain', 'augmented'), [
    (losses.stylegan2, dict(r1_gamma=10, pl_weight=0), 4 * 5, 16 * 5),
    (losses.cmethods, dict(r1_gamma=0, r2_gamma=2, pl_weight=0), 4, 16),
    (losses.wgangp, dict(wgan_lambda=3, wgan_target=1), 3 * (2 - 1) ** 2, 3 * (4 - 1) ** 2)])
def test_gradient_penalties_are_those_of_images_before_augmentation(loss, kwargs, plain, augmented, session):
    for aug, expected in ((None, plain), (AdaptiveAugment(**NOISY), augmented)):
        np.testing.assert_allclose(session.run(_linear(loss, aug, **kwargs).D_reg), expected, rtol=1e-5)


def test_regularizers_of_weight_zero_are_recorded_with_the_losses(session):
    terms = _linear(losses.stylegan2, r1_gamma=0, pl_weight=0)
    assert (terms.G_reg, terms.D_reg) == (0, 0)
    tflib.autosummary.finalize_autosummaries()
    session.run(terms.G_loss)
    summary = tf.Summary.FromString(session.run(tf.summary.merge_all()))
    values = {value.tag: value.simple_value for value in summary.value}
    assert values['Loss/G/reg'] == 0
    assert np.isnan(values['Loss/D/reg']), 'D has not been evaluated'


def test_path_lengths_use_a_share_of_the_minibatch_at_least_one_image(session):
    cases = [(losses.stylegan2, 6, 2), (losses.stylegan2, 6, 1), (losses.cmethods, 1, 2)]
    values = session.run([_linear(loss, None, count, r1_gamma=0, pl_minibatch_shrink=shrink).G_reg
                          for loss, count, shrink in cases])
    assert [len(value) for value in values] == [6, 6, 2]
    assert np.isfinite(np.concatenate(values)).all()
    np.testing.assert_array_equal(values[0][:3], values[0][3:])


def test_a_length_that_is_not_finite_does_not_spoil_the_running_mean(session):
    lengths = tf.placeholder(tf.float32, [None])
    penalty = loss_terms.deviation_from_running_mean(lengths, 0.5)
    tflib.init_uninitialized_vars()
    assert not np.isfinite(session.run(penalty, {lengths: [1, np.inf]})).all()
    np.testing.assert_allclose(session.run(penalty, {lengths: [4, 8]}), [1, 25])


def test_rotations_are_counterclockwise(session):
    images = np.random.RandomState(1).randn(2, 3, 4, 4).astype(np.float32)
    expected = np.concatenate([np.rot90(images, k, axes=(2, 3)) for k in range(4)])
    np.testing.assert_array_equal(session.run(loss_ada._rotated(tf.constant(images))), expected)


def test_D_gets_what_the_evaluation_asks_for(session):
    images, labels, D = tf.ones([4, 1, 4, 4]), tf.ones([4, 1]), LinearD()
    plain = losses.eval_D(D, None, images, labels)
    assert plain.args == D.calls[-1] | dict(is_training=True) and plain.aux is None
    assert (plain.images_aug, plain.labels_aug) == (images, labels)
    aug = AdaptiveAugment(**NOISY)
    result = losses.eval_D(D, aug, images, labels, return_aux=4)
    assert D.calls[-1] == dict(augment_strength=aug.get_strength_var(), score_size=5)
    assert (result.scores.shape, result.aux.shape) == ([4, 1], [4, 4])
    assert result.images_aug is not images
    assert losses.eval_D(D, aug, images, labels, augment_inputs=False).images_aug is images
    scores, aux = session.run([plain.scores, losses.eval_D(D, None, images, labels, return_aux=1).aux])
    np.testing.assert_array_equal(aux, scores + 1)


@pytest.mark.parametrize('size', [4, None])
def test_regularizers_record_no_scores(size, session):
    """This holds for minibatches of unknown size, too."""
    reals = tf.placeholder_with_default(tf.ones([4, 1, 4, 4]), [size, 1, 4, 4])
    aug = AdaptiveAugment(tune_heuristic='rt', tune_target=0.6)
    terms = _linear(losses.stylegan2, aug, reals=reals)
    for value, measured in ((terms.D_reg, 0), (terms.G_reg, 0), (terms.G_loss, 0), (terms.D_loss, 1)):
        session.run(value)
        aug.tune(1)
        assert aug.measured() == measured, 'mean sign of the real scores, 0 if there are none'
        aug.start_tick()


@pytest.mark.parametrize('D_args', [dict(use_pagan=True), dict(adaptive_dropout=1)])
def test_D_reads_the_strength_of_the_augmentation(D_args, session):
    D = tflib.Network('D', func_name='training.networks.D_main', num_channels=1, resolution=8, fmap_base=32,
                      fmap_max=4, **D_args)
    aug = AdaptiveAugment(tune_heuristic='rt', tune_target=0.6)
    scores = losses.eval_D(D, aug, tf.ones([8, 1, 8, 8]), tf.zeros([8, 0]), report='real').scores
    tflib.init_uninitialized_vars()
    assert np.ptp(session.run(scores)) < 1e-6
    tflib.set_vars({aug.get_strength_var(): 1.0})
    assert np.ptp(session.run(scores)) > 1e-3
