"""The graph of one training iteration: real images, losses, and updates of all networks."""

import contextlib
from dataclasses import dataclass, field

import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.util import construct_class_by_name, paused_gc
from training import misc
from training.augmentation.controller import AdaptiveAugment
from training.data.mirroring import mirror_at_random
from training.loop import losses


@dataclass(frozen=True)
class LossSettings:
    """How a network is trained."""
    loss_args: dict    # For the loss function, `func_name` included, unless one serves both networks.
    opt_args: dict     # For the optimizer.
    reg_interval: int  # Minibatches from one step of the regularizer to the next, if it has its own steps.
    optimizer: type = tflib.Optimizer


@dataclass(frozen=True)
class GraphSettings:
    """How both networks are trained, on which images."""
    G: LossSettings
    D: LossSettings
    lazy_regularization: bool  # Whether regularizers have their own steps.
    mirror_augment: bool       # Whether real images are mirrored at random.
    drange_net: list           # Value range of the images inside the networks.
    G_smoothing_kimg: float    # Half-life of the average of the generator's weights. 0 = none.
    G_smoothing_rampup: float | None = None           # Its largest share of the images so far. None = any.
    loss_args: dict = field(default_factory=dict)     # For one loss function of both. {} = one for each.
    augment_args: dict = field(default_factory=dict)  # Of the AdaptiveAugment, `class_name` included.


@dataclass(frozen=True)
class TrainInputs:
    """Placeholders that are fed at every step."""
    lod: tf.Tensor             # Level of detail, float32 [].
    G_lrate: tf.Tensor         # Learning rate of the generator, float32 [].
    D_lrate: tf.Tensor         # Learning rate of the discriminator, float32 [].
    minibatch_size: tf.Tensor  # Global minibatch, int32 [].
    minibatch_gpu: tf.Tensor   # Images that a device processes at a time, int32 [].
    nimg: tf.Tensor            # Images shown before the iteration, float32 [].
    step: tf.Tensor            # Session calls so far, from which random numbers follow, int64 [].
    fetch_step: tf.Tensor      # `step` of the `data_fetch` that takes what `data_put` puts, int64 [].

    def feed(self, sched):
        """Return the feed_dict for these settings of the schedule, without `nimg` and steps."""
        return {self.lod: sched.lod, self.G_lrate: sched.G_lrate, self.D_lrate: sched.D_lrate,
                self.minibatch_size: sched.minibatch_size, self.minibatch_gpu: sched.minibatch_gpu}


@dataclass(frozen=True)
class TrainGraph:
    """Ops of one training iteration, and the variables of the whole graph.

    `data_put` copies the next minibatch to the devices, in any session call before `data_fetch`, which makes
    it that of D. No other op waits for the data set.
    """
    inputs: TrainInputs
    G_opt: tflib.Optimizer
    D_opt: tflib.Optimizer
    G_train: tf.Operation
    G_reg: tf.Operation
    D_train: tf.Operation
    D_reg: tf.Operation
    data_put: tf.Operation
    data_fetch: tf.Operation
    Gs_update: tf.Operation
    augment: AdaptiveAugment | None = None
    alternates: bool = False                    # Do rounds of loss and regularizer take turns?
    G_reg_interval: int | None = None           # Minibatches from one G_reg to the next. None = never.
    D_reg_interval: int | None = None           # Likewise from one D_reg to the next.
    optimizers: tuple = ()                      # All optimizers.
    variables: tuple = ()                       # All variables of the graph.
    state_variables: tuple = ()                 # Those that a training state contains.
    copies: dict = field(default_factory=dict)  # {variable: a state variable with always the same value}


def process_reals(x, labels, lod, mirror_augment, drange_data, drange_net):
    """Convert real images to what the networks take at a level of detail (Progressive GAN, Section 2).

    x uint8 [N,C,H,W] of level l = floor(lod), labels [N,L], lod float32 []
    -> x float32 [N,C,H*2^l,W*2^l] in `drange_net`, labels. Mirroring is drawn anew at every evaluation.
    """
    level = tf.floor(lod)
    x = tf.cast(x, tf.float32)
    if mirror_augment:
        x = mirror_at_random(x)
    x = misc.adjust_dynamic_range(x, drange_data, drange_net)
    x = _fade_out_details(x, lod - level)
    return _enlarge(x, tf.cast(2 ** level, tf.int32)), labels


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
        return tf.cond(amount > 0, blended, lambda: x)  # in most steps, nothing fades


def _enlarge(x, factor):
    """Repeat pixels: x [N,C,H,W], factor int32 [] -> [N,C,H*factor,W*factor]."""
    with tf.name_scope('Enlarge'):
        rows = tf.repeat(x, factor, axis=3)
        return tf.repeat(rows, factor, axis=2)  # whole rows are copied


