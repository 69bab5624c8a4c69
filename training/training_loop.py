"""The training loop: sets up networks, data and logs, then iterates until enough images have been shown."""

import functools
import os

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib
import dnnlib.tflib as tflib
from dnnlib import workers
from dnnlib.progress import Progress
from dnnlib.util import UserError
from metrics import metric_base
from training import dataset, faults, follower, interruption, misc, training_state
from training.reporting import Reporter, SnapshotGrid
from training.schedule import training_schedule
from training.state_keeper import StateKeeper
from training.train_graph import LossSettings, build_train_graph, process_reals

# Arguments that may differ between the workers of a run: what lies where, and what the first one alone does.
OWN_SETTINGS = (
    'data_dir', 'grid_args', 'metric_arg_list', 'image_snapshot_ticks', 'network_snapshot_ticks',
    'snapshot_kimg', 'save_tf_graph', 'save_weight_histograms', 'resume_pkl', 'resume_time', 'resume_state',
    'keep_states', 'state_kimg')

__all__ = ['process_reals', 'training_loop', 'training_schedule']


@tflib.cluster.membership()
@faults.described()
def training_loop(
    G_args                  = {},       # Arguments of the generator.
    D_args                  = {},       # Arguments of the discriminator.
    G_opt_args              = {},       # Arguments of the generator's optimizer.
    D_opt_args              = {},       # Arguments of the discriminator's optimizer.
    G_loss_args             = {},       # Arguments of the generator's loss.
    D_loss_args             = {},       # Arguments of the discriminator's loss.
    dataset_args            = {},       # Arguments of dataset.load_dataset().
    sched_args              = {},       # Arguments of training_schedule().
    grid_args               = {},       # Arguments of misc.setup_snapshot_image_grid().
    metric_arg_list         = [],       # Arguments of each metric.
    tf_config               = {},       # Settings of tflib.init_tf().
    data_dir                = None,     # Folder that holds the data sets.
    G_smoothing_kimg        = 10.0,     # Half-life of the average of the generator's weights. 0 = none.
    minibatch_repeats       = 4,        # Minibatches between two looks at the schedule.
    lazy_regularization     = True,     # Regularize in steps of their own?
    G_reg_interval          = 4,        # Minibatches between regularizations of the generator.
    D_reg_interval          = 16,       # Minibatches between regularizations of the discriminator.
    reset_opt_for_new_lod   = True,     # Reset the optimizers when new layers come in?
    total_kimg              = 25000,    # Length of the training, in thousands of real images shown.
    mirror_augment          = False,    # Mirror real images at random?
    drange_net              = [-1,1],   # Value range of the images inside the networks.
    image_snapshot_ticks    = 50,       # Ticks between pictures of generated images. None = never.
    network_snapshot_ticks  = 50,       # Ticks between network pickles. None = never.
    save_tf_graph           = False,    # Write the graph into the TensorBoard file?
    save_weight_histograms  = False,    # Write histograms of the weights into the TensorBoard file?
    resume_pkl              = None,     # Network pickle (G, D, Gs) to go on from. None = start afresh.
    resume_kimg             = 0.0,      # Progress to start from; matters for the schedule.
    resume_time             = 0.0,      # Seconds to add to the reported time.
    resume_with_new_nets    = False,    # Build new networks and copy what fits from resume_pkl?
    use_noise               = True,     # False = the noise inputs of the generator are zero.
    snapshot_kimg           = None,     # Thousands of images between snapshots, instead of so many ticks.
    resume_state            = None,     # Training state to go on from, written by a run with these arguments.
    keep_states             = 3,        # Training states to keep; the oldest are removed.
    state_kimg              = None,     # Thousands of images between training states. None = at snapshots.
    max_skipped_steps       = 100,      # Steps in a row without finite gradients after which training ends.
    worker_timeout          = 300.0):   # Seconds without a sign of life of another worker that end the run.
    """Train G and D; pictures, pickles, training states and logs go to the run directory.

    Ends early, in good order, when a file `abort.txt` appears there, on Ctrl-C (SIGINT) or on SIGTERM;
    signals write a last snapshot and state and raise KeyboardInterrupt or SystemExit with status 143. Raises
    UserError for damaged data, for steps that are skipped too often and for want of memory.

    Where TF_CONFIG names several workers, they train together, and the first of them writes and prints.
    """
    settings = {name: value for name, value in locals().items() if name not in OWN_SETTINGS}
    num_gpus = dnnlib.submit_config.num_gpus
    cluster = tflib.cluster.join(workers.from_environment(), num_gpus, settings, worker_timeout)
    cluster.start_session({**tflib.device_config(num_gpus), **tf_config})
    data_dir = dnnlib.convert_path(data_dir)
    state = None
    if resume_state is not None and cluster.is_first:
        state = training_state.read(resume_state)
    state = follower.as_all_know_it(state, cluster)
    seed = _seed_graph(None if state is None else state.content['seed'], cluster)
    training_set = dataset.load_dataset(data_dir=data_dir, verbose=True, **dataset_args)
    if state is None:
        grid = SnapshotGrid.of_data(training_set, grid_args, drange_net, write=cluster.is_first)
    else:
        grid = SnapshotGrid.of_state(state.arrays, drange_net) if cluster.is_first else None
        resume_pkl = _source_of_networks(resume_pkl, resume_with_new_nets, cluster)
    data_vars = tf.global_variables()
    with tflib.device(0):
        G, D, Gs = _make_networks(G_args, D_args, training_set, resume_pkl, resume_with_new_nets)
    for net in [] if use_noise else [G, Gs]:
        _silence_noise(net)
    if state is None:
        G.print_layers()
        D.print_layers()
        grid.latents = np.random.randn(np.prod(grid.size), *G.input_shape[1:])
        final_sched = training_schedule(total_kimg * 1000, training_set, **sched_args)
        if cluster.is_first:
            grid.save_fakes('fakes_init.png', Gs, minibatch_size=final_sched.minibatch_gpu)

    if hasattr(training_set, 'take_share') and not cluster.is_alone:
        training_set.take_share(cluster.first_device, num_gpus, cluster.num_devices)
    print('Building TensorFlow graph...')
    cur_nimg = int(resume_kimg * 1000)
    phases = _phases(training_set, sched_args, cur_nimg)
    follower.check_shares(phases, cluster)
    with tf.device('/cpu:0'):
        step_in = tf.placeholder(tf.int64, [], 'step_in')
    with tflib.random.counted(seed, step_in):
        graph = build_train_graph(
            G, D, Gs, training_set,
            G_settings=LossSettings(G_loss_args, G_opt_args, G_reg_interval),
            D_settings=LossSettings(D_loss_args, D_opt_args, D_reg_interval),
            num_gpus=num_gpus,
            minibatch_gpu_sizes=[phase.minibatch_gpu for phase in phases],
            accumulate=any(phase.minibatch_size > phase.minibatch_gpu * cluster.num_devices
                           for phase in phases),
            lazy_regularization=lazy_regularization, mirror_augment=mirror_augment, drange_net=drange_net,
            G_smoothing_kimg=G_smoothing_kimg, cluster=cluster)
    all_vars = tf.global_variables()
    variables = training_state.Variables(graph.copies, without=[*data_vars, *graph.held_images])

    print('Initializing logs...')
    reg_intervals = (G_reg_interval, D_reg_interval) if lazy_regularization else (None, None)
    trainer = _Trainer(graph, training_set, cluster.num_devices, *reg_intervals, cur_nimg, step_in,
                       max_skipped_steps)
    reporter, keeper = follower.Follower(), follower.FollowingKeeper(trainer)
    if cluster.is_first:
        summary_log = _start_summaries(save_tf_graph, [G, D] if save_weight_histograms else [], state)
        metrics = metric_base.MetricGroup(metric_arg_list)
        metric_args = dict(data_dir=data_dir, num_gpus=num_gpus, tf_config=tf_config)
        reporter = Reporter((G, D, Gs), grid, summary_log, metrics, metric_args, image_snapshot_ticks,
                            network_snapshot_ticks, snapshot_kimg, resume_time)
        keeper = StateKeeper(trainer, reporter, variables, seed, keep_states, state_kimg)
    if state is not None:
        keeper.restore(state)
    cluster.share_variables(all_vars)

    print(f'Training for {int(total_kimg)} kimg...\n')
    with interruption.after_iteration() as interrupted:
        should_stop = functools.partial(follower.agreed_stop, cluster, reporter, interrupted)
        _iterate(trainer, reporter, keeper, interrupted, sched_args, total_kimg, minibatch_repeats,
                 reset_opt_for_new_lod, should_stop)
        _save_at_end(trainer, reporter, keeper, interrupted)
    reporter.close()
    training_set.close()
    cluster.close()
    if interrupted:
        interrupted.leave()


