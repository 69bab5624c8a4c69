"""Record the session calls of training, and tell from their traces what each device does, and when."""

import contextlib
import re
import tempfile
from dataclasses import dataclass
from unittest import mock

import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.python.client import timeline

import dnnlib.tflib as tflib
from benchmarks import training
from training.data.export import TFRecordExporter
from training.dataset import TFRecordDataset
from training.loop.schedule import training_schedule
from training.loop.trainer import LoopSettings, Trainer

AHEAD = 'while another step computes'
BETWEEN = 'between the steps'
RESOLUTION = 32
MINIBATCH_GPU = 8
WARM_UP = 4      # minibatches before those that are traced
TRACED = 2
DEVICE = re.compile(r'/device:([A-Z]+:\d+)$')
NEXT_IMAGES = re.compile(r'GPU(\d+)/DataFetch/AssignVariableOp$')
# What brings images to a device, and ops that only wait for others.
INPUT = re.compile(
    r'^(Dataset/|DataSkip|group_deps)|^GPU\d+/DataFetch/(IteratorGetNext|AssignVariableOp|next_|group_deps)')


@dataclass(frozen=True)
class Node:
    """An operation that ran."""
    device: str   # Such as 'CPU:1'.
    name: str
    begin: float  # Seconds.
    end: float

    @property
    def is_input(self):
        """Whether it brings images instead of computing with them."""
        return INPUT.search(self.name) is not None


@dataclass(frozen=True)
class Call:
    """A session call."""
    step: str     # What it computes: G_train, G_reg, data_fetch, D_train, D_reg; data_put if that is all.
    nodes: tuple  # All Nodes.
    stats: object  # tf.StepStats

    @property
    def devices(self):
        """The devices that took part, in their order."""
        return sorted({node.device for node in self.nodes})

    @property
    def begin(self):
        """When the first operation began, in seconds."""
        return min(node.begin for node in self.nodes)

    @property
    def end(self):
        """When the last operation ended, in seconds."""
        return max(node.end for node in self.nodes)

    def busy(self, device):
        """Return when a device computed, as disjoint intervals [(begin, end)] in their order."""
        result = []
        for node in sorted(self.nodes, key=lambda node: node.begin):
            if node.device != device or node.is_input:
                continue
            if result and node.begin <= result[-1][1]:
                result[-1] = result[-1][0], max(node.end, result[-1][1])
            else:
                result.append((node.begin, node.end))
        return result

    def arrival(self, device):
        """Return when the next images were on a device; None if the call brings none."""
        return max((node.end for node in self.nodes
                    if node.device == device and NEXT_IMAGES.search(node.name)), default=None)

    def waited(self, device):
        """Return for how many seconds a device waited for images: after its last computation, or from the
        beginning if it had none."""
        arrival = self.arrival(device)
        if arrival is None:
            return 0.0
        since = self.begin if self.step == 'data_put' else max(end for _, end in self.busy(device))
        return max(arrival - since, 0.0)


class FetchingBetween(Trainer):
    """A Trainer whose devices compute nothing while images are brought to them."""

    def _run_all(self, calls):
        for ops in calls:
            if self.graph.data_fetch in ops:
                self._run(self.graph.data_put)
                self.training_set.advance(self.num_devices)
            self._run(*ops)


def both_ways(num_devices):
    """Train on noise, bringing images to the devices in both ways. -> {way: [Call]}, after warming up."""
    with tempfile.TemporaryDirectory() as folder:
        tflib.init_tf({'rnd.np_random_seed': 1, **tflib.device_config(num_devices)})
        training_set = TFRecordDataset(_write_noise(f'{folder}/noise'))
        minibatch = MINIBATCH_GPU * num_devices
        *_, graph, _ = training.build(training_set, 1024, 32, minibatch, num_devices)
        sched = training_schedule(
            0, training_set, minibatch_size_base=minibatch, minibatch_gpu_base=MINIBATCH_GPU)
        runs = {}
        for way, make in ((AHEAD, Trainer), (BETWEEN, FetchingBetween)):
            trainer = make(graph, training_set, lambda _: sched, num_devices,
                           LoopSettings(1e9, 0, 1, False, 100))
            _iterate(trainer, WARM_UP)
            trainer.minibatch_counter = training.D_REG_INTERVAL - TRACED + 1  # the last one has all steps
            with recorded(graph) as runs[way]:
                _iterate(trainer, TRACED)
    return runs


def _iterate(trainer, times):
    for _ in range(times):
        trainer.iterate()


def _write_noise(path):
    rnd = np.random.RandomState(0)
    with TFRecordExporter(path, 256, print_progress=False) as exporter:
        for _ in range(256):
            exporter.add_image(rnd.randint(0, 256, [1, RESOLUTION, RESOLUTION]).astype(np.uint8))
    return path


@contextlib.contextmanager
def recorded(graph):
    """Record all session calls of a TrainGraph in this context. -> list of Calls, which grows."""
    session, calls = tflib.tfutil.default_session(), []
    names = {getattr(graph, name): name
             for name in ('G_train', 'G_reg', 'data_fetch', 'D_train', 'D_reg', 'data_put')}
    run = session.run

    def traced(fetches, *args):
        step = [name for op, name in names.items() if isinstance(fetches, tuple) and op in fetches]
        if not step:
            return run(fetches, *args)
        metadata = tf.RunMetadata()
        options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
        result = run(fetches, *args, options=options, run_metadata=metadata)
        calls.append(Call(step[0], tuple(_nodes(metadata.step_stats)), metadata.step_stats))
        return result

    with mock.patch.object(session, 'run', traced):
        yield calls


def _nodes(stats):
    for device in stats.dev_stats:
        match = DEVICE.search(device.device)
        for node in device.node_stats if match else ():
            if node.node_name != '_SOURCE':
                yield Node(match[1], node.node_name,
                           (node.all_start_micros + node.op_start_rel_micros) * 1e-6,
                           (node.all_start_micros + node.op_end_rel_micros) * 1e-6)


def waiting_shares(calls):
    """Return {device: share of the time of all calls for which it waited for images}."""
    seconds = sum(call.end - call.begin for call in calls)
    return {device: sum(call.waited(device) for call in calls) / seconds for device in calls[0].devices}


def chrome_trace(calls):
    """Return calls as the text of one trace in Chrome's format."""
    stats = type(calls[0].stats)()
    by_name = {}
    for call in calls:
        for device in call.stats.dev_stats:
            if device.device not in by_name:
                by_name[device.device] = stats.dev_stats.add(device=device.device)
            by_name[device.device].node_stats.extend(device.node_stats)
    return timeline.Timeline(stats).generate_chrome_trace_format()
