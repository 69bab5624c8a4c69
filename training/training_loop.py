"""The training loop: sets up networks, data and logs, then iterates until enough images have been shown."""

import functools
import os

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib
import dnnlib.tflib as tflib
from dnnlib import faults
from dnnlib.parallel import workers
from dnnlib.progress import Progress
from metrics import metric_base
from training import dataset
from training.loop import interruption, outlook, starting_networks
from training.loop.graph import LossSettings, build_train_graph, process_reals
from training.loop.reporting import Reporter, SnapshotGrid
from training.loop.schedule import training_schedule, with_D_lrate
from training.loop.trainer import Trainer
from training.resuming import follower, state_folder
from training.resuming.state_keeper import StateKeeper

# Arguments that may differ between the workers of a run: what lies where, and what the first one alone does.
OWN_SETTINGS = (
    'data_dir', 'grid_args', 'metric_arg_list', 'image_snapshot_ticks', 'network_snapshot_ticks',
    'snapshot_kimg', 'save_tf_graph', 'save_weight_histograms', 'resume_pkl', 'resume_time', 'resume_state',
    'keep_states', 'state_kimg', 'cpu_grid_seconds')

__all__ = ['process_reals', 'training_loop', 'training_schedule']


@tflib.cluster.membership()
@faults.described()
def training_loop(
    G_args                  = {},       # Build function of G (func_name) and its arguments.
    D_args                  = {},       # Build function of D (func_name) and its arguments.
    G_opt_args              = {},       # For the tflib.Optimizer of G.
    D_opt_args              = {},       # For the tflib.Optimizer of D.
    G_loss_args             = {},       # Loss function of G (func_name) and its arguments.
    D_loss_args             = {},       # Loss function of D (func_name) and its arguments.
    dataset_args            = {},       # For dataset.load_dataset().
    sched_args              = {},       # For training_schedule().
    grid_args               = {},       # For misc.setup_snapshot_image_grid().
    metric_arg_list         = [],       # One dict for each metric: its class (func_name) and arguments.
    tf_config               = {},       # For tflib.init_tf().
    data_dir                = None,     # Where the tfrecord_dir of dataset_args is looked for.
    G_smoothing_kimg        = 10.0,     # After this many kimg, weights of G count half in Gs. 0 = Gs is G.
    minibatch_repeats       = 4,        # Iterations between readings of the schedule.
    lazy_regularization     = True,     # Let regularizers skip iterations (StyleGAN2, Section 3.1)?
    G_reg_interval          = 4,        # If so, iterations from one step of G's regularizer to the next.
    D_reg_interval          = 16,       # If so, iterations from one step of D's regularizer to the next.
    reset_opt_for_new_lod   = True,     # Start both optimizers anew when another resolution comes in?
    total_kimg              = 25000,    # End after this many thousands of real images.
    mirror_augment          = False,    # Exchange left and right in half of the real images, by chance?
    drange_net              = [-1,1],   # Values that stand for black and for white inside the networks.
    image_snapshot_ticks    = 50,       # Ticks from one picture fakes*.png to the next. None = no pictures.
    network_snapshot_ticks  = 50,       # Ticks from one network-snapshot-*.pkl to the next. None = no files.
    save_tf_graph           = False,    # Show the graph in TensorBoard? Its file grows by all of it.
    save_weight_histograms  = False,    # Show histograms of all weights in TensorBoard?
    resume_pkl              = None,     # File of networks (G, D, Gs) to begin with. None = random weights.
    resume_kimg             = 0.0,      # Where in the schedule to begin, in thousands of images.
    resume_time             = 0.0,      # Seconds that have been spent before; reported times include them.
    resume_with_new_nets    = False,    # Make networks by G_args and D_args, with what fits of resume_pkl?
    use_noise               = True,     # False = the generator's noise variables are 0.
    snapshot_kimg           = None,     # Thousands of images between snapshots, in place of ticks.
    resume_state            = None,     # Training state to continue, a file from a run with these arguments.
    keep_states             = 3,        # How many of the latest training states stay on disk.
    state_kimg              = None,     # Thousands of images between training states. None = at snapshots.
    max_skipped_steps       = 100,      # End after so many steps in a row whose gradients are not finite.
    worker_timeout          = 300.0,    # Seconds of silence from another worker that end the run.
    cpu_grid_seconds        = 5.0):     # Seconds for a picture without a GPU, whose grid shrinks. None = any.
    """Train G and D; pictures, pickles, training states and logs go to the run directory.

    Ends early, in good order, when a file `abort.txt` appears there, on Ctrl-C (SIGINT) or on SIGTERM;
    signals write a last snapshot and state and raise KeyboardInterrupt or SystemExit with status 143. Raises
    UserError for damaged data, for steps that are skipped too often and for want of memory. Where TF_CONFIG
    names several workers, they train together, and the first of them writes and prints.
    """
    settings = {name: value for name, value in locals().items() if name not in OWN_SETTINGS}
    sched_args = with_D_lrate(sched_args)
    num_gpus = dnnlib.submit_config.num_gpus
    cluster = tflib.cluster.join(workers.from_environment(), num_gpus, settings, worker_timeout)
    cluster.start_session({**tflib.device_config(num_gpus), **tf_config})
    data_dir = dnnlib.convert_path(data_dir)
    state = state_folder.read(resume_state) if resume_state is not None and cluster.is_first else None
    state = follower.as_all_know_it(state, cluster)
    seed = _seed_graph(state, cluster)
    training_set = dataset.load_dataset(data_dir=data_dir, verbose=True, **dataset_args)
    grid = _start_grid(state, training_set, grid_args, drange_net, cluster)
    data_vars = tf.global_variables()
    if state is not None:
        resume_pkl = starting_networks.source_of_run(resume_pkl, resume_with_new_nets, cluster)
    G, D, Gs = starting_networks.make(
        G_args, D_args, training_set, resume_pkl, resume_with_new_nets, use_noise)
    schedule = functools.partial(training_schedule, training_set=training_set, **sched_args)
    if state is None:
        minibatch_gpu = schedule(total_kimg * 1000).minibatch_gpu
        _show_start(grid, G, D, Gs, minibatch_gpu, cluster, training_set, cpu_grid_seconds)
    cur_nimg = int(resume_kimg * 1000)
    graph, step_in = _build_graph(
        seed, _phases(training_set, sched_args, cur_nimg), cluster, G, D, Gs, training_set,
        G_settings=LossSettings(G_loss_args, G_opt_args, G_reg_interval),
        D_settings=LossSettings(D_loss_args, D_opt_args, D_reg_interval),
        lazy_regularization=lazy_regularization, mirror_augment=mirror_augment, drange_net=drange_net,
        G_smoothing_kimg=G_smoothing_kimg)
    all_vars = tf.global_variables()
    variables = state_folder.Variables(graph.copies, without=[*data_vars, *graph.held_images])
    reg_intervals = (G_reg_interval, D_reg_interval) if lazy_regularization else (None, None)
    trainer = Trainer(graph, training_set, cluster.num_devices, *reg_intervals, cur_nimg, step_in,
                      max_skipped_steps)

    print('Initializing logs...')
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
    interrupted = _train(trainer, reporter, keeper, cluster, schedule, total_kimg, minibatch_repeats,
                         reset_opt_for_new_lod)
    for part in (reporter, training_set, cluster):
        part.close()
    if interrupted:
        interrupted.leave()


