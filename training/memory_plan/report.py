"""Computes and prints the memory plan of a training that is not started: `show`."""

import contextlib
import inspect
import io
import math
import multiprocessing
import os
import signal
import sys

from dnnlib.progress import announced, shown
from dnnlib.util import UserError, num_cores, paused_gc
from training import dataset
from training.data import record_stream
from training.loop import outlook
from training.memory_plan import graphs, limits, plan, text
from training.misc import pictures
from training.settings.configs import GROUP_SIZE

# What TensorFlow takes on a CPU besides tensors, measured: compiled graphs and kernels of the steps, and what
# a whole training adds to them, as for initialization, drawing, summaries and snapshots.
BYTES_PER_OP = 12_000
BYTES_PER_OP_OF_COMMAND = 10_000
PICTURE_COPIES = 5  # Of all images of a grid: real and generated ones, the grid, and two while it is saved.
MOST_THREADS = 8  # More of them change little.
SECONDS_TO_WAIT = 120  # For the plan of GPUs, once the other one, which takes as long, is there.


def show(settings, num_gpus, file=None, flag='--minibatch-gpu'):
    """Print how much memory a training will take, and which minibatch fits into which GPU.

    settings: arguments of the training loop. num_gpus: devices of this process. file: None = stdout. flag:
    what the user gives the minibatch of a device with. If there is no estimate, one line says why.
    """
    file = file or sys.stdout
    try:
        with contextlib.redirect_stdout(file):  # for progress, too
            lines = _lines(settings, num_gpus, flag)
    except Exception as error:  # must not keep anybody from the settings
        kind = '' if isinstance(error, UserError) else f'{type(error).__name__}: '
        lines = [f'No estimate of the memory: {kind}{"".join(str(error).strip().splitlines()[:1])}']
    print('\n'.join(lines), file=file, flush=True)


def _lines(settings, num_gpus, flag):
    """Return the lines of the report."""
    settings = graphs.with_defaults(settings)
    shape, label_size = shapes_of(settings)
    group_size = settings['D_args'].get('mbstd_group_size') or GROUP_SIZE
    if not outlook.on_cpu():
        print('Estimating the memory of GPUs: building their graph...', flush=True)
        on_gpu = gpu_plan(settings, shape, label_size, num_gpus)
        return text.gpu_lines(on_gpu, limits.of_gpus()[:num_gpus], group_size, flag)
    print('Estimating the memory of this machine and of GPUs: building the graphs...', flush=True)
    with _beside(gpu_plan, settings, shape, label_size, num_gpus) as on_gpu:
        on_cpu = cpu_plan(settings, shape, label_size, num_gpus)
        lines = text.cpu_lines(on_cpu, limits.of_machine(), group_size, flag)
        return [*lines, *text.gpu_lines(on_gpu(), [], group_size, flag)]


@contextlib.contextmanager
def _beside(function, *args):
    """Call a function in a copy of this process, if there is a core for it. -> function that returns the
    result. A copy that fails, or hangs, is ended, and the function called here."""
    if num_cores() < 2:
        yield lambda: function(*args)
        return
    context = multiprocessing.get_context('fork')  # the other ways load TensorFlow again
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(sender, function, *args), daemon=True)
    process.start()
    sender.close()
    try:
        yield lambda: _received(receiver) or function(*args)
    finally:
        process.kill()
        process.join()


def _send(sender, function, *args):
    """Send the result of a function. Errors send nothing, and Ctrl-C is for the process that waits."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Exception):
        sender.send(function(*args))


def _received(receiver):
    """Return what another process sends, None if it ends without that or takes too long."""
    with announced('Waiting for the plan of GPUs...'):
        if not receiver.poll(SECONDS_TO_WAIT):
            return None
    try:
        return receiver.recv()
    except EOFError:
        return None


def shapes_of(settings):
    """Return the shapes of images and the number of components of labels of a data set that is not read.

    Raises UserError for a class of the user's own.
    """
    args = dataset.with_published_names(settings['dataset_args'])
    if 'class_name' in args:
        raise UserError(f'{args["class_name"]} would have to be constructed')
    path = os.path.join(settings['data_dir'] or '', args['tfrecord_dir'])
    wanted = {key: args[key] for key in ('resolution', 'max_label_size') if key in args}
    shape, (label_size,) = dataset.shapes_in(path, **wanted)
    return shape, label_size


@paused_gc()
def gpu_plan(settings, shape, label_size, num_gpus):
    """Return the Plan of a GPU, the first one of a training."""
    planned = graphs.build(settings, shape, label_size, num_gpus, graphs.GPU)
    return plan.make(planned, settings, 0, _shown)[0]


@paused_gc()
def cpu_plan(settings, shape, label_size, num_gpus):
    """Return the CpuPlan of a training on this machine."""
    planned = graphs.build(settings, shape, label_size, num_gpus, graphs.CPU)
    process = limits.of_process()
    plans = plan.make(planned, settings, min(num_cores(), MOST_THREADS), _shown)
    command = (BYTES_PER_OP_OF_COMMAND * planned.num_ops + picture_bytes(settings, shape)
               + bytes_ahead(settings, shape))
    return plan.CpuPlan(*plans, num_gpus, process + BYTES_PER_OP * planned.num_ops, command)


def picture_bytes(settings, shape):
    """Return the bytes that the grid of snapshot images takes while it is saved."""
    sizes = {name: value for name, value in settings['grid_args'].items() if name == 'size'}
    return PICTURE_COPIES * math.prod(shape) * math.prod(pictures.grid_cells(shape, **sizes))


def bytes_ahead(settings, shape):
    """Return the bytes of the images that the data set reads ahead."""
    default = inspect.signature(dataset.TFRecordDataset).parameters['prefetch_mb'].default
    prefetch_mb = settings['dataset_args'].get('prefetch_mb', default)
    return record_stream.images_ahead(prefetch_mb, shape) * math.prod(shape) if prefetch_mb > 0 else 0


def _shown(resolutions):
    return shown(resolutions, 'Following the tensors', 'resolutions')