def _seed_graph(seed, cluster):
    """Make sure that the graph has a seed: this one, or that of `init_tf`, or any. -> seed, the same in all
    processes."""
    seed = tf.get_default_graph().seed if seed is None else seed
    seed = int.from_bytes(os.urandom(4)) >> 1 if seed is None else int(seed)
    seed = cluster.gather(seed)[0]
    tf.set_random_seed(seed)
    return seed


def _save_at_end(trainer, reporter, keeper, interrupted):
    """Leave the networks and, if there is more to come, what is needed to go on."""
    if interrupted or reporter.should_stop():
        keeper.save()
    if not interrupted:
        reporter.save_networks('network-final.pkl')
        return
    path = reporter.save_networks(f'network-snapshot-{trainer.cur_nimg // 1000:06d}.pkl')
    print(f'Stopped. {path} holds the networks; --resume={dnnlib.make_run_dir_path()} goes on.')


def _source_of_networks(resume_pkl, resume_with_new_nets, cluster):
    """Where a run that goes on gets its networks from, whose variables the state has: the pickle that it once
    began with, if that was so, or its own last one."""
    if resume_pkl is None or resume_with_new_nets:
        return None
    snapshots = misc.network_snapshots(dnnlib.make_run_dir_path()) if cluster.is_first else []
    return snapshots[-1] if snapshots else resume_pkl


