"""Runs the training graph: which op when, and what is counted along the way."""

import time

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.util import UserError
from training import dataset


class Trainer:
    """Runs the ops of the training graph in their order and counts."""

    IN_STATE = ('cur_nimg', 'minibatch_counter', 'step', 'prev_lod', 'sched_nimg', 'tick_start_nimg',
                'tick_start_skipped', 'skipped', 'report_due')

    def __init__(self, graph, training_set, num_devices, G_reg_interval, D_reg_interval, cur_nimg, step_in,
                 max_skipped_steps):
        """`G_reg_interval`, `D_reg_interval`: in minibatches; None = no steps for the regularizers alone.
        `step_in`: placeholder of the step from which random numbers follow."""
        self.graph = graph
        self.training_set = training_set
        self.num_devices = num_devices
        self.G_reg_interval = G_reg_interval
        self.D_reg_interval = D_reg_interval
        self.cur_nimg = cur_nimg
        self.step_in = step_in
        self.max_skipped_steps = max_skipped_steps
        self.minibatch_counter = 0
        self.step = 0                    # Session calls up to now.
        self.prev_lod = -1.0             # Of the last iteration.
        self.sched_nimg = cur_nimg       # Images before that, for which its schedule holds.
        self.tick_start_nimg = cur_nimg
        self.tick_start_skipped = 0      # Steps skipped up to then.
        self.skipped = 0                 # Steps skipped up to now.
        self.report_due = False          # Is the tick over, and its report still to come?
        self.feed_dict = {}
        self.after_step = lambda: None   # Called after each session call.
        self.minibatch_seconds = None    # What the last minibatch took; None: it was the first.
        self.nimg_done = cur_nimg        # As cur_nimg, with a share of the minibatch that is under way.
        self._nimg_per_step = 0.0        # That share of each session call.
        self._is_prepared = False        # Has TensorFlow run the steps once?
        self._optimizers = [opt for opt in graph.optimizers if opt is not None and opt.skipped is not None]

    def state(self):
        """What goes into a training state beside variables, for `restore`."""
        return {name: getattr(self, name) for name in self.IN_STATE}

    def restore(self, state):
        """Go on as after `state()`."""
        for name in self.IN_STATE:
            setattr(self, name, state[name])

    def start_tick(self):
        """The last tick has been reported."""
        self.report_due = False
        self.tick_start_nimg = self.cur_nimg
        self.tick_start_skipped = self.skipped

    def skipped_in_tick(self):
        """Steps left out since the tick began, because their gradients were not finite."""
        return self.skipped - self.tick_start_skipped

    def check_skipped_steps(self):
        """Count the steps that were left out. Raise UserError if there were too many in a row."""
        counters = [(opt.skipped.total, opt.skipped.in_a_row) for opt in self._optimizers]
        values = tflib.run(counters)
        self.skipped = int(sum(total for total, _ in values))
        for opt, (_, in_a_row) in zip(self._optimizers, values, strict=True):
            if in_a_row >= self.max_skipped_steps:
                raise UserError(
                    f'{opt.id}: {in_a_row} steps in a row were skipped at {self.cur_nimg / 1000:.1f} kimg, '
                    'because their gradients were not finite (--max-skipped-steps); --resume goes on from '
                    'the last state, or start again with a lower --lrate')

    def iterate(self, sched, minibatch_repeats, reset_opt_for_new_lod):
        """Train by so many minibatches with these settings of the schedule. Raises UserError for damaged data
        and for too many skipped steps."""
        assert sched.minibatch_size % (sched.minibatch_gpu * self.num_devices) == 0
        self.sched_nimg = self.cur_nimg
        if reset_opt_for_new_lod and _new_layers(self.prev_lod, sched.lod):  # moments belong to other layers
            self.graph.G_opt.reset_optimizer_state()
            self.graph.D_opt.reset_optimizer_state()
        self.prev_lod = sched.lod
        self.training_set.configure(sched.minibatch_gpu, sched.lod)
        self.feed_dict = self.graph.inputs.feed(sched)
        for _ in range(minibatch_repeats):
            begin = time.monotonic()
            self.train_minibatch(sched)
            self.minibatch_seconds = time.monotonic() - begin if self._is_prepared else None
            self._is_prepared = True
        self.check_skipped_steps()

    def train_minibatch(self, sched):
        """One update of each network, with regularization where it is due."""
        rounds = sched.minibatch_size // (sched.minibatch_gpu * self.num_devices)
        G_reg = self._due(self.G_reg_interval)
        D_reg = self._due(self.D_reg_interval)
        self.nimg_done = self.cur_nimg
        self._nimg_per_step = sched.minibatch_size / (rounds * (3 + G_reg + D_reg))
        self.cur_nimg += sched.minibatch_size
        self.minibatch_counter += 1
        try:
            if rounds == 1:
                self._single_round(G_reg, D_reg)
            else:
                self._accumulate(rounds, G_reg, D_reg)
        except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
            raise dataset.describe_data_error(error, self.training_set) from error

    def _due(self, interval):
        return interval is not None and self.minibatch_counter % interval == 0

    def _run(self, *ops):
        self.feed_dict[self.step_in] = self.step
        tflib.run(ops, self.feed_dict)
        self.step += 1
        self.nimg_done = min(self.nimg_done + self._nimg_per_step, self.cur_nimg)
        self.after_step()

    def _fetch_data(self, *ops):
        self._run(self.graph.data_fetch, *ops)
        if hasattr(self.training_set, 'advance'):  # classes of users may know nothing of positions
            self.training_set.advance(self.num_devices)

    def _single_round(self, G_reg, D_reg):
        self._run(self.graph.G_train)
        if G_reg:
            self._run(self.graph.G_reg)
        # Not along with D_train, which evaluates G and moves the `dlatent_avg` that is copied here.
        self._fetch_data(self.graph.Gs_update)
        self._run(self.graph.D_train)
        if D_reg:
            self._run(self.graph.D_reg)

    def _accumulate(self, rounds, G_reg, D_reg):
        for _ in range(rounds):
            self._run(self.graph.G_train)
        for _ in range(rounds if G_reg else 0):
            self._run(self.graph.G_reg)
        self._run(self.graph.Gs_update)
        for _ in range(rounds):
            self._fetch_data()
            self._run(self.graph.D_train)
        for _ in range(rounds if D_reg else 0):
            self._run(self.graph.D_reg)


def _new_layers(prev_lod, lod):
    """Has the set of layers in use changed?"""
    return np.floor(lod) != np.floor(prev_lod) or np.ceil(lod) != np.ceil(prev_lod)
