"""Losses of StyleGAN2-ADA (Karras et al. 2020, "Training GANs with Limited Data"), of both networks at once.

Each takes keyword arguments and returns an EasyDict of G_loss, D_loss, G_reg and D_reg. A loss is
[minibatch, 1]; a regularizer is [minibatch], the number 0 if its weight is 0, or None if the loss has none.
The caller takes means over all elements, so that adding them broadcasts without changing the result.

`aug` is a `training.augment.AdaptiveAugment` or None. It augments whatever D scores, and its heuristic reads
the statistics that are recorded for TensorBoard. Penalties are recorded before they are weighted.
"""

import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib import EasyDict
from dnnlib.tflib.autosummary import autosummary
from dnnlib.tflib.ops.shapes import dims
from dnnlib.util import call_func_by_name
from training import loss_terms as terms


def report_stat(aug, name, value):
    """Record `value` under `name` in TensorBoard, and for `aug` if its heuristic needs it. -> value."""
    if aug is not None:
        value = aug.report_stat(name, value)
    return autosummary(name, value)


def report_loss(aug, G_loss, D_loss, G_reg=None, D_reg=None):
    """Record losses and regularizers. -> EasyDict of them, to be returned by a loss function."""
    assert G_loss is not None and D_loss is not None
    G_loss, G_reg = _report_loss(aug, 'Loss/G', G_loss, G_reg)
    D_loss, D_reg = _report_loss(aug, 'Loss/D', D_loss, D_reg)
    return EasyDict(G_loss=G_loss, D_loss=D_loss, G_reg=G_reg, D_reg=D_reg)


def _report_loss(aug, name, loss, reg):
    """Record a network's loss and, unless it is None, its regularizer. -> both."""
    loss = report_stat(aug, f'{name}/loss', loss)
    if tflib.is_tf_expression(reg):
        return loss, report_stat(aug, f'{name}/reg', reg)
    if reg is not None:  # A number is not evaluated by any op, so it is recorded with the loss.
        with tf.control_dependencies([report_stat(aug, f'{name}/reg', tf.constant(reg, tf.float32))]):
            loss = tf.identity(loss)
    return loss, reg


def eval_G(G, latents, labels, return_dlatents=False):
    """Generate training images. -> EasyDict of images [N,C,H,W], dlatents [N,L,C] or None, and the keyword
    arguments of G as `args`."""
    args = EasyDict(is_training=True)
    if return_dlatents:
        args.return_dlatents = True
    images, *dlatents = G.get_output_for(latents, labels, return_as_list=True, **args)
    return EasyDict(args=args, images=images, dlatents=dlatents[0] if return_dlatents else None)


def eval_D(D, aug, images, labels,
    report = None,                          # Record scores, signs and squares by this name. None = nothing.
    augment_inputs = True,                  # Let `aug` change images and labels first?
    return_aux = 0):                        # Number of further outputs of D to return.
    """Augment and score images.

    -> EasyDict of images_aug [N,C,H,W], labels_aug [N,L], scores [N,1], aux [N,return_aux] or None, and the
    keyword arguments of D as `args`.
    """
    result = EasyDict(images_aug=images, labels_aug=labels, args=EasyDict(is_training=True), aux=None)
    if aug is not None:
        result.images_aug, result.labels_aug = aug.apply(images, labels, enable=augment_inputs)
        result.args.augment_strength = aug.get_strength_var()
    if return_aux > 0:
        result.args.score_size = return_aux + 1
    scores = D.get_output_for(result.images_aug, result.labels_aug, **result.args)
    if return_aux > 0:
        scores, result.aux = scores[:, :1], scores[:, 1:]
    result.scores = scores if report is None else _report_scores(aug, report, scores)
    return result


def _report_scores(aug, name, scores):
    """Record scores whenever the result is evaluated, but not with gradients alone. -> scores."""
    reports = [report_stat(aug, f'Loss/scores/{name}', scores),
               report_stat(aug, f'Loss/signs/{name}', tf.sign(scores)),
               report_stat(aug, f'Loss/squares/{name}', tf.square(scores))]
    with tf.control_dependencies(reports):
        return tf.identity(scores)


