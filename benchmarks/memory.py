"""Compare the memory plan of a training with what TensorFlow and the process take for its steps."""

import contextlib

import tensorflow.compat.v1 as tf

import dnnlib
import dnnlib.tflib as tflib
from benchmarks import processes
from training import dataset
from training.loop import starting_networks
from training.loop.graph import build_train_graph
from training.memory_plan import graphs, report
from training.settings import ada_configs, ada_loop
from training.settings.configs import CONFIGS, PRESETS, config_settings

# Of each step. In some runs, the peaks of virtual devices come at the same time, in others not.
RUNS = 4


def settings_of(config, minibatch_gpu, fmap_base, fmap_max, num_gpus=1, rounds=1, lazy=None, resolution=64):
    """Return the arguments of the training loop for a narrow training, which does not grow.

    minibatch_gpu: images that a device processes at a time, in `rounds` rounds per update. config: of
    run_training.py, or auto, cifar and the like of train.py.
    """
    if config in CONFIGS or config in PRESETS:
        settings = config_settings(config, num_gpus)
    else:
        cfg = ada_configs.cfg_named(config, num_gpus, resolution, None)
        settings = ada_loop.training_settings(ada_configs.cfg_options(config, cfg, minibatch_gpu))
        settings['augment_args'] = ada_configs.augment_options('ada', None, None, 'bgc')
    settings = graphs.with_defaults(settings)
    for name in ('G_args', 'D_args'):
        settings[name] = {**settings[name], 'fmap_base': fmap_base, 'fmap_max': fmap_max}
    settings['sched_args'] = {
        **settings['sched_args'], 'lod_initial_resolution': None, 'minibatch_gpu_base': minibatch_gpu,
        'minibatch_size_base': minibatch_gpu * num_gpus * rounds, 'minibatch_gpu_dict': {},
        'minibatch_size_dict': {}}
    if lazy is not None:
        settings['lazy_regularization'] = lazy
    return settings


def compare(config, resolution, minibatch_gpu, num_gpus=1, **options):
    """Plan a training and, in a process of its own, run its steps. -> dict for JSON, in bytes.

    options: of `settings_of`.
    """
    arguments = dict(config=config, resolution=resolution, minibatch_gpu=minibatch_gpu, num_gpus=num_gpus,
                     **options)
    settings = settings_of(**arguments)
    planned = report.cpu_plan(settings, [3, resolution, resolution], 0, num_gpus)
    steps = {name: peak.at(minibatch_gpu) for name, peak in planned.devices.final.peaks().items()}
    held = planned.devices.held_bytes()
    measured = processes.call('memory.measure', arguments)
    tensors = held + max(measured['steps'].values())
    return {
        'steps': {name: {'plan': steps[name], 'measured': measured['steps'][name]} for name in steps},
        'held': {'plan': held, 'measured': measured['held']},
        'tensors': {'plan': planned.tensors(-1), 'measured': tensors},
        'process': {'plan': planned.total(-1), 'measured': measured['process']},
        'peak_memory_bytes': measured['process'],
    }


def measure(config, resolution, minibatch_gpu, num_gpus=1, **options):
    """Run every step of a training. -> {'steps': {name: bytes that TensorFlow's allocator has in use at the
    peak of several runs, without those between steps}, 'held': bytes of variables, 'process': peak of this
    process after the first run of each}."""
    settings = settings_of(config, minibatch_gpu, num_gpus=num_gpus, resolution=resolution, **options)
    tflib.init_tf({'rnd.np_random_seed': 1, **tflib.device_config(num_gpus)})
    graph, feed = _build(settings, resolution, num_gpus)
    names = [name for name in graphs.STEPS if graph_has(graph, name)]
    for name in names:
        tflib.run(getattr(graph, name), feed)
    process = _peak_of_process()
    peaks = {name: max(_peak_in_use(getattr(graph, name), feed) for _ in range(RUNS)) for name in names}
    return {'steps': peaks, 'process': process,
            'held': sum(var.shape.num_elements() * var.dtype.base_dtype.size for var in graph.variables)}


def graph_has(graph, name):
    """Return whether a training has a step of its own of this name."""
    op = getattr(graph, name)
    return bool(op.inputs or op.control_inputs)


def _build(settings, resolution, num_gpus):
    """Return the TrainGraph of a training on images that are 0, and its feed_dict."""
    training_set = dataset.SyntheticDataset(resolution)
    phase = graphs.phases(settings, training_set.resolution_log2)[resolution]
    with contextlib.redirect_stdout(None):
        networks = starting_networks.make(graphs.network_settings(settings, graphs.CPU), training_set, None)
    graph = build_train_graph(*networks, training_set, graphs.graph_settings(settings), [phase],
                              tflib.Cluster(num_gpus), seed=1)
    training_set.configure(phase.minibatch_gpu, 0)
    inputs = graph.inputs
    return graph, {**inputs.feed(dnnlib.EasyDict(phase, lod=0.0)), inputs.nimg: 0.0, inputs.step: 0}


def _peak_in_use(op, feed):
    """Return the most bytes that a step adds to those that the allocator has in use anyway."""
    metadata = tf.RunMetadata()
    options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
    tf.get_default_session().run(op, feed, options=options, run_metadata=metadata)
    in_use = [memory.allocator_bytes_in_use for device in metadata.step_stats.dev_stats
              for node in device.node_stats for memory in node.memory]
    in_use = [number for number in in_use if number > 0]
    return max(in_use) - min(in_use) if in_use else 0


def _peak_of_process():
    """Return the most bytes of memory that this process has had."""
    with open('/proc/self/status', encoding='utf-8') as file:
        line = next(line for line in file if line.startswith('VmHWM:'))
    return int(line.split()[1]) * 1024
