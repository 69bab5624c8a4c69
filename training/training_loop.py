"""The training loop: sets up data, networks and logs, then iterates until enough images have been shown."""

import contextlib
import functools
import json
import os
import signal

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib
import dnnlib.tflib as tflib
from dnnlib import faults
from dnnlib.files import atomic_write
from dnnlib.parallel import workers
from dnnlib.progress import announced
from dnnlib.util import UserError
from metrics import metric_base
from training import dataset, misc
from training.data import class_names
from training.loop import interruption, starting_networks
from training.loop.graph import GraphSettings, LossSettings, build_train_graph, process_reals
from training.loop.outlook import TrainingProgress
from training.loop.reporting import Reporter, SnapshotGrid
from training.loop.schedule import training_schedule, with_D_lrate
from training.loop.starting_networks import NetworkSettings
from training.loop.trainer import LoopSettings, Trainer
from training.resuming import state_folder
from training.resuming.state_keeper import StateKeeper
from training.settings.precision import TF32

__all__ = ['process_reals', 'training_loop', 'training_schedule']


def training_loop(
    G_args                  = {},       # Build function of G (func_name) and its arguments.
    D_args                  = {},       # Build function of D (func_name) and its arguments.
    G_opt_args              = {},       # Arguments of the tflib.Optimizer of G.
    D_opt_args              = {},       # Arguments of the tflib.Optimizer of D.
    G_loss_args             = {},       # Loss function of G (func_name) and its arguments.
    D_loss_args             = {},       # Loss function of D (func_name) and its arguments.
    loss_args               = {},       # Instead of both: a function of StyleGAN2-ADA, and its arguments.
    augment_args            = {},       # The AdaptiveAugment (class_name) and its arguments. {} = none.
    dataset_args            = {},       # Arguments of dataset.load_dataset().
    sched_args              = {},       # Arguments of training_schedule().
    grid_args               = {},       # Arguments of misc.setup_snapshot_image_grid().
    metric_arg_list         = [],       # One dict per metric: its class (func_name) and arguments.
    tf_config               = {},       # Configuration for tflib.init_tf().
    data_dir                = None,     # Folder that contains the tfrecord_dir of dataset_args.
    G_smoothing_kimg        = 10.0,     # Half-life of the average Gs of the weights of G. 0 = Gs is G.
    G_smoothing_rampup      = None,     # Largest half-life, as a share of the images so far. None = any.
    minibatch_repeats       = 4,        # Minibatches per iteration, for which the schedule is read once.
    lazy_regularization     = True,     # Run regularizers in steps of their own (StyleGAN2, Section 3.1)?
    G_reg_interval          = 4,        # If so, minibatches from one step of G's regularizer to the next.
    D_reg_interval          = 16,       # If so, minibatches from one step of D's regularizer to the next.
    reset_opt_for_new_lod   = True,     # Reset the optimizers when the resolution changes?
    total_kimg              = 25000,    # Length of the training, in thousands of real images.
    mirror_augment          = False,    # Mirror real images at random?
    drange_net              = [-1,1],   # Values of black and white inside the networks.
    image_snapshot_ticks    = 50,       # Ticks between pictures fakes*.png. None = no pictures.
    network_snapshot_ticks  = 50,       # Ticks between files network-snapshot-*.pkl. None = no files.
    save_tf_graph           = False,    # Show the graph in TensorBoard? Its file grows by that.
    save_weight_histograms  = False,    # Show histograms of all weights in TensorBoard?
    resume_pkl              = None,     # File with networks (G, D, Gs) to start from. None = random weights.
    resume_kimg             = 0.0,      # Where in the schedule to start, in thousands of images.
    resume_time             = 0.0,      # Seconds to add to reported times.
    resume_with_new_nets    = False,    # Build new networks, and copy into them what fits of resume_pkl?
    use_noise               = True,     # Use the noise inputs of the generator? False = they are 0.
    precision               = None,     # As --precision. None = as num_fp16_res says, on GPUs.
    snapshot_kimg           = None,     # Thousands of images between snapshots, instead of ticks.
    resume_state            = None,     # Training state to continue, from a run with the same arguments.
    keep_states             = 3,        # Number of training states to keep.
    state_kimg              = None,     # Thousands of images between training states. None = with snapshots.
    max_skipped_steps       = 100,      # Stop after this many steps in a row without finite gradients.
    xla                     = 'auto',   # Compile whole steps with XLA? 'on', 'off', or 'auto' = off so far.
    worker_timeout          = 300.0,    # Stop if another worker is silent for this many seconds.
    cpu_grid_seconds        = 5.0,      # Without a GPU, pictures shrink to take no longer. None = never.
    after_snapshot          = None,     # Name of a function that gets the run directory after each snapshot.
    run_options             = None):    # What to write to training_options.json. None = no such file.
    """Train G and D. Networks, pictures, training states and logs are written to the run directory.

    A file `abort.txt` there stops the run at the next tick. SIGINT (Ctrl-C) and SIGTERM stop it after the
    iteration, with a last snapshot and state, and raise KeyboardInterrupt or SystemExit with status 143.
    Raises UserError for damaged data, for too many skipped steps and if memory runs out. If TF_CONFIG names
    several workers, they train together; only the first one writes and prints.
    """
    num_gpus = dnnlib.submit_config.num_gpus
    data_dir = None if data_dir is None else dnnlib.convert_path(data_dir)
    network_settings = NetworkSettings(G_args, D_args, resume_with_new_nets, use_noise, precision)
    graph_settings = GraphSettings(
        LossSettings(G_loss_args, G_opt_args, G_reg_interval),
        LossSettings(D_loss_args, D_opt_args, D_reg_interval),
        lazy_regularization, mirror_augment, drange_net, G_smoothing_kimg, G_smoothing_rampup, loss_args,
        augment_args)
    loop_settings = LoopSettings(
        total_kimg, resume_kimg, minibatch_repeats, reset_opt_for_new_lod, max_skipped_steps)
    shared = dict(vars(network_settings) | vars(graph_settings) | vars(loop_settings), sched_args=sched_args,
                  dataset_args=dataset_args, tf_config=tf_config, worker_timeout=worker_timeout, xla=xla)
    with tflib.xla.enabled(tflib.xla.is_on(xla)), \
            tflib.parallel.joined(workers.from_environment(), num_gpus, shared, worker_timeout) as cluster, \
            faults.described('lower --minibatch-gpu'):
        cluster.start_session({**_device_config(num_gpus, precision), **tf_config})
        state = _read_state(resume_state, cluster)
        seed = _seed_graph(state, cluster)
        training_set = dataset.load_dataset(data_dir=data_dir, verbose=True, **dataset_args)
        schedule = functools.partial(training_schedule, training_set=training_set, **with_D_lrate(sched_args))
        grid = _make_grid(state, training_set, grid_args, drange_net)
        if state is not None:
            resume_pkl = starting_networks.source_of_resumed_run(resume_pkl, network_settings, cluster)
        networks = starting_networks.make(network_settings, training_set, resume_pkl)
        if state is None:
            _write_options(run_options, cluster)
            _show_start(grid, networks, schedule(total_kimg * 1000), training_set, cluster, cpu_grid_seconds)
        print('Building TensorFlow graph...')
        phases = _phases(schedule, loop_settings, training_set.resolution_log2, cluster)
        graph = build_train_graph(*networks, training_set, graph_settings, phases, cluster, seed)
        trainer = Trainer(graph, training_set, schedule, cluster.num_devices, loop_settings)
        if state is not None:
            trainer.restore(state.content)
        print('Initializing logs...')
        reporter = keeper = None
        if cluster.is_first:
            with_histograms = networks[:2] if save_weight_histograms else []
            summary_log = _start_summaries(save_tf_graph, with_histograms, state)
            reporter = Reporter(
                trainer, grid, summary_log, metric_base.MetricGroup(metric_arg_list),
                dict(data_dir=data_dir, num_gpus=num_gpus, tf_config=tf_config),
                image_snapshot_ticks, network_snapshot_ticks, snapshot_kimg, resume_time, after_snapshot,
                shows_schedule=not loss_args)
            variables = state_folder.Variables(graph.state_variables, graph.copies)
            keeper = StateKeeper(trainer, reporter, variables, seed, keep_states, state_kimg)
            if state is not None:
                keeper.restore(state)
        cluster.share_variables(graph.variables)
        print(f'Training for {int(total_kimg)} kimg...\n')
        interrupted = _train(trainer, networks, reporter, keeper, cluster)
        training_set.close()
    if interrupted:
        interrupted.leave()