def _random_latents(G, labels):
    """Draw one latent for each label. -> [N,latent_size]."""
    return tflib.random.normal([dims(labels)[0], *G.input_shapes[0][1:]])


def _eval_both(D, aug, fakes, fake_labels, reals, real_labels):
    """Score fakes and reals, and record the scores. -> results of `eval_D`."""
    D_fake = eval_D(D, aug, fakes, fake_labels, report='fake')
    return D_fake, eval_D(D, aug, reals, real_labels, report='real')


def _logistic(D_fake, D_real):
    """Return the non-saturating loss of G and the loss of D (Goodfellow et al. 2014). -> [N,1] each."""
    return tf.nn.softplus(-D_fake.scores), terms.logistic(D_real.scores, D_fake.scores)


def _gradients(scores, images):
    """Return the gradient of each score [N,1] by its image, without evaluating the scores. -> [N,C,H,W]."""
    ones = tf.ones([dims(images)[0], 1], scores.dtype)
    return tf.gradients(scores, [images], grad_ys=[ones])[0]


def _gradient_penalty(aug, name, scores, images, gamma):
    """Return gamma / 2 times the squared length of each score's gradient by its image. -> [N]."""
    penalty = report_stat(aug, name, terms.squared_length(_gradients(scores, images)))
    return penalty * (gamma * 0.5)


def _path_length_penalty(aug, G, fakes, shrink, decay, weight):
    """Return the path length penalty (StyleGAN2, Eq. 4), repeated for the whole minibatch. -> [n*shrink].

    fakes: result of `eval_G` with dlatents, for 1 / shrink of the minibatch, n images.
    """
    lengths = terms.path_lengths(G, fakes.images, fakes.dlatents)
    penalty = report_stat(aug, 'Loss/pl_penalty', terms.deviation_from_running_mean(lengths, decay))
    return tf.tile(penalty, [shrink]) * weight


