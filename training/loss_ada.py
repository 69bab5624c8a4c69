"""Losses of StyleGAN2-ADA (Karras et al. 2020, "Training GANs with Limited Data"), of both networks at once.

Each takes keyword arguments and returns an EasyDict of G_loss, D_loss, G_reg and D_reg. A loss is
[minibatch, 1]; a regularizer is [minibatch], the number 0 if its weight is 0, or None if the loss has none. The
caller takes means over all elements, so that adding them broadcasts without changing the result.

`aug` is a `training.augment.AdaptiveAugment` or None. It augments whatever D scores and follows statistics that
are recorded for TensorBoard. Values are recorded when the op of a training step evaluates them, before weights.
"""

import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib import EasyDict
from dnnlib.tflib.autosummary import autosummary
from dnnlib.tflib.ops.shapes import dims
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


def _gradients(scores, images):
    """Return the gradient of each score [N,1] by its image, without evaluating the scores. -> [N,C,H,W]."""
    ones = tf.ones([dims(images)[0], 1], scores.dtype)
    return tf.gradients(scores, [images], grad_ys=[ones])[0]


def _gradient_penalty(aug, name, scores, images, gamma):
    """Return gamma / 2 times the squared length of each score's gradient by its image. -> [N]."""
    penalty = report_stat(aug, name, terms.squared_length(_gradients(scores, images)))
    return penalty * (gamma * 0.5)


def _path_length_penalty(aug, G, fakes, shrink, decay, weight):
    """Return the path length penalty of generated images (StyleGAN2, Eq. 4), repeated for the whole minibatch.

    fakes: result of `eval_G` with dlatents, for 1 / shrink of the minibatch, n images. -> [n*shrink].
    """
    lengths = terms.path_lengths(G, fakes.images, fakes.dlatents)
    penalty = report_stat(aug, 'Loss/pl_penalty', terms.deviation_from_running_mean(lengths, decay))
    return tf.tile(penalty, [shrink]) * weight


def _first_share(shrink, *tensors):
    """Return the first 1 / shrink of the rows of each tensor, at least one row."""
    num_rows = dims(tensors[0])[0]
    count = max(num_rows // shrink, 1) if isinstance(num_rows, int) else tf.maximum(num_rows // shrink, 1)
    return [tensor[:count] for tensor in tensors]


def stylegan2(G, D, aug, fake_labels, real_images, real_labels,
    r1_gamma = 10,                          # Weight of R1. 0 = off.
    pl_minibatch_shrink = 2,                # Divisor of the minibatch size for the path length penalty.
    pl_decay = 0.01,                        # Share of a minibatch's mean length in the running mean a.
    pl_weight = 2,                          # Weight of the path length penalty (|J^T y| - a)^2. 0 = off.
    **_kwargs):                             # Ignored.
    """Return the logistic losses with R1 and path length regularization of StyleGAN2, augmented.

    The loss of G is non-saturating (Goodfellow et al. 2014); R1: Mescheder et al. 2018, Eq. 9; path lengths:
    StyleGAN2, Eq. 4, for the first of the same fakes.
    """
    fake_latents = _random_latents(G, fake_labels)
    evaluate_again = pl_minibatch_shrink > 1
    fakes = eval_G(G, fake_latents, fake_labels, return_dlatents=pl_weight != 0 and not evaluate_again)
    D_fake = eval_D(D, aug, fakes.images, fake_labels, report='fake')
    D_real = eval_D(D, aug, real_images, real_labels, report='real')
    with tf.name_scope('Loss_main'):
        G_loss = tf.nn.softplus(-D_fake.scores)
        D_loss = terms.logistic(D_real.scores, D_fake.scores)
        G_reg = D_reg = 0
    if r1_gamma != 0:
        with tf.name_scope('Loss_R1'):
            D_reg = _gradient_penalty(aug, 'Loss/r1_penalty', D_real.scores, real_images, r1_gamma)
    if pl_weight != 0:
        with tf.name_scope('Loss_PL'):
            if evaluate_again:
                inputs = _first_share(pl_minibatch_shrink, fake_latents, fake_labels)
                fakes = eval_G(G, *inputs, return_dlatents=True)
            G_reg = _path_length_penalty(aug, G, fakes, pl_minibatch_shrink, pl_decay, pl_weight)
    return report_loss(aug, G_loss, D_loss, G_reg, D_reg)
