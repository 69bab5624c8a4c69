"""What a training run tells and leaves behind: tick lines, TensorBoard values, pictures, pickles, metrics."""

import math
from dataclasses import dataclass

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib
import dnnlib.tflib as tflib
from dnnlib.progress import announced
from dnnlib.tflib.autosummary import autosummary, save_summaries
from training import generation, misc
from training.loop import outlook

TICK_LINE = ('tick %-5d kimg %-8.1f lod %-5.2f minibatch %-4d time %-12s sec/tick %-7.1f sec/kimg %-7.2f '
             'maintenance %-6.1f gpumem %.1f')
FEWEST = 2  # Columns and rows of a picture that shrinks.


@dataclass
class SnapshotGrid:
    """The images of the snapshots: the same latents and labels throughout a run."""
    size: tuple          # Columns, rows.
    reals: np.ndarray    # [N,C,H,W]
    labels: np.ndarray   # [N,label_size]
    drange_net: list     # Value range of generated images.
    latents: np.ndarray = None  # [N,latent_size]

    def save_reals(self, name, drange):
        """Write the real images, whose values are in `drange`, into the run directory."""
        misc.save_image_grid(self.reals, dnnlib.make_run_dir_path(name), drange=drange, grid_size=self.size)

    def arrays(self):
        """What generated images depend on, for a training state."""
        return {'grid_size': np.array(self.size), 'grid_labels': self.labels, 'grid_latents': self.latents}

    @classmethod
    def of_data(cls, training_set, grid_args, drange_net):
        """The grid of a new run, its latents aside."""
        return cls(*misc.setup_snapshot_image_grid(training_set, **grid_args), drange_net)

    @classmethod
    def of_state(cls, arrays, drange_net):
        """The grid that a training state describes; there is nothing to write of its real images."""
        size = tuple(int(number) for number in arrays['grid_size'])
        return cls(size, None, arrays['grid_labels'], drange_net, arrays['grid_latents'])

    def fit_to_cpu(self, Gs, seconds):
        """Keep only the upper left part of the grid where a picture takes longer than so many seconds on a
        machine without a GPU, and say so."""
        num_images = math.prod(self.size)
        fitting = outlook.images_within(seconds, Gs)
        if fitting >= num_images or not outlook.on_cpu():
            return
        scale = math.sqrt(fitting / num_images)
        columns, rows = (max(int(number * scale), min(number, FEWEST)) for number in self.size)
        cells = np.arange(num_images).reshape(self.size[::-1])[:rows, :columns].ravel()
        print(f'A picture of {self.size[0]} x {self.size[1]} images may take '
              f'{dnnlib.util.format_time(seconds * num_images / fitting)} on this CPU: pictures show '
              f'{columns} x {rows} instead (--grid-size for all).')
        self.size = columns, rows
        self.reals, self.labels, self.latents = (
            array[cells] for array in (self.reals, self.labels, self.latents))

    def save_fakes(self, name, Gs, minibatch_size):
        """Generate the images, with the same noise every time, and write them into the run directory."""
        with tflib.random.counted(tf.get_default_graph().seed or 0, step=0):
            fakes = generation.in_minibatches(
                Gs, self.latents, self.labels, minibatch_size=minibatch_size, title=f'Drawing {name}',
                is_validation=True)
        path = dnnlib.make_run_dir_path(name)
        with announced(f'Saving {name}...'):
            misc.save_image_grid(fakes, path, drange=self.drange_net, grid_size=self.size)


