"""Projector: finds dlatents and noise of images by optimization (StyleGAN2, section 5 and appendix D)."""

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.progress import Progress
from dnnlib.util import EasyDict, UserError, paused_gc
from latents import noise as noise_of
from latents.projection import noise_maps, schedule, w_statistics
from latents.projection.distances import FEATURES
from metrics import sampling
from training.layers.synthesis_inputs import given_noise

MAX_SIZE = 256  # Larger images are averaged down before they are compared.


class Projector:
    """Projects images into W or, with `space` = 'w+', into a W of its own for every layer.

    Set attributes first, then call `set_network` once, and `run` or `start` and `step` for every minibatch
    of images: they share the graph. Nothing but dlatents and noise is trained.
    """

    def __init__(self):
        self.num_steps = 1000
        self.dlatent_avg_samples = 10000
        self.initial_learning_rate = 0.1
        self.initial_noise_factor = 0.05    # In standard deviations of W.
        self.lr_rampdown_length = 0.25      # This and the other lengths are parts of the projection.
        self.lr_rampup_length = 0.05
        self.noise_ramp_length = 0.75
        self.regularize_noise_weight = 1e5
        self.verbose = False
        self.clone_net = True               # Optimize the noise of a copy of the network?
        self.features = 'lpips'             # What is compared: a key of distances.FEATURES.
        self.space = 'w'                    # 'w' or 'w+'
        self._Gs = None

    @property
    def cur_step(self):
        """Number of steps since the start."""
        return self.get_cur_step()

    @property
    def dlatents(self):
        """Dlatents, as of `get_dlatents`."""
        return self.get_dlatents()

    @property
    def noises(self):
        """Noise images, as of `get_noises`."""
        return self.get_noises()

    @property
    def images_float(self):
        """Images, as of `get_images`."""
        return self.get_images()

    @property
    def images_uint8(self):
        """Images, uint8 [N,H,W,C]."""
        return tflib.run(self._images_uint8)

    @property
    def minibatch_size(self):
        """Number of images that are projected together."""
        return self._dlatents_var.shape.as_list()[0]

    def set_network(self, Gs, minibatch_size=1):
        """Build the graph for a generator, None = forget the last one. minibatch_size: number of images that
        are projected together, with the same results as alone.

        Raises UserError for a generator without W, and if the features cannot be computed.
        """
        self._Gs = Gs
        if Gs is None:
            return
        if 'mapping' not in Gs.components:
            raise UserError(f'{Gs.name}: this network maps no latents to W, into which images are projected')
        self._statistics = {}  # {label as bytes: (mean, standard deviation)}
        with paused_gc():
            self._build(Gs, minibatch_size)
        self._info('Building the graph: done')

    def _build(self, Gs, minibatch_size):
        own_noise = noise_of.variables(Gs)
        with tflib.device(0) if self.clone_net or not own_noise else tf.device(own_noise[0].device):
            if self.clone_net:
                self._Gs = Gs = Gs.clone()
            num_layers, dlatent_size = Gs.components.synthesis.input_shape[1:]
            rows = num_layers if self.space == 'w+' else 1
            shape = [minibatch_size, rows, dlatent_size]
            self._dlatents_var = tf.Variable(tf.zeros(shape), trainable=False, name='dlatents_var')
            self._noise_in = tf.placeholder_with_default(tf.zeros(shape), shape, name='noise_in')
            dlatents = self._dlatents_var + self._noise_in
            self._dlatents = tf.broadcast_to(dlatents, [minibatch_size, num_layers, dlatent_size])
            self._noise_vars, self._images = _synthesis(Gs, self._dlatents)
            self._images_uint8 = tflib.convert_images_to_uint8(self._images, nchw_to_nhwc=True)
            self._build_distance()
            penalty = tf.add_n([noise_maps.penalty(var) for var in self._noise_vars] or [tf.zeros([])])
            self._loss = tf.reduce_sum(self._dist) + self.regularize_noise_weight * penalty
            self._build_step()
        tflib.init_uninitialized_vars([self._dlatents_var, *self._noise_vars, *self._targets])

    def _build_distance(self):
        distance = FEATURES[self.features]()
        images = sampling.shrink_to((self._images + 1) * (255 / 2), MAX_SIZE)  # [-1,1] -> [0,255]
        self._target_in = tf.placeholder(tf.float32, images.shape, name='target_images')
        described = distance.describe(self._target_in)
        self._targets = [tf.Variable(tf.zeros(x.shape), trainable=False, name='target') for x in described]
        self._set_targets = tf.group(*map(tf.assign, self._targets, described))
        self._dist = distance.between(distance.describe(images), self._targets)

    def _build_step(self):
        variables = [self._dlatents_var, *self._noise_vars]
        self._lrate_in = tf.placeholder(tf.float32, [], name='lrate_in')
        self._optimizer = tflib.Optimizer(name='Project', learning_rate=self._lrate_in)
        self._optimizer.register_gradients(self._loss, variables)
        with tf.control_dependencies([self._optimizer.apply_updates()]):
            self._step_op = tf.group(*[
                tf.assign(var, noise_maps.normalized(var.read_value())) for var in self._noise_vars])

    def start(self, target_images, labels=None, seeds=None):
        """Begin with images [N,C,H,W], float32 in the range -1 to 1. Larger ones are averaged down.

        labels: [N,label_size], for networks that were trained with labels: W is measured and begins at the
        mean of these; None = zeros, as published. seeds: [N] numbers from which all random numbers follow,
        None = drawn from NumPy's global generator.
        """
        assert self._Gs is not None, 'set_network() comes first'
        targets = _fitted(target_images, self._target_in.shape.as_list())
        seeds = np.random.randint(1 << 31, size=self.minibatch_size) if seeds is None else seeds
        self._seeds = [int(seed) for seed in seeds]
        statistics = [self._statistics_of(label) for label in labels] if labels is not None else [
            self._statistics_of(None)] * self.minibatch_size
        means, stds = zip(*statistics, strict=True)
        self._dlatent_std = np.float32(stds).reshape(-1, 1, 1)
        dlatents = np.broadcast_to(np.stack(means), self._dlatents_var.shape)
        tflib.run(self._set_targets, {self._target_in: targets})
        self._optimizer.reset_optimizer_state()
        random = [self._random(image, 0) for image in range(self.minibatch_size)]
        noises = [np.stack([rnd.standard_normal(var.shape[1:]) for rnd in random])
                  for var in self._noise_vars]
        tflib.set_vars({self._dlatents_var: dlatents, **dict(zip(self._noise_vars, noises, strict=True))})
        self._cur_step = 0

    def _random(self, image, step):
        """Return the generator of an image's random numbers: step 0 = its noise, t + 1 = those of step t."""
        return np.random.default_rng([self._seeds[image], step])

    def _statistics_of(self, label):
        key = None if label is None else np.float32(label).tobytes()
        if key not in self._statistics:
            self._info('Finding the mean and standard deviation of W using %d samples...'
                       % self.dlatent_avg_samples)
            self._statistics[key] = w_statistics.measure(self._Gs, self.dlatent_avg_samples, label)
            self._info('std = %g' % self._statistics[key][1])
        return self._statistics[key]

    def step(self):
        """Make an optimization step. -> distances [N] and the loss, both before the step."""
        assert self._Gs is not None
        if self._cur_step == 0:
            self._info('%-8s%-12s%-12s' % ('Step', 'Dist', 'Loss'))
        t = self._cur_step / self.num_steps
        factor = schedule.noise_factor(t, self.initial_noise_factor, self.noise_ramp_length)
        random = [self._random(image, self._cur_step + 1) for image in range(self.minibatch_size)]
        normal = np.stack([rnd.standard_normal(self._noise_in.shape[1:]) for rnd in random])
        feed = {self._noise_in: normal * self._dlatent_std * factor,
                self._lrate_in: schedule.learning_rate(
                    t, self.initial_learning_rate, self.lr_rampup_length, self.lr_rampdown_length)}
        _, dist, loss = tflib.run([self._step_op, self._dist, self._loss], feed)
        self._cur_step += 1
        if self._cur_step == self.num_steps or self._cur_step % 10 == 0:
            self._info('%-8d%-12g%-12g' % (self._cur_step, float(np.sum(dist)), float(loss)))
        return dist, float(loss)

    def run(self, target_images, **kwargs):
        """Project images; the arguments are those of `start`. -> EasyDict of dlatents, noises, images."""
        self.start(target_images, **kwargs)
        progress = Progress(self.num_steps, 'steps', title='Projecting')
        while self._cur_step < self.num_steps:
            self.step()
            progress.show(self._cur_step)
        progress.clear()
        return EasyDict(dlatents=self.get_dlatents(), noises=self.get_noises(), images=self.get_images())

    def get_cur_step(self):
        """Return the number of steps since the start."""
        return self._cur_step

    def get_dlatents(self):
        """Return dlatents, float32 [N,layers,dlatent_size]."""
        return tflib.run(self._dlatents)

    def get_noises(self):
        """Return the noise images, list of float32 [N,1,H,W], coarsest first."""
        return tflib.run(self._noise_vars)

    def get_images(self):
        """Return the images that the dlatents and noises make, float32 [N,C,H,W], range -1 to 1."""
        return tflib.run(self._images)

    def get_state(self):
        """Return {name: array}, with which `set_state` continues a projection that has been started."""
        arrays = tflib.run(self._state_vars())
        return {'step': np.int64(self._cur_step), **{f'{idx}': array for idx, array in enumerate(arrays)}}

    def set_state(self, state):
        """Continue where `get_state` was called, with the same images, labels, seeds and attributes.

        Raises ValueError for the state of another network.
        """
        variables = self._state_vars()
        if len(state) != len(variables) + 1:
            raise ValueError('state of another network')
        tflib.set_vars({var: state[f'{idx}'] for idx, var in enumerate(variables)})
        self._cur_step = int(state['step'])

    def _state_vars(self):
        return [self._dlatents_var, *self._noise_vars, *self._optimizer.variables()]

    def _info(self, text):
        if self.verbose:
            print('Projector:', text)


