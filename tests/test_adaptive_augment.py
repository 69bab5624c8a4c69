"""Test training.augmentation.controller: the strength of the augmentation follows what D says."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib import EasyDict
from tests.golden_figures import figures
from training.augmentation.controller import AdaptiveAugment

RT = dict(tune_heuristic='rt', tune_target=0.6, tune_kimg=1)
RV = dict(tune_heuristic='rv', tune_target=0.5, tune_kimg=1)
SIGNS = 'Loss/signs/real'


class Towers:
    """Two devices that report statistics to a controller."""

    def __init__(self, augment, names, count=2):
        self.placeholders = [{name: tf.placeholder(tf.float32, [None]) for name in names}
                             for _ in range(count)]
        self.reports = [[augment.report_stat(name, value) for name, value in tower.items()]
                        for tower in self.placeholders]
        tflib.init_uninitialized_vars()

    def report(self, **values):
        """Report {name: [values of each tower]}, names with _ for /."""
        values = {name.replace('_', '/'): value for name, value in values.items()}
        feed = {placeholder: values[name][index] for index, tower in enumerate(self.placeholders)
                for name, placeholder in tower.items() if name in values}
        tflib.run([report for index, tower in enumerate(self.placeholders)
                   for (name, placeholder), report in zip(tower.items(), self.reports[index], strict=True)
                   if placeholder in feed], feed)


@pytest.mark.parametrize('case', figures('augment_ada')['controller'], ids=lambda case: case['heuristic'])
def test_the_strength_is_that_of_the_published_controller(case, session):
    augment = AdaptiveAugment(tune_heuristic=case['heuristic'], tune_target=case['target'],
                              tune_kimg=case['tune_kimg'])
    towers = Towers(augment, list(case['statistics'][0]))
    strengths = []
    for statistics in case['statistics']:
        towers.report(**{name.replace('/', '_'): values for name, values in statistics.items()})
        augment.tune(case['nimg_delta'])
        strengths.append(augment.strength)
    np.testing.assert_allclose(strengths, case['strength'], atol=1e-6)


@pytest.mark.parametrize('decay, expected', [
    (0, [0, 0.256, 0, 0.064, 0, 1, 2, 3]), (1, [0, 0.256, 0, 0.064, 1.064, 2.064, 3.064, 4.064])])
def test_statistics_decay_and_an_empty_one_counts_as_zero(decay, expected, session):
    augment = AdaptiveAugment(**RT, stat_decay_kimg=decay)
    towers = Towers(augment, [SIGNS])
    ones, mixed, halves = [1, 1, 1, 1], [1, 1, 1, -1], [1, 1, -1, -1]
    history = [(None, 256), ([ones, mixed], 256), ([halves, []], 256), ([ones, []], 64), (None, 1000),
               *[([ones, []], 1000)] * 3]
    strengths = []
    for signs, nimg in history:
        if signs is not None:
            towers.report(Loss_signs_real=signs)
        augment.tune(nimg)
        strengths.append(augment.strength)
    np.testing.assert_allclose(strengths, expected, atol=1e-9)
    assert tflib.run(augment.get_strength_var().initialized_value()) == np.float32(strengths[-1])


def test_rv_measures_where_validation_scores_are_between_real_and_fake_ones(session):
    augment = AdaptiveAugment(**RV)
    towers = Towers(augment, ['Loss/scores/fake', 'Loss/scores/real', 'Loss/scores/valid'], count=1)
    strengths = []
    for fake, real, valid in [(-1, 1, -0.5), (-1, 1, 0.5), (1, -1, -1.5), (0, 0, 0)]:
        towers.report(Loss_scores_fake=[[fake]], Loss_scores_real=[[real]], Loss_scores_valid=[[valid]])
        augment.tune(100)
        strengths.append(augment.strength)
    np.testing.assert_allclose(strengths, [0.1, 0, 0.1, 0], atol=1e-9)


def test_the_variable_follows_the_strength_and_images_are_augmented_with_it(session):
    augment = AdaptiveAugment(apply_func='tests.test_adaptive_augment.times', apply_args=dict(factor=2), **RT)
    images, labels = augment.apply(tf.ones([4]), tf.zeros([4, 0]))
    towers = Towers(augment, [SIGNS], count=1)
    towers.report(Loss_signs_real=[[1, 1]])
    augment.tune(250)
    assert augment.strength == 0.25
    assert tflib.run(images).tolist() == [0.5] * 4
    assert labels.shape == (4, 0)


def times(images, labels, strength, factor):
    """Multiply images: an augmentation that shows its strength."""
    return images * strength * factor, labels


@pytest.mark.parametrize('arguments, enable', [
    (dict(apply_func=times, **RT), False), (dict(apply_func=None, **RT), True),
    (dict(apply_func=times, initial_strength=0), True)])
def test_images_stay_as_they_are_if_nothing_can_change_them(arguments, enable, session):
    images, labels = tf.ones([4]), tf.zeros([4, 0])
    assert AdaptiveAugment(**arguments).apply(images, labels, enable=enable) == (images, labels)


def test_a_fixed_strength_stays(session):
    augment = AdaptiveAugment(apply_func=times, apply_args=dict(factor=1), initial_strength=0.3)
    images, _ = augment.apply(tf.ones([1]), None)
    assert augment.report_stat(SIGNS, images) is images, 'nothing is counted'
    tflib.init_uninitialized_vars()
    augment.tune(1000)
    assert augment.strength == 0.3
    np.testing.assert_allclose(tflib.run(images), [0.3], rtol=1e-6)
    assert augment.measured() is None


@pytest.mark.parametrize('arguments', [dict(apply_func=lambda: None), dict(tune_heuristic='signs')])
def test_arguments_that_mean_nothing_are_refused(arguments):
    with pytest.raises(AssertionError):
        AdaptiveAugment(**arguments)


class TrainingSet:
    """Five validation images of brightness 0 to 4, without labels."""

    shape, dtype, label_size, label_dtype = [1, 1, 1], 'uint8', 0, 'float32'

    def load_validation_set_np(self):
        return np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1), np.zeros([5, 0], np.float32)


class Brightness:
    """A discriminator whose score is the brightness of an image."""

    static_kwargs = EasyDict()

    def get_output_for(self, images, labels, **_kwargs):
        return tf.reshape((images + 1) * (255 / 2), [-1, 1])


def test_validation_images_take_turns(session):
    augment = AdaptiveAugment(**RV)
    augment.init_validation_set([Brightness(), Brightness()], TrainingSet())
    means = []
    tflib.init_uninitialized_vars()
    for _ in range(3):
        augment.run_validation(4)
        means.append(augment._mean_statistics(4)['Loss/scores/valid'])
    np.testing.assert_allclose(means, [1.5, (4 + 0 + 1 + 2) / 4, (3 + 4 + 0 + 1) / 4], rtol=1e-5)
    other = AdaptiveAugment(**RV)
    other.init_validation_set([Brightness()], TrainingSet())
    other.restore(augment.state())
    assert other.validation.position == 2


def test_a_state_holds_all_that_follows(session):
    augment = AdaptiveAugment(**RT, stat_decay_kimg=1)
    towers = Towers(augment, [SIGNS], count=1)
    towers.report(Loss_signs_real=[[1, 1, -1]])
    augment.tune(100)
    other = AdaptiveAugment(**RT, stat_decay_kimg=1)
    other.restore(augment.state())
    for controller in (augment, other):
        controller.tune(100)
    assert other.state() == augment.state()
    assert other.measured() == augment.measured() == pytest.approx(1 / 3)