def _start_summaries(save_tf_graph, nets_for_histograms, state):
    """Writer of TensorBoard files in the run directory. state: what the run goes on from, or None."""
    if state is None:
        summary_log = tf.summary.FileWriter(dnnlib.make_run_dir_path())
    else:
        nimg = state.content['trainer']['cur_nimg']
        # A name of its own even within the same second; and a sign for readers that have seen more.
        summary_log = tf.summary.FileWriter(dnnlib.make_run_dir_path(), filename_suffix=f'.{nimg}')
        start = tf.SessionLog(status=tf.SessionLog.START)
        written = nimg - (1 if state.content['trainer']['report_due'] else 0)
        summary_log.add_session_log(start, global_step=written + 1)
    if save_tf_graph:
        summary_log.add_graph(tf.get_default_graph())
    for net in nets_for_histograms:
        net.setup_weight_histograms()
    return summary_log


def _iterate(trainer, reporter, keeper, interrupted, sched_args, total_kimg, minibatch_repeats,
             reset_opt_for_new_lod, should_stop):
    """Train until `total_kimg`, `abort.txt` or a signal, with a report at every tick."""
    total_nimg = total_kimg * 1000
    progress = Progress(total_kimg, unit='kimg', start=trainer.cur_nimg / 1000)
    if trainer.report_due:  # the state that the run goes on from was written just before
        sched = training_schedule(trainer.sched_nimg, trainer.training_set, **sched_args)
        _report(trainer, reporter, keeper, interrupted, sched, trainer.cur_nimg >= total_nimg)
    while trainer.cur_nimg < total_nimg and not should_stop():
        trainer.sched_nimg = trainer.cur_nimg
        sched = training_schedule(trainer.cur_nimg, trainer.training_set, **sched_args)
        if reset_opt_for_new_lod and _new_layers(trainer.prev_lod, sched.lod):
            trainer.reset_optimizers()
        trainer.prev_lod = sched.lod
        trainer.start(sched)
        for _ in range(minibatch_repeats):
            trainer.train_minibatch(sched)
        trainer.check_skipped_steps()
        progress.show(trainer.cur_nimg / 1000)
        done = trainer.cur_nimg >= total_nimg
        tick_nimg = trainer.cur_nimg - trainer.tick_start_nimg
        trainer.report_due = reporter.cur_tick < 0 or tick_nimg >= sched.tick_kimg * 1000 or done
        if trainer.report_due:
            _report(trainer, reporter, keeper, interrupted, sched, done)
        keeper.save_if_due()