def _seed_graph(state, cluster):
    """Make sure that the graph has a seed: that of the state, if there is one, or of `init_tf`, or any.
    -> seed, the same in all processes."""
    seed = tf.get_default_graph().seed if state is None else state.content['seed']
    seed = int.from_bytes(os.urandom(4)) >> 1 if seed is None else int(seed)
    seed = cluster.gather(seed)[0]
    tf.set_random_seed(seed)
    return seed


def _start_grid(state, training_set, grid_args, drange_net, cluster):
    """The grid of the snapshots: that of the state or, without its latents, a new one. None for workers that
    go on, who have nothing to show."""
    if state is None:
        print('Setting up snapshot image grid...')
        return SnapshotGrid.of_data(training_set, grid_args, drange_net)
    return SnapshotGrid.of_state(state.arrays, drange_net) if cluster.is_first else None


def _show_start(grid, G, D, Gs, minibatch_gpu, cluster, training_set, cpu_grid_seconds):
    """Print the networks of a new run, and write pictures of real images and of what they generate; `grid`
    gets its latents."""
    G.print_layers()
    D.print_layers()
    grid.latents = np.random.randn(np.prod(grid.size), *G.input_shape[1:])
    if not cluster.is_first:
        return
    if cpu_grid_seconds is not None:
        grid.fit_to_cpu(Gs, cpu_grid_seconds)
    print('Drawing reals.png and fakes_init.png...')
    grid.save_reals('reals.png', drange=training_set.dynamic_range)
    grid.save_fakes('fakes_init.png', Gs, minibatch_size=minibatch_gpu)


