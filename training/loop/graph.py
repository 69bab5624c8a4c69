"""The graph of one training iteration: real images, losses, and updates of all networks."""

from dataclasses import dataclass, field

import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.util import call_func_by_name, paused_gc
from training import misc


@dataclass(frozen=True)
class TrainInputs:
    """Placeholders that are fed at every step."""
    lod: tf.Tensor             # Level of detail, float32 [].
    G_lrate: tf.Tensor         # Learning rate of the generator, float32 [].
    D_lrate: tf.Tensor         # Learning rate of the discriminator, float32 [].
    minibatch_size: tf.Tensor  # Global minibatch, int32 [].
    minibatch_gpu: tf.Tensor   # Images that a device processes at a time, int32 [].

    def feed(self, sched):
        """feed_dict for these settings of the schedule."""
        return {self.lod: sched.lod, self.G_lrate: sched.G_lrate, self.D_lrate: sched.D_lrate,
                self.minibatch_size: sched.minibatch_size, self.minibatch_gpu: sched.minibatch_gpu}


@dataclass(frozen=True)
class TrainGraph:
    """Ops of one training iteration, in the order in which they are run."""
    inputs: TrainInputs
    G_opt: tflib.Optimizer
    D_opt: tflib.Optimizer
    G_train: tf.Operation
    G_reg: tf.Operation
    D_train: tf.Operation
    D_reg: tf.Operation
    data_fetch: tf.Operation
    Gs_update: tf.Operation
    optimizers: tuple = ()                      # Of losses and regularizers; None = there is none.
    copies: dict = field(default_factory=dict)  # Variable: the one that always has the same value.
    held_images: tuple = ()                     # Variables: the real images of an iteration.


@dataclass(frozen=True)
class LossSettings:
    """How a network is trained."""
    loss_args: dict    # For the loss function, `func_name` included.
    opt_args: dict     # For the optimizer.
    reg_interval: int  # Minibatches between regularizations, if these are steps of their own.


def process_reals(x, labels, lod, mirror_augment, drange_data, drange_net):
    """Real images as the networks take them at a level of detail (Progressive GAN, Section 2 and Figure 2).

    x uint8 [N,C,H,W] of level l = floor(lod), labels [N,L], lod float32 []
    -> x float32 [N,C,H*2^l,W*2^l] in `drange_net`, labels. Mirroring is drawn anew at every evaluation.
    """
    level = tf.floor(lod)
    x = tf.cast(x, tf.float32)
    if mirror_augment:
        x = _mirror_at_random(x)
    x = misc.adjust_dynamic_range(x, drange_data, drange_net)
    x = _fade_out_details(x, lod - level)
    return _enlarge(x, tf.cast(2 ** level, tf.int32)), labels


def _mirror_at_random(x):
    """Every image [N,C,H,W] as it is or, with probability 0.5, with left and right exchanged."""
    with tf.name_scope('Mirror'):
        as_is = tflib.random.uniform([tf.shape(x)[0]], 0.0, 1.0) < 0.5  # [N]
        return tf.where(as_is, x, tf.reverse(x, axis=[3]))


