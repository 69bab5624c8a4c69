"""Runs the ops of the training graph in their order, and counts."""

import time
from dataclasses import dataclass

import numpy as np

import dnnlib.tflib as tflib
from dnnlib.util import UserError
from training.data.stream_dataset import READ_ERRORS
from training.loop.steps import Steps


@dataclass(frozen=True)
class LoopSettings:
    """Where training starts and ends, and what happens between iterations."""
    total_kimg: float
    resume_kimg: float
    minibatch_repeats: int         # Minibatches of an iteration, which has one schedule.
    reset_opt_for_new_lod: bool
    max_skipped_steps: int


class Trainer:
    """Trains by iterations. Counts images, ticks and steps, which are part of a training state."""

    IN_STATE = ('cur_nimg', 'minibatch_counter', 'step', 'prev_lod', 'sched_nimg', 'tick_start_nimg',
                'tick_start_skipped', 'skipped', 'report_due')

    def __init__(self, graph, training_set, schedule, num_devices, settings):
        """`schedule`: function from images shown to the settings in force. `settings`: LoopSettings."""
        self.graph = graph
        self._steps = Steps(graph)
        self.augment = graph.augment
        self.training_set = training_set
        self.schedule = schedule
        self.num_devices = num_devices
        self.settings = settings
        self.total_nimg = settings.total_kimg * 1000
        self.cur_nimg = int(settings.resume_kimg * 1000)
        self.sched_nimg = self.cur_nimg  # Images before the last iteration, for which its schedule holds.
        self.minibatch_counter = 0
        self.step = 0                    # Session calls; random numbers follow from it.
        self.prev_lod = -1.0             # Of the last iteration.
        self.skipped = 0                 # Steps skipped so far.
        self.cur_tick = -1               # The last tick that has been reported.
        self.tick_start_nimg = self.cur_nimg
        self.tick_start_skipped = 0
        self.report_due = False          # Whether the tick has ended and has not been reported.
        self.feed_dict = {}
        self.after_step = lambda: None   # Called after each session call.
        self.minibatch_seconds = None    # Duration of the last minibatch; None after the slow first one,
                                         # and after others in which something was compiled.
        self.nimg_done = self.cur_nimg   # As cur_nimg, with a share of the minibatch in progress.
        self._nimg_per_step = 0.0        # That share for each session call.
        self._is_prepared = False        # Whether TensorFlow has run the steps once.

    def state(self):
        """Return the counters for a training state."""
        state = {name: getattr(self, name) for name in self.IN_STATE}
        return state if self.augment is None else {**state, 'augment': self.augment.state()}

    def restore(self, content):
        """Continue with the counters and the position in the data of a training state."""
        for name in self.IN_STATE:
            setattr(self, name, content['trainer'][name])
        if self.augment is not None:
            self.augment.restore(content['trainer']['augment'])
        self.cur_tick = content['reporter']['cur_tick']
        self.training_set.restore(content['data'])

    @property
    def sched(self):
        """Settings of the schedule in the last iteration."""
        return self.schedule(self.sched_nimg)

    @property
    def is_done(self):
        """Whether enough images have been shown."""
        return self.cur_nimg >= self.total_nimg

    @property
    def tick_kimg(self):
        """Thousands of images in this tick."""
        return (self.cur_nimg - self.tick_start_nimg) / 1000

    def start_tick(self):
        """Start the next tick, when the last one has been reported."""
        self.cur_tick += 1
        self.report_due = False
        self.tick_start_nimg = self.cur_nimg
        self.tick_start_skipped = self.skipped
        if self.augment is not None:
            self.augment.start_tick()

    def iterate(self):
        """Train on `minibatch_repeats` minibatches with one schedule. Raises UserError for damaged data and
        for too many skipped steps."""
        self.sched_nimg = self.cur_nimg
        sched = self.sched
        assert sched.minibatch_size % (sched.minibatch_gpu * self.num_devices) == 0
        if self.settings.reset_opt_for_new_lod and _new_layers(self.prev_lod, sched.lod):
            self.graph.G_opt.reset_optimizer_state()  # the moments belong to other layers
            self.graph.D_opt.reset_optimizer_state()
        self.prev_lod = sched.lod
        self.training_set.configure(sched.minibatch_gpu, sched.lod)
        self.feed_dict = {**self.graph.inputs.feed(sched), self.graph.inputs.nimg: self.cur_nimg}
        for _ in range(self.settings.minibatch_repeats):
            begin, num_compiled = time.monotonic(), self._steps.num_compiled
            self.train_minibatch(sched)
            is_usual = self._is_prepared and self._steps.num_compiled == num_compiled
            self.minibatch_seconds = time.monotonic() - begin if is_usual else None
            self._is_prepared = True
        if self.augment is not None:
            self.augment.tune(sched.minibatch_size * self.settings.minibatch_repeats)
        self.check_skipped_steps()
        tick_nimg = self.cur_nimg - self.tick_start_nimg
        self.report_due = self.cur_tick < 0 or tick_nimg >= sched.tick_kimg * 1000 or self.is_done

    def check_skipped_steps(self):
        """Count the skipped steps. Raises UserError if there were too many in a row."""
        optimizers = self.graph.optimizers
        values = tflib.run([(opt.skipped.total, opt.skipped.in_a_row) for opt in optimizers])
        self.skipped = int(sum(total for total, _ in values))
        for opt, (_, in_a_row) in zip(optimizers, values, strict=True):
            if in_a_row >= self.settings.max_skipped_steps:
                raise UserError(
                    f'{opt.id}: {in_a_row} steps in a row were skipped at {self.cur_nimg / 1000:.1f} kimg '
                    'because their gradients were not finite (--max-skipped-steps); --resume continues from '
                    'the last state, or start again with a lower --lrate')

    def train_minibatch(self, sched):
        """Update each network once, and run its regularizer if that is due."""
        rounds = sched.minibatch_size // (sched.minibatch_gpu * self.num_devices)
        G_reg = self._due(self.graph.G_reg_interval)
        D_reg = self._due(self.graph.D_reg_interval)
        self.nimg_done = self.cur_nimg
        self._nimg_per_step = sched.minibatch_size / (rounds * (3 + G_reg + D_reg))
        self.cur_nimg += sched.minibatch_size
        self.minibatch_counter += 1
        try:
            self._run_all(session_calls(self.graph, rounds, G_reg, D_reg))
        except READ_ERRORS as error:
            raise self.training_set.describe_error(error) from error
        if self.augment is not None:
            self._validate(sched.minibatch_size)

    def _validate(self, minibatch_size):
        self.augment.run_validation(minibatch_size, {**self.feed_dict, self.graph.inputs.step: self.step})
        self.step += 1

    def _due(self, interval):
        return interval is not None and self.minibatch_counter % interval == 0

    def _run(self, *ops):
        self.feed_dict[self.graph.inputs.step] = self.step
        self._steps.run(ops, self.feed_dict, self.sched)
        self.step += 1
        self.nimg_done = min(self.nimg_done + self._nimg_per_step, self.cur_nimg)
        self.after_step()

    def _run_all(self, calls):
        """Run session calls, each a list of ops. While the first one computes, and the one after each
        `data_fetch`, the next minibatch is put on the devices. None stays there for the next iteration."""
        graph = self.graph
        fetches = [index for index, ops in enumerate(calls) if graph.data_fetch in ops]
        fetch_after_put = dict(zip([0, *(index + 1 for index in fetches)], fetches, strict=False))
        for index, ops in enumerate(calls):
            if index in fetch_after_put:
                self.feed_dict[graph.inputs.fetch_step] = self.step + fetch_after_put[index] - index
                ops = [*ops, graph.data_put]
            self._run(*ops)
            if index in fetches:
                self.training_set.advance(self.num_devices)


