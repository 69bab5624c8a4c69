"""The losses of both networks on one device, and D as it sees augmented images.

StyleGAN2 and StyleGAN have a loss function for each network, StyleGAN2-ADA has one for both.
"""

import tensorflow.compat.v1 as tf

from dnnlib.tflib.autosummary import autosummary
from dnnlib.util import call_func_by_name
from training import loss_ada


def build(settings, G, D, augment, training_set, minibatch_size, reals, labels, G_opt, D_opt):
    """Build the losses -> (loss, regularizer) of G, (loss, regularizer) of D.

    `settings`: GraphSettings. `augment`: AdaptiveAugment or None. A regularizer is None if there is none, or
    if the loss includes it, as StyleGAN's do. The losses are recorded under StyleGAN2-ADA's names.
    """
    if settings.loss_args:
        terms = call_func_by_name(
            G=G, D=D, aug=augment, fake_labels=training_set.get_random_labels_tf(minibatch_size),
            real_images=reals, real_labels=labels, **settings.loss_args)
        return (terms.G_loss, terms.G_reg), (terms.D_loss, terms.D_reg)
    args = dict(G=G, training_set=training_set, minibatch_size=minibatch_size)
    D_of_G, D_of_D = D, D
    if augment is not None:
        D_of_G, D_of_D = AugmentedDiscriminator(D, augment), AugmentedDiscriminator(D, augment, reals)
    return (_loss('G', settings.G.loss_args, **args, D=D_of_G, opt=G_opt),
            _loss('D', settings.D.loss_args, **args, D=D_of_D, opt=D_opt, reals=reals, labels=labels))


def _loss(name, loss_args, **args):
    with tf.name_scope(f'{name}_loss'):
        result = call_func_by_name(**args, **loss_args)
        loss, reg = result if isinstance(result, tuple) else (result, None)
        return autosummary(f'Loss/{name}/loss', loss), reg


class AugmentedDiscriminator:
    """D for losses that know nothing of augmentation: it augments all images and reports their scores.

    `reals`: the tensor of real images; the first other images are fakes. All else is that of D.
    """

    def __init__(self, D, augment, reals=None):
        self._D = D
        self._augment = augment
        self._reals = reals
        self._kinds = ['fake']

    def __getattr__(self, name):
        return getattr(self._D, name)

    def get_output_for(self, images, labels, **kwargs):
        """Return the scores of augmented images."""
        scores = self._D.get_output_for(*self._augment.apply(images, labels), **kwargs)
        kind = 'real' if images is self._reals else self._kinds.pop() if self._kinds else None
        if kind is None:
            return scores
        signs = loss_ada.report_stat(self._augment, f'Loss/signs/{kind}', tf.sign(scores))
        counted = self._augment.report_stat(f'Loss/scores/{kind}', scores)  # the losses record them
        with tf.control_dependencies([signs, counted]):
            return tf.identity(scores)