def _phases(training_set, sched_args, cur_nimg):
    """The schedule at every resolution from that of `cur_nimg` images on."""
    full_resolution = {**sched_args, 'lod_initial_resolution': None}
    first = training_schedule(cur_nimg, training_set, **sched_args).resolution
    return [training_schedule(0, dnnlib.EasyDict(resolution_log2=resolution_log2), **full_resolution)
            for resolution_log2 in range(first.bit_length() - 1, training_set.resolution_log2 + 1)]


def _build_graph(seed, phases, cluster, G, D, Gs, training_set, **settings):
    """Build the ops of an iteration for these phases of the schedule; every process reads its share of data.

    -> TrainGraph, the placeholder of the step from which its random numbers follow.
    """
    print('Building TensorFlow graph...')
    follower.check_shares(phases, cluster)
    if hasattr(training_set, 'take_share') and not cluster.is_alone:
        training_set.take_share(cluster.first_device, cluster.num_gpus, cluster.num_devices)
    with tf.device('/cpu:0'):
        step_in = tf.placeholder(tf.int64, [], 'step_in')
    with tflib.random.counted(seed, step_in):
        graph = build_train_graph(
            G, D, Gs, training_set, cluster=cluster, num_gpus=cluster.num_gpus,
            minibatch_gpu_sizes=[phase.minibatch_gpu for phase in phases],
            accumulate=any(phase.minibatch_size > phase.minibatch_gpu * cluster.num_devices
                           for phase in phases), **settings)
    return graph, step_in


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


def _train(trainer, reporter, keeper, cluster, schedule, total_kimg, minibatch_repeats,
           reset_opt_for_new_lod):
    """Train until `total_kimg`, `abort.txt` or a signal, with a report at every tick.

    schedule: function of how many images have been shown. -> Interruption, true if there was a signal.
    """
    total_nimg = total_kimg * 1000
    with interruption.after_iteration() as interrupted:
        print('TensorFlow prepares the first steps...')
        progress = Progress(total_kimg, 'kimg', start=total_kimg)  # _foresee() tells when it really starts.
        trainer.after_step = lambda: progress.show(trainer.nimg_done / 1000)
        if trainer.report_due:  # the state that the run goes on from was written just before
            _report(trainer, reporter, keeper, interrupted, schedule(trainer.sched_nimg), total_nimg)
        while trainer.cur_nimg < total_nimg and not follower.agreed_stop(cluster, reporter, interrupted):
            sched = schedule(trainer.cur_nimg)
            foreseen = trainer.minibatch_seconds is not None
            trainer.iterate(sched, minibatch_repeats, reset_opt_for_new_lod)
            if not foreseen and trainer.minibatch_seconds is not None:
                _foresee(trainer, sched, total_nimg, progress)
            tick_nimg = trainer.cur_nimg - trainer.tick_start_nimg
            trainer.report_due = (reporter.cur_tick < 0 or tick_nimg >= sched.tick_kimg * 1000
                                  or trainer.cur_nimg >= total_nimg)
            if trainer.report_due:
                _report(trainer, reporter, keeper, interrupted, sched, total_nimg)
            keeper.save_if_due()
        _save_at_end(trainer, reporter, keeper, interrupted)
    return interrupted


def _foresee(trainer, sched, total_nimg, progress):
    """After the first steps, which take longer than others: from here on the time that is left can be told,
    and is told at once if there are months of it."""
    progress.restart(trainer.cur_nimg / 1000)
    seconds_per_image = trainer.minibatch_seconds / sched.minibatch_size
    line = outlook.long_training(seconds_per_image, total_nimg - trainer.cur_nimg, sched.lod)
    if line is not None:
        print(line, flush=True)


def _report(trainer, reporter, keeper, interrupted, sched, total_nimg):
    """End a tick. With its networks the state is saved: before the report, in case that this takes long and
    is cut short, and with what the report has changed after it."""
    done = trainer.cur_nimg >= total_nimg
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


def _save_at_end(trainer, reporter, keeper, interrupted):
    """Leave the networks and, if there is more to come, what is needed to go on."""
    if interrupted or reporter.should_stop():
        keeper.save()
    if not interrupted:
        reporter.save_networks('network-final.pkl')
        return
    path = reporter.save_networks(f'network-snapshot-{trainer.cur_nimg // 1000:06d}.pkl')
    print(f'Stopped. {path} holds the networks; --resume={dnnlib.make_run_dir_path()} goes on.')