def session_calls(graph, rounds, G_reg, D_reg):
    """Return the session calls of a minibatch in their order, as lists of ops. G_reg, D_reg: is it due?"""
    G_ops = _in_rounds(rounds, graph.G_train, graph.G_reg if G_reg else None, graph.alternates)
    D_ops = _in_rounds(rounds, graph.D_train, graph.D_reg if D_reg else None, graph.alternates)
    # The average is not moved together with D_train, which evaluates G and moves the `dlatent_avg` that is
    # copied then.
    if rounds == 1:
        return [*([op] for op in G_ops), [graph.data_fetch, graph.Gs_update], *([op] for op in D_ops)]
    calls = [*([op] for op in G_ops), [graph.Gs_update]]
    for op in D_ops:
        calls += [[graph.data_fetch], [op]] if op is graph.D_train else [[op]]
    return calls


def _in_rounds(rounds, train, reg, alternates):
    """Return the ops of an update in their order. reg: None if the regularizer is not due."""
    regs = [] if reg is None else [reg]
    return [train, *regs] * rounds if alternates else [train] * rounds + regs * rounds


def _new_layers(prev_lod, lod):
    """Return whether the set of layers in use has changed."""
    return np.floor(lod) != np.floor(prev_lod) or np.ceil(lod) != np.ceil(prev_lod)