def _report(trainer, reporter, keeper, interrupted, sched, done):
    """End a tick. With its networks the state is saved: before the report, in case that this takes long and
    is cut short, and with what the report has changed after it."""
    tick_kimg = (trainer.cur_nimg - trainer.tick_start_nimg) / 1000
    report = functools.partial(reporter.report, trainer.cur_nimg, tick_kimg, sched, done,
                               trainer.skipped_in_tick())
    if reporter.snapshot_due(trainer.cur_nimg, tick_kimg, done):
        keeper.save()
        with interrupted.saved():
            report()
        trainer.start_tick()
        keeper.amend()
    else:
        report()
        trainer.start_tick()


def _new_layers(prev_lod, lod):
    """Has the set of layers in use changed?"""
    return np.floor(lod) != np.floor(prev_lod) or np.ceil(lod) != np.ceil(prev_lod)


def _phases(training_set, sched_args, cur_nimg):
    """The schedule at every resolution from that of `cur_nimg` images on."""
    full_resolution = {**sched_args, 'lod_initial_resolution': None}
    first = training_schedule(cur_nimg, training_set, **sched_args).resolution
    return [training_schedule(0, dnnlib.EasyDict(resolution_log2=resolution_log2), **full_resolution)
            for resolution_log2 in range(first.bit_length() - 1, training_set.resolution_log2 + 1)]


def _silence_noise(G):
    """Switch the noise of a generator off: its inputs are 0 and used as they are, its strengths are 0.

    Without an input a strength gets no gradient, so that it stays 0. The variables stay too: pickles have the
    published form.
    """
    synthesis = G.components.synthesis
    synthesis.static_kwargs['randomize_noise'] = False
    tflib.set_vars({var: np.zeros(var.shape) for name, var in synthesis.vars.items()
                    if name.startswith('noise') or name.endswith(('/noise_strength', '/Noise/weight'))})


def _make_networks(G_args, D_args, training_set, resume_pkl, resume_with_new_nets):
    """-> G, D, Gs: new, loaded, or new with the variables of the loaded ones."""
    if resume_pkl is None or resume_with_new_nets:
        print('Constructing networks...')
        shape = dict(num_channels=training_set.shape[0], resolution=training_set.shape[1],
                     label_size=training_set.label_size)
        G = tflib.Network('G', **shape, **G_args)
        D = tflib.Network('D', **shape, **D_args)
        Gs = G.clone('Gs')
    if resume_pkl is not None:
        print(f'Loading networks from "{resume_pkl}"...')
        loaded = misc.load_networks(resume_pkl)
        if not resume_with_new_nets:
            _check_fit(loaded[1], training_set, resume_pkl)
            return loaded
        for net, source in zip((G, D, Gs), loaded, strict=True):
            report = net.copy_vars_from(source, skip_other_shapes=True)
            if report.complete:
                print(report)
    return G, D, Gs


def _check_fit(D, training_set, resume_pkl):
    """Raise UserError if a discriminator takes other images or labels than those of the data set."""
    taken = [shape[1:] for shape in D.input_shapes]
    there = [[*training_set.shape], [training_set.label_size]]
    if taken != there:
        raise UserError(f'{resume_pkl}: its networks take images and labels of shapes {taken}, but the '
                        f'data set has {there}; choose the data set that they were trained on')


class _Trainer:
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

    def reset_optimizers(self):
        """Forget Adam's moments, which belong to other layers."""
        self.graph.G_opt.reset_optimizer_state()
        self.graph.D_opt.reset_optimizer_state()

    def start(self, sched):
        """Use these settings for the minibatches that follow."""
        assert sched.minibatch_size % (sched.minibatch_gpu * self.num_devices) == 0
        self.training_set.configure(sched.minibatch_gpu, sched.lod)
        self.feed_dict = self.graph.inputs.feed(sched)

    def train_minibatch(self, sched):
        """One update of each network, with regularization where it is due."""
        rounds = sched.minibatch_size // (sched.minibatch_gpu * self.num_devices)
        G_reg = self._due(self.G_reg_interval)
        D_reg = self._due(self.D_reg_interval)
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