@paused_gc()
def build_train_graph(G, D, Gs, training_set, settings, phases, cluster=None, seed=None):
    """Build the ops of a training iteration and initialize their variables. -> TrainGraph.

    G, D and Gs are on the first device. `settings`: GraphSettings. `phases`: the schedule at every resolution
    that will be trained, each with `minibatch_size` and `minibatch_gpu`. `cluster`: of the processes that
    train together; None = one process with one device. `seed`: integer from which, with `inputs.step`, all
    random numbers follow; None = they are different every time.
    """
    cluster = cluster or tflib.Cluster()
    inputs = make_inputs()
    with contextlib.nullcontext() if seed is None else tflib.random.counted(seed, inputs.step):
        graph = _build(inputs, G, D, Gs, training_set, settings, phases, cluster)
    tflib.init_uninitialized_vars()
    return graph


def make_inputs():
    """Return new TrainInputs."""
    with tf.name_scope('Inputs'), tf.device('/cpu:0'):
        step = tf.placeholder(tf.int64, [], 'step_in')
        return TrainInputs(
            lod=tf.placeholder(tf.float32, [], 'lod_in'),
            G_lrate=tf.placeholder(tf.float32, [], 'G_lrate_in'),
            D_lrate=tf.placeholder(tf.float32, [], 'D_lrate_in'),
            minibatch_size=tf.placeholder(tf.int32, [], 'minibatch_size_in'),
            minibatch_gpu=tf.placeholder(tf.int32, [], 'minibatch_gpu_in'),
            nimg=tf.placeholder_with_default(0.0, [], 'nimg_in'),
            step=step,
            fetch_step=tf.placeholder_with_default(step, [], 'fetch_step_in'))


def _build(inputs, G, D, Gs, training_set, settings, phases, cluster):
    accumulate = any(phase.minibatch_size > phase.minibatch_gpu * cluster.num_devices for phase in phases)
    rounds = inputs.minibatch_size // (inputs.minibatch_gpu * cluster.num_devices) if accumulate else None
    make_optimizers = _lazy_optimizers if settings.lazy_regularization else _plain_optimizers
    G_opt, G_reg_opt = make_optimizers('G', settings.G, inputs.G_lrate, rounds, cluster)
    D_opt, D_reg_opt = make_optimizers('D', settings.D, inputs.D_lrate, rounds, cluster)

    # A number if only one occurs: with known shapes the graph is smaller.
    sizes = {phase.minibatch_gpu for phase in phases}
    minibatch_gpu = min(sizes) if len(sizes) == 1 else inputs.minibatch_gpu

    # Device i gets the i-th minibatch of an iteration, in every run. A data set that cannot be shared brings
    # those of other processes, too, and they are skipped.
    is_shared = cluster.is_alone or training_set.take_share(
        cluster.first_device, cluster.num_gpus, cluster.num_devices)
    num_before = 0 if is_shared else cluster.first_device
    num_after = 0 if is_shared else cluster.num_devices - cluster.first_device - cluster.num_gpus
    fetched = _skip_minibatches(training_set, num_before, [], inputs.fetch_step)
    augment = construct_class_by_name(**settings.augment_args) if settings.augment_args else None
    put_ops, fetch_ops, held, copies, D_gpus = [], [], [], {}, []
    for gpu in range(cluster.num_gpus):
        device = cluster.first_device + gpu
        G_gpu, D_gpu = (G, D) if gpu == 0 else _clones(gpu, device, G, D, copies)
        D_gpus.append(D_gpu)
        with tflib.absolute_name_scope(f'GPU{device}'), tflib.device(gpu), tflib.random.tower(device):
            with tf.name_scope('DataFetch'):
                fetched = _next_minibatch(training_set, fetched, inputs.fetch_step)
                put_op, arrived = _put_on_device(fetched)
                reals_in = process_reals(*arrived, inputs.lod, settings.mirror_augment,
                                         training_set.dynamic_range, settings.drange_net)
                reals, labels, fetch_op, held_here = _hold_images(
                    *reals_in, training_set, max(sizes), minibatch_gpu)
                put_ops.append(put_op)
                fetch_ops.append(fetch_op)
                held += held_here
            with tf.control_dependencies(_lod_assignments([G_gpu, D_gpu], inputs.lod)):
                G_loss, D_loss = losses.build(settings, G_gpu, D_gpu, augment, training_set, minibatch_gpu,
                                              reals, labels, G_opt, D_opt)
            _register(G_opt, G_reg_opt, *G_loss, G_gpu, settings.G)
            _register(D_opt, D_reg_opt, *D_loss, D_gpu, settings.D)
    if augment is not None:
        augment.join(cluster)
        augment.init_validation_set(D_gpus, training_set)
    put_ops += [
        tensor.op for tensor in _skip_minibatches(training_set, num_after, fetched, inputs.fetch_step)]

    G_train, G_reg = G_opt.apply_updates(), _reg_op(G_reg_opt)
    D_train, D_reg = D_opt.apply_updates(), _reg_op(D_reg_opt)
    Gs_update = _average(Gs, G, inputs, settings.G_smoothing_kimg, settings.G_smoothing_rampup)
    optimizers = [opt for opt in (G_opt, G_reg_opt, D_opt, D_reg_opt) if opt is not None and opt.skipped]
    for opt in optimizers:
        copies.update(opt.copies())
    variables = tf.global_variables()
    set_again = {*copies, *held, *training_set.variables}
    return TrainGraph(
        inputs, G_opt, D_opt, G_train, G_reg, D_train, D_reg, tf.group(*put_ops), tf.group(*fetch_ops),
        Gs_update, augment, alternates=bool(settings.loss_args),
        G_reg_interval=None if G_reg_opt is None else settings.G.reg_interval,
        D_reg_interval=None if D_reg_opt is None else settings.D.reg_interval,
        optimizers=tuple(optimizers), variables=tuple(variables), copies=copies,
        state_variables=tuple(var for var in variables if var not in set_again))