def _device_config(num_gpus, precision):
    """Return settings of the session for a number of devices and a precision."""
    return {**tflib.device_config(num_gpus), 'math.allow_tf32': precision == TF32}


def _train(trainer, networks, reporter, keeper, cluster):
    """Train until the end, `abort.txt` or a signal. -> Interruption, true after a signal.

    `reporter`, `keeper`: None in all workers but the first, which write nothing.
    """
    with interruption.after_iteration() as interrupted:
        progress = TrainingProgress(trainer)
        while True:
            if trainer.report_due:  # at once, if the state that is resumed was saved just before its report
                _end_tick(trainer, networks, reporter, keeper, interrupted)
            if keeper is not None:
                keeper.save_if_due()
            if trainer.is_done or _agreed_stop(cluster, reporter, interrupted):
                break
            trainer.iterate()
            progress.after_iteration()
        if reporter is not None:
            _end_run(trainer, networks, reporter, keeper, interrupted)
    return interrupted


def _end_tick(trainer, networks, reporter, keeper, interrupted):
    """End a tick: print its line, and write pictures, networks and metrics if they are due.

    A training state is saved with the networks, before the report, which may be long and interrupted.
    Afterwards the state is updated with what the report changed.
    """
    if reporter is None:
        trainer.start_tick()
        return
    snapshot_due = reporter.is_due(reporter.network_snapshot_ticks)
    if snapshot_due:
        keeper.save()
    with interrupted.saved() if snapshot_due else contextlib.nullcontext():
        reporter.print_line()
        kimg = f'{trainer.cur_nimg // 1000:06d}'
        if reporter.is_due(reporter.image_snapshot_ticks):
            reporter.grid.save_fakes(f'fakes{kimg}.png', networks[-1], trainer.sched.minibatch_gpu)
        if snapshot_due:
            reporter.evaluate(_save_networks(networks, f'network-snapshot-{kimg}.pkl'))
        reporter.write_summaries()
        if snapshot_due:
            reporter.call_after_snapshot()
        reporter.end_tick()
    trainer.start_tick()
    if snapshot_due:
        keeper.amend()