def _synthesis(Gs, dlatents):
    """Return noise variables [N,1,H,W] and the images that they and dlatents [N,layers,dlatent_size] make.

    A single image has the variables of the network itself, so that they work with networks of any source.
    """
    synthesis, shared = Gs.components.synthesis, noise_of.variables(Gs)
    kwargs = {'num_fp16_res': 0} if 'num_fp16_res' in synthesis.static_kwargs else {}
    num_images = dlatents.shape.as_list()[0]
    if num_images == 1:
        images = synthesis.get_output_for(dlatents, randomize_noise=False, **kwargs)
        return shared, tf.cast(images, tf.float32)
    own = [tf.Variable(tf.zeros([num_images, *var.shape.as_list()[1:]]), trainable=False, name='noise')
           for var in shared]
    try:
        with given_noise(own):
            images = synthesis.get_output_for(dlatents, randomize_noise=False, **kwargs)
    except LookupError as error:
        raise UserError(f'{Gs.name}: {error}, which several images at once need; use --minibatch-size=1'
                        ) from error
    return own, tf.cast(images, tf.float32)


def _fitted(images, shape):
    """Return images [N,C,H,W], range -1 to 1, in the range 0 to 255 and averaged to a smaller shape."""
    images = (np.asarray(images, np.float32) + 1) * (255 / 2)
    assert images.ndim == 4 and images.shape[:2] == tuple(shape[:2]), (images.shape, shape)
    factor = images.shape[2] // shape[2]
    blocks = images.reshape(*shape[:3], factor, shape[3], factor)  # [N,C,H*f,W*f] -> [N,C,H,f,W,f]
    return blocks.mean(axis=(3, 5))