def _clones(gpu, device, G, D, copies):
    """Return copies of both networks for another device, and add {variable: that of the original} to
    `copies`."""
    with tf.name_scope(f'GPU{device}'), tflib.device(gpu):  # not in the tower: originals were not, either
        clones = [net.clone(net.name + '_shadow') for net in (G, D)]
    for clone, original in zip(clones, (G, D), strict=True):
        copies.update((var, original.trainables[name]) for name, var in clone.trainables.items())
    return clones


def _skip_minibatches(training_set, count, fetched, step):
    """Take `count` minibatches after `fetched`, the tensors of the one before. -> those of the last one."""
    for _ in range(count):
        with tf.name_scope('DataSkip'):
            fetched = _next_minibatch(training_set, fetched, step)
    return fetched


def _next_minibatch(training_set, fetched, step):
    """Return images and labels, taken after the tensors of the minibatch before. What the data set draws
    follows from `step`, when they are used."""
    with tf.control_dependencies(fetched), tflib.random.at_step(step):
        return training_set.get_minibatch_tf()


def _put_on_device(fetched):
    """Keep a minibatch on the current device until it is needed. -> op that puts it there, tensors of what is
    there.

    Images are still bytes, and as small as the level of detail has them. Resource variables take these on
    GPUs, which others do not. They are no part of a training state: an iteration fetches all that it puts.
    """
    put_ops, arrived = [], []
    for name, value in zip(('next_images', 'next_labels'), fetched, strict=True):
        with tf.control_dependencies(None):
            var = tf.Variable(tf.zeros([0], value.dtype), trainable=False, name=name, use_resource=True,
                              shape=tf.TensorShape(None), collections=[tf.GraphKeys.LOCAL_VARIABLES])
        put_ops.append(var.assign(value).op)
        there = var.read_value()
        there.set_shape(value.shape)
        arrived.append(there)
    return tf.group(*put_ops), arrived


def _plain_optimizers(name, settings, lrate, rounds, cluster):
    """Make one optimizer for the sum of loss and regularizer."""
    args = dict(settings.opt_args, minibatch_multiplier=rounds, learning_rate=lrate, cluster=cluster)
    return settings.optimizer(name=f'Train{name}', **args), None


def _lazy_optimizers(name, settings, lrate, rounds, cluster):
    """Make an optimizer for the loss and one for the regularizer, which share their state.

    With the regularizer, an interval has one update more: learning rate and betas are adjusted to keep the
    pace (StyleGAN2, Appendix B).
    """
    c = settings.reg_interval / (settings.reg_interval + 1)
    args = dict(settings.opt_args, minibatch_multiplier=rounds, learning_rate=lrate * c, cluster=cluster)
    args.update((beta, args[beta] ** c) for beta in ('beta1', 'beta2') if beta in args)
    train_opt = settings.optimizer(name=f'Train{name}', **args)
    return train_opt, settings.optimizer(name=f'Reg{name}', share=train_opt, **args)


def _hold_images(new_reals, new_labels, training_set, max_minibatch_gpu, minibatch_gpu):
    """Keep real images in variables, so that every loss of an iteration sees the same ones.

    -> reals [minibatch_gpu,C,H,W], labels [minibatch_gpu,L], the op that replaces them by new ones, the
    variables. These hold `max_minibatch_gpu` images; those after the current minibatch are unused.
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


def _average(Gs, G, inputs, half_life_kimg, rampup):
    """Make the op that moves Gs towards G by one minibatch. With a half-life of 0, Gs becomes G."""
    beta = 0.0
    if half_life_kimg > 0:
        half_life = half_life_kimg * 1000.0
        if rampup is not None:  # so that first images do not count for long in a short training
            half_life = tf.maximum(tf.minimum(half_life, inputs.nimg * rampup), 1e-8)
        beta = 0.5 ** (tf.cast(inputs.minibatch_size, tf.float32) / half_life)
    return Gs.setup_as_moving_average_of(G, beta=beta)


def _lod_assignments(nets, lod):
    return [tf.assign(net.own_vars['lod'], lod) for net in nets if 'lod' in net.own_vars]


def _register(train_opt, reg_opt, loss, reg, net, settings):
    """Register the gradients of a loss and its regularizer, None = none, on one device."""
    if reg is not None and reg_opt is None:
        loss += reg
    elif reg is not None:
        reg_opt.register_gradients(tf.reduce_mean(reg * settings.reg_interval), net.trainables)
    train_opt.register_gradients(tf.reduce_mean(loss), net.trainables)


def _reg_op(reg_opt):
    return tf.no_op() if reg_opt is None else reg_opt.apply_updates(allow_no_op=True)