class Reporter:
    """Ends each tick with a line on the console and whatever is due."""

    def __init__(self,
        networks,                   # G, D, Gs.
        grid,                       # SnapshotGrid.
        summary_log,                # tf.summary.FileWriter.
        metrics,                    # metric_base.MetricGroup.
        metric_args,                # Keyword arguments for its run().
        image_snapshot_ticks,       # Ticks between pictures. None = never.
        network_snapshot_ticks,     # Ticks between pickles, each of which the metrics evaluate. None = never.
        snapshot_kimg,              # Thousands of images between both, instead of ticks. None = by ticks.
        resume_time):               # Seconds to add to the reported time.
        self.networks = networks
        self.grid = grid
        self.summary_log = summary_log
        self.metrics = metrics
        self.metric_args = metric_args
        self.image_snapshot_ticks = image_snapshot_ticks
        self.network_snapshot_ticks = network_snapshot_ticks
        self.snapshot_kimg = snapshot_kimg
        self.resume_time = resume_time
        self.cur_tick = -1
        self.context = dnnlib.RunContext.get()
        self.context.update()
        self.maintenance_time = self.context.get_last_update_interval()

    def should_stop(self):
        """Was there an `abort.txt` in the run directory at the last tick?"""
        return self.context.should_stop()

    def state(self):
        """What goes into a training state, for `restore`."""
        results = {metric.name: metric.state() for metric in self.metrics.metrics}
        return {'cur_tick': self.cur_tick, 'total_time': self._total_time(), 'metrics': results}

    def restore(self, state):
        """Go on as after `state()`."""
        self.cur_tick = state['cur_tick']
        self.resume_time = state['total_time']
        for metric in self.metrics.metrics:
            metric.restore(state['metrics'].get(metric.name, []))

    def snapshot_due(self, cur_nimg, tick_kimg, done):
        """Is a network snapshot to be taken in the report that comes next?"""
        return self._snapshot_due(self.network_snapshot_ticks, self.cur_tick + 1, cur_nimg, tick_kimg, done)

    def report(self, cur_nimg, tick_kimg, sched, done, skipped=0):
        """Finish a tick of `tick_kimg` thousand images, in which so many steps were skipped."""
        network_snapshot_due = self.snapshot_due(cur_nimg, tick_kimg, done)
        self.cur_tick += 1
        tick_time = self.context.get_time_since_last_update()
        self._print_line(cur_nimg, tick_kimg, tick_time, sched, skipped)
        if self._snapshot_due(self.image_snapshot_ticks, self.cur_tick, cur_nimg, tick_kimg, done):
            self.grid.save_fakes(f'fakes{cur_nimg // 1000:06d}.png', self.networks[-1], sched.minibatch_gpu)
        if network_snapshot_due:
            pkl = self.save_networks(f'network-snapshot-{cur_nimg // 1000:06d}.pkl')
            self.metrics.run(pkl, run_dir=dnnlib.make_run_dir_path(), **self.metric_args)
        self.metrics.update_autosummaries()
        save_summaries(self.summary_log, cur_nimg)
        self.context.update(f'{sched.lod:.2f}', cur_epoch=cur_nimg // 1000)
        self.maintenance_time = self.context.get_last_update_interval() - tick_time

    def save_networks(self, name):
        """Write (G, D, Gs) into the run directory. -> path."""
        path = dnnlib.make_run_dir_path(name)
        with announced(f'Saving {name}...'):
            misc.save_pkl(self.networks, path)
        return path

    def close(self):
        """No more reports will come."""
        self.summary_log.close()

    def _snapshot_due(self, interval_ticks, tick, cur_nimg, tick_kimg, done):
        if interval_ticks is None or done:
            return interval_ticks is not None
        if self.snapshot_kimg is None:
            return tick % interval_ticks == 0
        kimg = cur_nimg / 1000
        return kimg // self.snapshot_kimg > (kimg - tick_kimg) // self.snapshot_kimg

    def _total_time(self):
        return self.context.get_time_since_start() + self.resume_time

    def _print_line(self, cur_nimg, tick_kimg, tick_time, sched, skipped):
        total_time = self._total_time()
        line = TICK_LINE % (
            autosummary('Progress/tick', self.cur_tick),
            autosummary('Progress/kimg', cur_nimg / 1000.0),
            autosummary('Progress/lod', sched.lod),
            autosummary('Progress/minibatch', sched.minibatch_size),
            dnnlib.util.format_time(autosummary('Timing/total_sec', total_time)),
            autosummary('Timing/sec_per_tick', tick_time),
            autosummary('Timing/sec_per_kimg', tick_time / tick_kimg),
            autosummary('Timing/maintenance_sec', self.maintenance_time),
            autosummary('Resources/peak_gpu_mem_gb', _peak_gpu_memory() / 2 ** 30))
        skipped_steps = autosummary('Progress/skipped_steps', skipped)
        print(line + (f' skipped {skipped_steps}' if skipped_steps else ''), flush=True)
        autosummary('Timing/total_hours', total_time / (60.0 * 60.0))
        autosummary('Timing/total_days', total_time / (24.0 * 60.0 * 60.0))


def _peak_gpu_memory():
    """Most bytes that were in use on the first GPU; 0 without one."""
    if not tf.config.list_physical_devices('GPU'):
        return 0
    return tf.config.experimental.get_memory_info('GPU:0')['peak']