def _fade_out_details(x, amount):
    """Blend images with themselves at half the resolution: 0 = unchanged, 1 = flat blocks of 2x2 pixels.

    x [N,C,H,W], amount [] -> [N,C,H,W].
    """
    def blended():
        n, c, h, w = tf.unstack(tf.shape(x), num=4)
        pixels = tf.reshape(x, [n, c, h // 2, 2, w // 2, 2])  # [N,C,H,W] -> [N,C,H/2,2,W/2,2]
        blocks = tf.reduce_mean(pixels, axis=[3, 5], keepdims=True)  # [N,C,H/2,1,W/2,1]
        return tf.reshape(tflib.lerp(pixels, blocks, amount), [n, c, h, w])

    with tf.name_scope('FadeDetails'):
        return tf.cond(amount > 0, blended, lambda: x)  # most steps lie between two fades, or there are none


def _enlarge(x, factor):
    """Nearest neighbour: x [N,C,H,W], factor int32 [] -> [N,C,H*factor,W*factor]."""
    with tf.name_scope('Enlarge'):
        rows = tf.repeat(x, factor, axis=3)
        return tf.repeat(rows, factor, axis=2)  # whole rows are copied


@paused_gc()
def build_train_graph(G, D, Gs, training_set, *,
    G_settings,             # LossSettings of the generator.
    D_settings,             # LossSettings of the discriminator.
    num_gpus,               # Devices of this process; each gets a tower of losses.
    minibatch_gpu_sizes,    # How many images a device processes at a time: all numbers that occur.
    accumulate,             # May a minibatch take several rounds?
    lazy_regularization,    # Regularize in steps of their own?
    mirror_augment,         # Mirror real images at random?
    drange_net,             # Value range of the images inside the networks.
    G_smoothing_kimg,       # Half-life of the average of the generator's weights. 0 = none.
    cluster = None):        # tflib.Cluster of the processes that train together; None = this one alone.
    """Build the ops of a training iteration and initialize their variables.

    G, D and Gs live on the first device. Devices count through all processes in names and in the data.
    -> TrainGraph.
    """
    cluster = cluster or tflib.Cluster(num_gpus)
    assert cluster.num_gpus == num_gpus
    inputs = _make_inputs()
    rounds = inputs.minibatch_size // (inputs.minibatch_gpu * cluster.num_devices) if accumulate else None
    make_optimizers = _lazy_optimizers if lazy_regularization else _plain_optimizers
    G_opt, G_reg_opt = make_optimizers('G', G_settings, inputs.G_lrate, rounds, cluster)
    D_opt, D_reg_opt = make_optimizers('D', D_settings, inputs.D_lrate, rounds, cluster)

    # A number where only one occurs: with known shapes the graph gets smaller.
    minibatch_gpu = minibatch_gpu_sizes[0] if len(set(minibatch_gpu_sizes)) == 1 else inputs.minibatch_gpu

    num_after = cluster.num_devices - cluster.first_device - num_gpus
    fetched = _leave_to_others(training_set, cluster.first_device, [])
    fetch_ops, held, copies = [], [], {}
    for gpu in range(num_gpus):
        device = cluster.first_device + gpu
        with tf.name_scope(f'GPU{device}'), tflib.device(gpu):  # not in the tower: originals were not, either
            G_gpu = G if gpu == 0 else G.clone(G.name + '_shadow')
            D_gpu = D if gpu == 0 else D.clone(D.name + '_shadow')
            if gpu > 0:
                copies.update(_trained_alike(G_gpu, G) | _trained_alike(D_gpu, D))
        with tflib.absolute_name_scope(f'GPU{device}'), tflib.device(gpu), tflib.random.tower(device):
            with tf.name_scope('DataFetch'):
                fetched = _next_minibatch(training_set, fetched)
                reals_in = process_reals(
                    *fetched, inputs.lod, mirror_augment, training_set.dynamic_range, drange_net)
                reals, labels, fetch_op, held_here = _hold_images(
                    *reals_in, training_set, max(minibatch_gpu_sizes), minibatch_gpu)
                fetch_ops.append(fetch_op)
                held += held_here
            with tf.control_dependencies(_lod_assignments([G_gpu, D_gpu], inputs.lod)):
                args = dict(G=G_gpu, D=D_gpu, training_set=training_set, minibatch_size=minibatch_gpu)
                G_loss = _loss('G_loss', G_settings, **args, opt=G_opt)
                D_loss = _loss('D_loss', D_settings, **args, opt=D_opt, reals=reals, labels=labels)
            _register(G_opt, G_reg_opt, G_loss, G_gpu, G_settings)
            _register(D_opt, D_reg_opt, D_loss, D_gpu, D_settings)
    fetch_ops += [tensor.op for tensor in _leave_to_others(training_set, num_after, fetched)]

    optimizers = (G_opt, G_reg_opt, D_opt, D_reg_opt)
    graph = TrainGraph(
        inputs, G_opt, D_opt,
        G_train=G_opt.apply_updates(), G_reg=_reg_op(G_reg_opt),
        D_train=D_opt.apply_updates(), D_reg=_reg_op(D_reg_opt),
        data_fetch=tf.group(*fetch_ops), Gs_update=_average(Gs, G, inputs.minibatch_size, G_smoothing_kimg),
        optimizers=optimizers, copies=copies, held_images=tuple(held))
    for opt in optimizers:
        copies.update({} if opt is None else opt.copies())
    tflib.init_uninitialized_vars()
    return graph


def _make_inputs():
    with tf.name_scope('Inputs'), tf.device('/cpu:0'):
        return TrainInputs(
            lod=tf.placeholder(tf.float32, name='lod_in', shape=[]),
            G_lrate=tf.placeholder(tf.float32, name='G_lrate_in', shape=[]),
            D_lrate=tf.placeholder(tf.float32, name='D_lrate_in', shape=[]),
            minibatch_size=tf.placeholder(tf.int32, name='minibatch_size_in', shape=[]),
            minibatch_gpu=tf.placeholder(tf.int32, name='minibatch_gpu_in', shape=[]))


def _leave_to_others(training_set, num_minibatches, fetched):
    """Pass over the minibatches of devices in other processes, where the data set brings them, too: together,
    processes read one stream.

    `fetched`: tensors of the minibatch before. -> those of the last one.
    """
    for _ in range(0 if hasattr(training_set, 'take_share') else num_minibatches):
        with tf.name_scope('DataSkip'):
            fetched = _next_minibatch(training_set, fetched)
    return fetched


def _next_minibatch(training_set, fetched):
    """Images and labels, taken after those of the minibatch before: device i gets the i-th minibatch of an
    iteration, in every run."""
    with tf.control_dependencies(fetched):
        return training_set.get_minibatch_tf()


def _plain_optimizers(name, settings, lrate, rounds, cluster):
    """One optimizer for loss and regularizer together."""
    args = dict(settings.opt_args, minibatch_multiplier=rounds, learning_rate=lrate, cluster=cluster)
    return tflib.Optimizer(name=f'Train{name}', **args), None


def _lazy_optimizers(name, settings, lrate, rounds, cluster):
    """Optimizers for the loss and for the regularizer, with common state.

    The regularizer makes interval + 1 updates out of every interval: learning rate and betas are adjusted to
    keep the same pace (StyleGAN2, Appendix B).
    """
    c = settings.reg_interval / (settings.reg_interval + 1)
    args = dict(settings.opt_args, minibatch_multiplier=rounds, learning_rate=lrate * c, cluster=cluster)
    args.update((beta, args[beta] ** c) for beta in ('beta1', 'beta2') if beta in args)
    train_opt = tflib.Optimizer(name=f'Train{name}', **args)
    return train_opt, tflib.Optimizer(name=f'Reg{name}', share=train_opt, **args)


def _hold_images(new_reals, new_labels, training_set, max_minibatch_gpu, minibatch_gpu):
    """Keep real images in variables, so that every loss of an iteration sees the same ones.

    -> reals [minibatch_gpu,C,H,W], labels [minibatch_gpu,L], the op that replaces them by the new ones, their
    variables. These have room for `max_minibatch_gpu`; what is beyond the current minibatch stays as it is.
    """
    with tf.control_dependencies(None):
        zeros = tf.zeros([max_minibatch_gpu, *training_set.shape])
        reals_var = tf.Variable(zeros, trainable=False, name='reals')
        zeros = tf.zeros([max_minibatch_gpu, training_set.label_size], new_labels.dtype)
        labels_var = tf.Variable(zeros, trainable=False, name='labels')
    fetch_op = tf.group(
        tf.assign(reals_var, tf.concat([new_reals, reals_var[minibatch_gpu:]], axis=0)),
        tf.assign(labels_var, tf.concat([new_labels, labels_var[minibatch_gpu:]], axis=0)))
    return reals_var[:minibatch_gpu], labels_var[:minibatch_gpu], fetch_op, [reals_var, labels_var]


def _trained_alike(net, original):
    """{variable: that of the original} for what every device trains by the same steps."""
    return {var: original.trainables[name] for name, var in net.trainables.items()}


def _average(Gs, G, minibatch_size, half_life_kimg):
    """Op that moves Gs towards G as far as a minibatch does. With a half-life of 0, Gs becomes G."""
    beta = 0.0
    if half_life_kimg > 0:
        beta = 0.5 ** (tf.cast(minibatch_size, tf.float32) / (half_life_kimg * 1000.0))
    return Gs.setup_as_moving_average_of(G, beta=beta)


def _lod_assignments(nets, lod):
    return [tf.assign(net.own_vars['lod'], lod) for net in nets if 'lod' in net.own_vars]


def _loss(scope, settings, **args):
    """What the loss function returns: see `_register`."""
    with tf.name_scope(scope):
        return call_func_by_name(**args, **settings.loss_args)


def _register(train_opt, reg_opt, loss_and_reg, net, settings):
    """Register the gradients of a loss and its regularizer on one device.

    `loss_and_reg`: a pair as of StyleGAN2's losses or, as of StyleGAN's, one tensor with the penalties in it.
    """
    loss, reg = loss_and_reg if isinstance(loss_and_reg, tuple) else (loss_and_reg, None)
    if reg is not None and reg_opt is None:
        loss += reg
    elif reg is not None:
        reg_opt.register_gradients(tf.reduce_mean(reg * settings.reg_interval), net.trainables)
    train_opt.register_gradients(tf.reduce_mean(loss), net.trainables)


def _reg_op(reg_opt):
    return tf.no_op() if reg_opt is None else reg_opt.apply_updates(allow_no_op=True)