def _end_run(trainer, networks, reporter, keeper, interrupted):
    """Write the networks and, unless the training is complete, the state to resume from."""
    if interrupted or reporter.context.should_stop():
        keeper.save()
    if interrupted:
        path = _save_networks(networks, f'network-snapshot-{trainer.cur_nimg // 1000:06d}.pkl')
        print(f'Stopped. The networks are in {path}; --resume={dnnlib.make_run_dir_path()} continues.')
    else:
        _save_networks(networks, 'network-final.pkl')
    reporter.call_after_snapshot()
    reporter.summary_log.close()


def _save_networks(networks, name):
    """Write (G, D, Gs) into the run directory. -> path of the pickle."""
    path = dnnlib.make_run_dir_path(name)
    with announced(f'Saving {name}...'):
        misc.save_pkl(networks, path)
    return path


def _agreed_stop(cluster, reporter, interrupted):
    """Return whether to stop before the next iteration, for `abort.txt` or a signal to any worker.

    All workers ask at the same place; a signal to one of them interrupts all.
    """
    aborted = reporter is not None and reporter.context.should_stop()
    votes = cluster.gather([aborted, interrupted.signal])
    signals = [number for _, number in votes if number is not None]
    if signals and not interrupted:
        interrupted.signal = signal.Signals(signals[0])
    return bool(signals) or any(aborted for aborted, _ in votes)


def _write_options(options, cluster):
    """Write the options of a run to training_options.json, unless they are None."""
    if options is None or not cluster.is_first:
        return
    run_dir = dnnlib.make_run_dir_path()
    with atomic_write(os.path.join(run_dir, 'training_options.json'), 'w') as file:
        json.dump({**options, 'run_dir': run_dir}, file, indent=2)