def _eval_first_share(G, latents, labels, shrink):
    """Generate images and dlatents of the first 1 / shrink of a minibatch, at least one. -> as `eval_G`."""
    num_rows = dims(latents)[0]
    count = max(num_rows // shrink, 1) if isinstance(num_rows, int) else tf.maximum(num_rows // shrink, 1)
    return eval_G(G, latents[:count], labels[:count], return_dlatents=True)


def stylegan2(G, D, aug, fake_labels, real_images, real_labels,
    r1_gamma = 10,                          # Weight of R1. 0 = off.
    pl_minibatch_shrink = 2,                # Divisor of the minibatch size for the path length penalty.
    pl_decay = 0.01,                        # Share of a minibatch's mean length in the running mean a.
    pl_weight = 2,                          # Weight of the path length penalty (|J^T y| - a)^2. 0 = off.
    **_kwargs):                             # Ignored.
    """Return the logistic losses with R1 and path length regularization of StyleGAN2, augmented.

    R1: Mescheder et al. 2018, Eq. 9; path lengths: StyleGAN2, Eq. 4, of the first of the same fakes.
    """
    latents = _random_latents(G, fake_labels)
    evaluate_again = pl_minibatch_shrink > 1
    fakes = eval_G(G, latents, fake_labels, return_dlatents=pl_weight != 0 and not evaluate_again)
    D_fake, D_real = _eval_both(D, aug, fakes.images, fake_labels, real_images, real_labels)
    with tf.name_scope('Loss_main'):
        G_loss, D_loss = _logistic(D_fake, D_real)
        G_reg = D_reg = 0
    if r1_gamma != 0:
        with tf.name_scope('Loss_R1'):
            D_reg = _gradient_penalty(aug, 'Loss/r1_penalty', D_real.scores, real_images, r1_gamma)
    if pl_weight != 0:
        with tf.name_scope('Loss_PL'):
            if evaluate_again:
                fakes = _eval_first_share(G, latents, fake_labels, pl_minibatch_shrink)
            G_reg = _path_length_penalty(aug, G, fakes, pl_minibatch_shrink, pl_decay, pl_weight)
    return report_loss(aug, G_loss, D_loss, G_reg, D_reg)


def cmethods(G, D, aug, fake_labels, real_images, real_labels,
    r1_gamma = 10,                          # Weight of R1, on reals. 0 = off.
    r2_gamma = 0,                           # Weight of R2, on fakes. 0 = off.
    pl_minibatch_shrink = 2,                # Divisor of the minibatch size for the path length penalty.
    pl_decay = 0.01,                        # Share of a minibatch's mean length in the running mean a.
    pl_weight = 2,                          # Weight of the path length penalty (|J^T y| - a)^2. 0 = off.
    bcr_real_weight = 0,                    # Weight of consistency (bCR) on reals. 0 = off.
    bcr_fake_weight = 0,                    # Weight of consistency (bCR) on fakes. 0 = off.
    bcr_augment = None,                     # Augmentation function (func_name) and arguments. None = no bCR.
    zcr_gen_weight = 0,                     # Weight of distances between nearby fakes (zCR). 0 = off.
    zcr_dis_weight = 0,                     # Weight of distances between their scores (zCR). 0 = off.
    zcr_noise_std = 0.1,                    # Standard deviation of the steps to nearby latents.
    auxrot_alpha = 0,                       # Weight for G of D's guesses of rotations. 0 = off.
    auxrot_beta = 0,                        # Weight for D of its guesses of rotations. 0 = off.
    **_kwargs):                             # Ignored.
    """Return the losses of `stylegan2` with terms of the methods that the paper compares with (Section 4.3).

    bCR and zCR: Zhao et al. 2020, "Improved Consistency Regularization for GANs"; rotations: Chen et al.
    2019, "Self-Supervised GANs via Auxiliary Rotation Loss"; without labels, with score_max=5 for D.
    """
    latents = _random_latents(G, fake_labels)
    fakes = eval_G(G, latents, fake_labels)
    D_fake, D_real = _eval_both(D, aug, fakes.images, fake_labels, real_images, real_labels)
    with tf.name_scope('Loss_main'):
        G_loss, D_loss = _logistic(D_fake, D_real)
        G_reg = D_reg = 0
    with tf.name_scope('Loss_R1R2'):
        if r1_gamma != 0:
            D_reg += _gradient_penalty(aug, 'Loss/r1_penalty', D_real.scores, real_images, r1_gamma)
        if r2_gamma != 0:
            D_reg += _gradient_penalty(aug, 'Loss/r2_penalty', D_fake.scores, fakes.images, r2_gamma)
    if pl_weight != 0:
        with tf.name_scope('Loss_PL'):
            share = _eval_first_share(G, latents, fake_labels, pl_minibatch_shrink)
            G_reg = _path_length_penalty(aug, G, share, pl_minibatch_shrink, pl_decay, pl_weight)
    with tf.name_scope('Loss_bCR'):
        for name, scored, weight in (('real', D_real, bcr_real_weight), ('fake', D_fake, bcr_fake_weight)):
            if weight != 0 and bcr_augment is not None:
                D_loss += _bcr_penalty(D, aug, name, scored, bcr_augment) * weight
    if zcr_gen_weight > 0 or zcr_dis_weight > 0:
        with tf.name_scope('Loss_zCR'):
            nearby = latents + tflib.random.normal(tf.shape(latents)) * zcr_noise_std
            nearby_images = eval_G(G, nearby, fake_labels).images
            if zcr_gen_weight > 0:
                G_loss += _zcr_gen_penalty(aug, fakes.images, nearby_images) * zcr_gen_weight
            if zcr_dis_weight > 0:
                D_loss += _zcr_dis_penalty(D, aug, D_fake, nearby_images, fake_labels) * zcr_dis_weight
    with tf.name_scope('Loss_AuxRot'):
        if auxrot_alpha != 0:
            G_loss += _rotation_loss(D, aug, fakes.images, fake_labels) * auxrot_alpha
        if auxrot_beta != 0:
            D_loss += _rotation_loss(D, aug, real_images, real_labels) * auxrot_beta
    return report_loss(aug, G_loss, D_loss, G_reg, D_reg)


def _bcr_penalty(D, aug, name, scored, bcr_augment):
    """Return the squared changes of scores by an augmentation (Zhao et al. 2020, bCR). -> [N,1].

    scored: result of `eval_D`, whose augmented images are augmented once more.
    """
    inputs = call_func_by_name(scored.images_aug, scored.labels_aug, **bcr_augment)
    again = eval_D(D, aug, *inputs, report=f'{name}_bcr', augment_inputs=False)
    return report_stat(aug, f'Loss/bcr_penalty/{name}', tf.square(again.scores - scored.scores))


def _zcr_gen_penalty(aug, images, nearby_images):
    """Reward images that differ from those of nearby latents (Zhao et al. 2020, zCR). -> [N]."""
    distances = tf.reduce_mean(tf.square(images - nearby_images), axis=[1, 2, 3])
    return report_stat(aug, 'Loss/zcr_gen_penalty', -distances)


def _zcr_dis_penalty(D, aug, D_fake, nearby_images, labels):
    """Penalize scores that differ from those of nearby latents (Zhao et al. 2020, zCR). -> [N,1]."""
    nearby = eval_D(D, aug, nearby_images, labels, report='fake_zcr', augment_inputs=False)
    return report_stat(aug, 'Loss/zcr_dis_penalty', tf.square(D_fake.scores - nearby.scores))


def _rotation_loss(D, aug, images, labels):
    """Return the cross entropy of D's guesses of rotations (Chen et al. 2019). images [N,C,S,S] -> [4*N]."""
    guesses = eval_D(D, aug, _rotated(images), tf.tile(labels, [4, 1]), return_aux=4).aux
    quarters = tf.repeat(tf.range(4), tf.shape(images)[0])
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=quarters, logits=guesses)


