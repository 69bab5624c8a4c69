"""What a training run shows: tick lines, TensorBoard values and pictures."""

import functools
import math
from dataclasses import dataclass

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib
import dnnlib.tflib as tflib
from dnnlib.progress import announced
from dnnlib.tflib.autosummary import autosummary, save_summaries
from dnnlib.util import UserError, printable
from training import generation, misc
from training.loop import outlook
from training.misc.pictures import to_bytes

TICK_LINE = 'tick %-5d kimg %-8.1f '
OF_SCHEDULE = 'lod %-5.2f minibatch %-4d '  # Not in lines of StyleGAN2-ADA, where both are constant.
OF_TIMES = 'time %-12s sec/tick %-7.1f sec/kimg %-7.2f maintenance %-6.1f gpumem %s'
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

    def save_fakes(self, name, Gs, minibatch_size):
        """Generate the images, with the same noise every time, and write them into the run directory."""
        with tflib.random.counted(tf.get_default_graph().seed or 0, step=0):
            fakes = generation.in_minibatches(
                Gs, self.latents, self.labels, minibatch_size=minibatch_size, title=f'Drawing {name}',
                convert=functools.partial(to_bytes, drange=self.drange_net), is_validation=True)
        with announced(f'Saving {name}...'):
            misc.save_image_grid(fakes, dnnlib.make_run_dir_path(name), [0, 255], self.size)

    def arrays(self):
        """Return what the generated images depend on, for a training state."""
        return {'grid_size': np.array(self.size), 'grid_labels': self.labels, 'grid_latents': self.latents}

    @classmethod
    def of_state(cls, arrays, drange_net):
        """Return the grid of a training state, which has no real images."""
        size = tuple(int(number) for number in arrays['grid_size'])
        return cls(size, None, arrays['grid_labels'], drange_net, arrays['grid_latents'])

    def fit_to_cpu(self, Gs, seconds):
        """Without a GPU, keep only as many images, from the upper left, as are drawn in `seconds`."""
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