def _read_state(path, cluster):
    """Read a training state, or None. Workers other than the first get its content, without arrays."""
    state = state_folder.read(path) if path is not None and cluster.is_first else None
    content = cluster.gather(state and state.content)[0]
    return state if content is None or cluster.is_first else state_folder.State(None, content, {})


def _seed_graph(state, cluster):
    """Set the seed of the graph to that of the state, of `init_tf` or a random one. -> seed, the same in all
    workers."""
    seed = tf.get_default_graph().seed if state is None else state.content['seed']
    seed = int.from_bytes(os.urandom(4)) >> 1 if seed is None else int(seed)
    seed = cluster.gather(seed)[0]
    tf.set_random_seed(seed)
    return seed


def _make_grid(state, training_set, grid_args, drange_net):
    """Return the SnapshotGrid of a state or, still without latents, of a new run; None without arrays."""
    if state is None:
        print('Setting up snapshot image grid...')
        return SnapshotGrid(*misc.setup_snapshot_image_grid(training_set, **grid_args), drange_net)
    return SnapshotGrid.of_state(state.arrays, drange_net) if state.arrays else None


def _show_start(grid, networks, sched, training_set, cluster, cpu_grid_seconds):
    """Print the layers of new networks, draw the latents of the grid, and write the names of the classes and
    pictures of real images and of what the networks generate."""
    G, D, Gs = networks
    G.print_layers()
    D.print_layers()
    grid.latents = np.random.randn(np.prod(grid.size), *G.input_shape[1:])
    if not cluster.is_first:
        return
    _keep_class_names(training_set)
    if cpu_grid_seconds is not None:
        grid.fit_to_cpu(Gs, cpu_grid_seconds)
    print('Drawing reals.png and fakes_init.png...')
    grid.save_reals('reals.png', training_set.dynamic_range)
    grid.save_fakes('fakes_init.png', Gs, sched.minibatch_gpu)


def _keep_class_names(training_set):
    """Write the names of the classes that the networks learn, if the data set has any, for --class."""
    if training_set.label_size > 0 and training_set.class_names is not None:
        class_names.keep(training_set.class_names, training_set.label_size, dnnlib.make_run_dir_path())


def _phases(schedule, settings, resolution_log2, cluster):
    """Return the schedule at every resolution that will be trained. Raises UserError if the devices of all
    workers cannot share a minibatch of one of them."""
    first = schedule(int(settings.resume_kimg * 1000)).resolution
    phases = [schedule(0, training_set=dnnlib.EasyDict(resolution_log2=number), lod_initial_resolution=None)
              for number in range(first.bit_length() - 1, resolution_log2 + 1)]
    for phase in [] if cluster.is_alone else phases:
        if phase.minibatch_size % (phase.minibatch_gpu * cluster.num_devices) != 0:
            raise UserError(
                f'{cluster.workers.count} workers with {cluster.num_gpus} devices each cannot share '
                f'minibatches of {phase.minibatch_size}: {phase.minibatch_gpu} per device and round; start '
                'another number of workers')
    return phases


def _start_summaries(save_tf_graph, nets_for_histograms, state):
    """Open a writer of TensorBoard files in the run directory. `state`: the one that is resumed, or None."""
    if state is None:
        summary_log = tf.summary.FileWriter(dnnlib.make_run_dir_path())
    else:
        nimg = state.content['trainer']['cur_nimg']
        # A name of its own even within the same second, and a mark for readers that have seen later steps.
        summary_log = tf.summary.FileWriter(dnnlib.make_run_dir_path(), filename_suffix=f'.{nimg}')
        start = tf.SessionLog(status=tf.SessionLog.START)
        written = nimg - (1 if state.content['trainer']['report_due'] else 0)
        summary_log.add_session_log(start, global_step=written + 1)
    if save_tf_graph:
        summary_log.add_graph(tf.get_default_graph())
    for net in nets_for_histograms:
        net.setup_weight_histograms()
    return summary_log