def _rotated(images):
    """Return images rotated counterclockwise by 0, 90, 180 and 270 degrees. [N,C,S,S] -> [4*N,C,S,S]."""
    def transposed(x):
        return tf.transpose(x, [0, 1, 3, 2])

    return tf.concat([images, transposed(tf.reverse(images, [3])), tf.reverse(images, [2, 3]),
                      tf.reverse(transposed(images), [3])], axis=0)


def wgangp(G, D, aug, fake_labels, real_images, real_labels,
    wgan_epsilon = 0.001,                   # Weight of the squared real scores, which prevents drift.
    wgan_lambda = 10,                       # Weight of the gradient penalty, the paper's lambda.
    wgan_target = 1,                        # Target length of the gradients.
    **_kwargs):                             # Ignored.
    """Return Wasserstein losses with a gradient penalty on mixed images (Gulrajani et al. 2017, Eq. 3)."""
    fakes = eval_G(G, _random_latents(G, fake_labels), fake_labels)
    D_fake, D_real = _eval_both(D, aug, fakes.images, fake_labels, real_images, real_labels)
    with tf.name_scope('Loss_main'):
        G_loss = -D_fake.scores
        D_loss = D_fake.scores - D_real.scores
    with tf.name_scope('Loss_epsilon'):
        D_loss += report_stat(aug, 'Loss/epsilon_penalty', tf.square(D_real.scores)) * wgan_epsilon
    with tf.name_scope('Loss_GP'):
        mixed = terms.mixed_images(dims(fake_labels)[0], real_images, fakes.images)
        D_mixed = eval_D(D, aug, mixed, real_labels, report='mix')
        norms = tf.sqrt(terms.squared_length(_gradients(D_mixed.scores, mixed)))
        with tf.control_dependencies([D_mixed.scores]):  # The gradients alone do not record them.
            norms = report_stat(aug, 'Loss/mix_norms', tf.identity(norms))
        D_reg = terms.distance_from_norm(norms, wgan_lambda, wgan_target)
    return report_loss(aug, G_loss, D_loss, D_reg=D_reg)