class Reporter:
    """Knows what is due at the end of a tick, prints its line and writes the values for TensorBoard."""

    def __init__(self,
        trainer,                    # Trainer, whose ticks are reported.
        grid,                       # SnapshotGrid.
        summary_log,                # tf.summary.FileWriter.
        metrics,                    # metric_base.MetricGroup.
        metric_args,                # Keyword arguments for its run().
        image_snapshot_ticks,       # Ticks between pictures. None = never.
        network_snapshot_ticks,     # Ticks between pickles, which the metrics evaluate. None = never.
        snapshot_kimg,              # Thousands of images between both, instead of ticks. None = by ticks.
        resume_time,                # Seconds to add to the reported time.
        after_snapshot=None,        # Name of a function of the run directory. None = nothing is called.
        shows_schedule=True):       # Do lines show lod and minibatch, as StyleGAN2's do?
        self.trainer = trainer
        self.grid = grid
        self.summary_log = summary_log
        self.metrics = metrics
        self.metric_args = metric_args
        self.image_snapshot_ticks = image_snapshot_ticks
        self.network_snapshot_ticks = network_snapshot_ticks
        self.snapshot_kimg = snapshot_kimg
        self.resume_time = resume_time
        self.after_snapshot = after_snapshot
        self.shows_schedule = shows_schedule
        self.context = dnnlib.RunContext.get()
        self.context.update()
        self.maintenance_time = self.context.get_last_update_interval()
        self._tick_time = 0.0

    def state(self):
        """Return the part of a training state that `restore` takes."""
        results = {metric.name: metric.state() for metric in self.metrics.metrics}
        return {'cur_tick': self.trainer.cur_tick, 'total_time': self._total_time(), 'metrics': results}

    def restore(self, state):
        """Continue as after `state()`; the trainer restores the ticks."""
        self.resume_time = state['total_time']
        for metric in self.metrics.metrics:
            metric.restore(state['metrics'].get(metric.name, []))

    def is_due(self, interval_ticks):
        """Return whether this tick ends with what is written every `interval_ticks`; None = never."""
        if interval_ticks is None or self.trainer.is_done:
            return interval_ticks is not None
        if self.snapshot_kimg is None:
            return (self.trainer.cur_tick + 1) % interval_ticks == 0
        before, now = (nimg / 1000 // self.snapshot_kimg
                       for nimg in (self.trainer.tick_start_nimg, self.trainer.cur_nimg))
        return now > before

    def print_line(self):
        """Print the line of this tick, and record its values."""
        trainer, sched, total_time = self.trainer, self.trainer.sched, self._total_time()
        self._tick_time = self.context.get_time_since_last_update()
        line = TICK_LINE % (autosummary('Progress/tick', trainer.cur_tick + 1),
                            autosummary('Progress/kimg', trainer.cur_nimg / 1000.0))
        schedule = OF_SCHEDULE % (autosummary('Progress/lod', sched.lod),
                                  autosummary('Progress/minibatch', sched.minibatch_size))
        line += schedule if self.shows_schedule else ''
        memory = '%.1f' % autosummary('Resources/peak_gpu_mem_gb', _peak_gpu_memory() / 2 ** 30)
        line += OF_TIMES % (
            dnnlib.util.format_time(autosummary('Timing/total_sec', total_time)),
            autosummary('Timing/sec_per_tick', self._tick_time),
            autosummary('Timing/sec_per_kimg', self._tick_time / trainer.tick_kimg),
            autosummary('Timing/maintenance_sec', self.maintenance_time),
            memory)
        if trainer.augment is not None:
            line += ' ' * (5 - len(memory)) + self._augmentation()
        skipped_steps = autosummary('Progress/skipped_steps', trainer.skipped - trainer.tick_start_skipped)
        print(line + (f' skipped {skipped_steps}' if skipped_steps else ''), flush=True)
        autosummary('Timing/total_hours', total_time / (60.0 * 60.0))
        autosummary('Timing/total_days', total_time / (24.0 * 60.0 * 60.0))

    def _augmentation(self):
        """Return the part of the line about augmentation: its strength, and the heuristic in this tick."""
        augment = self.trainer.augment
        text = ' augment %.3f' % autosummary('Progress/augment', augment.strength)
        measured = augment.measured()
        if measured is not None:
            text += f' {augment.tune_heuristic} %.3f' % autosummary(
                f'Progress/{augment.tune_heuristic}', measured)
        return text

    def evaluate(self, network_pkl):
        """Evaluate the metrics."""
        self.metrics.run(network_pkl, run_dir=dnnlib.make_run_dir_path(), **self.metric_args)

    def write_summaries(self):
        """Write the values of this tick for TensorBoard."""
        self.metrics.update_autosummaries()
        save_summaries(self.summary_log, self.trainer.cur_nimg)

    def call_after_snapshot(self):
        """Call the function that was named for it. If it fails, training continues, and a line says why."""
        if self.after_snapshot is None:
            return
        self.summary_log.flush()
        try:
            dnnlib.util.call_func_by_name(dnnlib.make_run_dir_path(), func_name=self.after_snapshot)
        except Exception as error:  # whatever it is, a training of weeks must not end for it
            reason = str(error) if isinstance(error, UserError) else f'{type(error).__name__}: {error}'
            print(printable(f'{self.after_snapshot} failed; training continues: {reason}'), flush=True)

    def end_tick(self):
        """End the time of this tick; what follows counts as the next one."""
        self.context.update(f'{self.trainer.sched.lod:.2f}', cur_epoch=self.trainer.cur_nimg // 1000)
        self.maintenance_time = self.context.get_last_update_interval() - self._tick_time

    def _total_time(self):
        return self.context.get_time_since_start() + self.resume_time


def _peak_gpu_memory():
    """Return the most bytes that were in use on the first GPU; 0 without one."""
    if not tf.config.list_physical_devices('GPU'):
        return 0
    return tf.config.experimental.get_memory_info('GPU:0')['peak']
