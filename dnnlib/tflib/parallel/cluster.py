"""Several processes that train together: their TensorFlow servers, and the values that they agree on."""

import contextlib
import re
import zlib

import numpy as np
import tensorflow.compat.v1 as tf

from dnnlib.parallel import link as worker_link
from dnnlib.parallel.workers import Workers
from dnnlib.tflib import tfutil
from dnnlib.tflib.parallel import collectives
from dnnlib.util import UserError

JOB = 'worker'
HOST = '/device:CPU:0'
PIECE_BYTES = 1 << 26  # Variables are sent in pieces of this size.
# What TensorFlow raises when a process is lost.
GONE = tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError


class Cluster:
    """The processes of a run, each with `num_gpus` devices, as this one sees them. A single process needs
    neither server nor collectives.

    Devices are numbered across all processes; this one has `first_device` and the following.
    """

    def __init__(self, num_gpus=1, workers=None, link=None):
        self.num_gpus = num_gpus
        self.workers = workers or Workers()
        self.num_devices = num_gpus * self.workers.count
        self.first_device = num_gpus * self.workers.index
        self._link = link
        self._server = None

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes."""
        return self.workers.is_first

    @property
    def is_alone(self) -> bool:
        """Whether this is the only process."""
        return self._link is None

    def names_here(self, device_names) -> list:
        """Return the names that all processes use for devices of this one, such as '/device:CPU:1'."""
        return [_full_name(self.workers.index, name) for name in device_names]

    def names_everywhere(self, device_names) -> list:
        """Return the names of these devices in every process, ordered by process."""
        return [_full_name(index, name) for index in range(self.workers.count) for name in device_names]

    def gather(self, value) -> list:
        """Return [value of each process] when all have called this. `value` must be valid JSON."""
        return [value] if self.is_alone else self._link.gather(value)

    def share_variables(self, variables) -> None:
        """Assign the values of the first process to variables in all processes.

        Raises UserError unless all processes have the same variables in the same order.
        """
        if self.is_alone:
            return
        # The names of counterparts differ in the numbers of devices.
        signatures = repr([(re.sub(r'\bGPU\d+', 'GPU', var.op.name), tfutil.shape_to_list(var.shape),
                            var.dtype.name) for var in variables])
        checksums = self.gather(zlib.crc32(signatures.encode()))
        for index, checksum in enumerate(checksums):
            if checksum != checksums[0]:
                raise UserError(f'{self.workers.name_of(index)} builds another graph than worker 0; start '
                                'all workers with the same program, flags and data')
        for piece in _pieces(variables):
            with tf.device('/cpu:0'), tf.control_dependencies(None):
                sent = [var.read_value() if self.is_first else tf.zeros_like(var) for var in piece]
                (sums,) = collectives.all_reduce_sum(
                    [sent], self.names_here([HOST]), self.names_everywhere([HOST]))
            tfutil.run([tf.assign(var, value).op for var, value in zip(piece, sums, strict=True)])

    def start_session(self, config: dict) -> None:
        """Call `init_tf`; several processes each start a TensorFlow server and connect to it."""
        if self.is_alone:
            tfutil.init_tf(config)
            return
        workers = self.workers
        job = f'/job:{JOB}/replica:0'
        config = {**config, 'experimental.collective_group_leader': f'{job}/task:0',
                  'device_filters': [f'{job}/task:{workers.index}']}
        if config.get('rnd.np_random_seed') is None:
            config['rnd.np_random_seed'] = self.gather(int(np.random.randint(1 << 31)))[0]
        try:
            self._server = tf.train.Server(
                tf.train.ClusterSpec({JOB: list(workers.addresses)}), job_name=JOB, task_index=workers.index,
                config=tfutil.session_config(config))
        except tf.errors.OpError as error:
            raise UserError(f'{workers.addresses[workers.index]}: TensorFlow cannot listen there '
                            f'({error.message}); choose another port') from error
        tfutil.init_tf(config, target=self._server.target)
        self.gather('started')

    def close(self) -> None:
        """Wait until all processes have called this; none may exit before."""
        if not self.is_alone:
            self._link.close()

    def report(self, error: BaseException) -> None:
        """Send the other processes the reason why this one ends. Does not return if one of them is the
        reason."""
        if self.is_alone:
            return
        if isinstance(error, tf.errors.OpError):
            self._link.await_verdict(short=not isinstance(error, GONE))
        line = str(error).partition('\n')[0]
        if isinstance(error, UserError):
            self._link.fail(f'failed: {line}', status=2)
        elif isinstance(error, Exception):
            self._link.fail(f'failed: {type(error).__name__}: {line}', status=1)
        else:
            self._link.fail('was interrupted', status=getattr(error, 'code', None) or 130)


@contextlib.contextmanager
def joined(workers: Workers, num_gpus: int, settings: dict, timeout_seconds: float):
    """Form a cluster with the other workers, if there are any, and leave it at the end. -> Cluster.

    `settings`: {name: value} that must be equal in all processes. A worker that does not arrive within
    `timeout_seconds`, or is silent for as long later, ends all processes; so does an error in the context,
    which is reported to the others.
    """
    link = None
    if workers.count > 1:
        settings = {**settings, 'num_gpus': num_gpus, 'tensorflow': tf.__version__}
        texts = {name: repr(value) for name, value in settings.items()}
        link = worker_link.connect(workers, texts, timeout_seconds)
    cluster = Cluster(num_gpus, workers, link)
    try:
        yield cluster
        cluster.close()
    except BaseException as error:
        cluster.report(error)
        raise


def _full_name(index, device_name):
    return f'/job:{JOB}/replica:0/task:{index}{device_name}'


def _pieces(variables):
    """Split variables into lists of one dtype and limited size; the result depends on nothing else."""
    pieces, open_pieces = [], {}
    for var in variables:
        dtype = var.dtype.base_dtype
        num_bytes = dtype.size * int(np.prod(tfutil.shape_to_list(var.shape)))
        piece, size = open_pieces.get(dtype, (None, PIECE_BYTES))
        if size + num_bytes > PIECE_BYTES:
            piece, size = [], 0
            pieces.append(piece)
        piece.append(var)
        open_pieces[dtype] = piece, size + num_bytes
    return pieces
