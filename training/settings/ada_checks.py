"""Checks of the flags of StyleGAN2-ADA that depend on each other or on the data set."""

import math

from dnnlib.util import UserError
from training.settings.ada_configs import CFGS, TARGETS


def is_power_of_two(number):
    """Return whether a whole number is 1, 2, 4 and so on."""
    return number >= 1 and number & (number - 1) == 0


def check_resolution(res, there):
    """Raise UserError unless images of resolution `there` can be trained on at `res`. None = at their own."""
    if res is None:
        return
    if res < 4 or not is_power_of_two(res):
        raise UserError(f'--res={res}: expected a power of two of at least 4')
    if res > there:
        raise UserError(f'--res={res}: the data set has resolution {there}; choose at most that')


def check_numbers(gamma=None, kimg=None):
    """Raise UserError for a weight of R1 or a length of the training that is out of range."""
    if gamma is not None and not 0 <= gamma < math.inf:
        raise UserError(f'--gamma={gamma:g}: expected a number of at least 0')
    if kimg is not None and kimg < 1:
        raise UserError(f'--kimg={kimg}: expected a whole number of at least 1')


def check_augmentation(aug, p, target, augpipe, has_validation_set):
    """Raise UserError for flags of the augmentation that do not go together. None = not given."""
    if aug == 'fixed' and p is None:
        raise UserError('--aug=fixed: expected --p=P, the probability of each transform, from 0 to 1')
    if aug == 'adarv' and not has_validation_set:
        raise UserError('--aug=adarv: the data set has no validation set; write one with dataset_tool.py '
                        'pack, or choose another --aug')
    if p is not None and aug != 'fixed':
        raise UserError(f'--p={p:g} applies to --aug=fixed only; add that, or use --target with ada or adarv')
    if p is not None and not 0 <= p <= 1:
        raise UserError(f'--p={p:g}: expected a number from 0 to 1')
    if target is not None and aug not in TARGETS:
        raise UserError(f'--target={target:g} applies to --aug=ada and --aug=adarv only')
    if target is not None and not 0 <= target <= 1:
        raise UserError(f'--target={target:g}: expected a number from 0 to 1')
    if augpipe is not None and aug == 'noaug':
        raise UserError(f'--augpipe={augpipe} does not apply without augmentation; omit it, or choose '
                        'another --aug')


def check_cmethod(cmethod, aug, gamma, label_size, mapping_layers, shape):
    """Raise UserError for a comparison method that other flags, the labels or the configuration exclude.

    gamma: None = not given. mapping_layers: those of the configuration. shape: that of images, [C,H,W].
    """
    if cmethod in ('pagan', 'wgangp', 'adropout') and aug != 'noaug':
        raise UserError(f'--cmethod={cmethod} cannot be combined with augmentation; add --aug=noaug')
    if cmethod == 'wgangp' and gamma is not None:
        raise UserError('--cmethod=wgangp trains without R1; omit --gamma')
    if cmethod == 'auxrot' and label_size > 0:
        raise UserError('--cmethod=auxrot does not work with labels; choose a data set without, or ignore '
                        'them')
    if cmethod == 'auxrot' and shape[1] != shape[2]:
        raise UserError(f'--cmethod=auxrot turns images, which must be squares, not {shape[2]}x{shape[1]}; '
                        'choose another method')
    if cmethod == 'shallowmap' and mapping_layers == 2:
        raise UserError('--cmethod=shallowmap: the configurations auto and cifar have 2 mapping layers '
                        'already; choose another one')


def check_capacity(dcap, freezed):
    """Raise UserError for a factor or a number of layers that is out of range. None = not given."""
    if dcap is not None and not 0 < dcap < math.inf:
        raise UserError(f'--dcap={dcap:g}: expected a number above 0')
    if freezed is not None and freezed < 0:
        raise UserError(f'--freezed={freezed}: expected a whole number of at least 0')


def check_devices(name, cfg, gpus):
    """Raise UserError if devices cannot share the minibatches of a fixed configuration."""
    if name != 'auto' and gpus > cfg.ref_gpus:
        raise UserError(f'--gpus={gpus}: --cfg={name} shares its minibatch among at most {cfg.ref_gpus}; '
                        f'choose fewer, or --cfg={CFGS[0]}')
