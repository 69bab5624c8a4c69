"""Several processes that train together: TensorFlow's servers, and what all have to agree on."""

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
PIECE_BYTES = 1 << 26  # Of variables that are sent at a time.
# What TensorFlow makes of a lost process.
GONE = tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError


class Cluster:
    """The processes of a run, each with `num_gpus` devices, as this one sees them. One alone makes a cluster
    without server and collectives.

    Devices count through all processes: those of this one are `first_device` and the following.
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
        """Is this the process that writes?"""
        return self.workers.is_first

    @property
    def is_alone(self) -> bool:
        """Is this the only process?"""
        return self._link is None

    def names_here(self, device_names) -> list:
        """'/device:CPU:1' -> the same device as all processes name it."""
        return [_full_name(self.workers.index, name) for name in device_names]

    def names_everywhere(self, device_names) -> list:
        """Names of these devices in every process, in the order of the processes."""
        return [_full_name(index, name) for index in range(self.workers.count) for name in device_names]

    def gather(self, value) -> list:
        """[value of each process], once all have called this. `value`: what JSON knows."""
        return [value] if self.is_alone else self._link.gather(value)

    def share_variables(self, variables) -> None:
        """Give variables in all processes the values that they have in the first one.

        `variables`: the same ones in the same order everywhere, or UserError is raised. So it is where the
        values, once sent, are not equal.
        """
        if self.is_alone:
            return
        signatures = repr([_signature(var) for var in variables])
        self._check_equal(zlib.crc32(signatures.encode()), 'builds another graph')
        checksum = 0
        for piece in _pieces(variables):
            with tf.device('/cpu:0'), tf.control_dependencies(None):
                sent = [var.read_value() if self.is_first else tf.zeros_like(var) for var in piece]
                (sums,) = collectives.all_reduce_sum(
                    [sent], self.names_here([HOST]), self.names_everywhere([HOST]))
            tfutil.run([tf.assign(var, value).op for var, value in zip(piece, sums, strict=True)])
            for value in tfutil.run(piece):
                checksum = zlib.crc32(np.ascontiguousarray(value), checksum)
        self._check_equal(checksum, 'starts from other values')

    def _check_equal(self, value, otherwise):
        values = self.gather(value)
        for index, other in enumerate(values):
            if other != values[0]:
                raise UserError(f'{self.workers.name_of(index)} {otherwise} than worker 0; start all workers '
                                'with the same program, flags and data')

    def start_session(self, config: dict) -> None:
        """`init_tf`; with several processes, on a TensorFlow server that knows those of the others."""
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
        """Wait until all processes are about to leave; none may go before."""
        if not self.is_alone:
            self._link.close()

    def report(self, error: BaseException) -> None:
        """Tell the others why this process ends. If one of them is the reason, this does not return."""
        if self.is_alone:
            return
        if isinstance(error, tf.errors.OpError):
            self._link.await_verdict(short=not isinstance(error, GONE))
        if isinstance(error, UserError):
            self._link.fail(f'failed: {_first_line(error)}', status=2)
        elif isinstance(error, Exception):
            self._link.fail(f'failed: {type(error).__name__}: {_first_line(error)}', status=1)
        else:
            self._link.fail('was interrupted', status=getattr(error, 'code', None) or 130)


_joined = None  # The Cluster of this process, where it has one.


@contextlib.contextmanager
def membership():
    """Context, or decorator of a function, that may `join` a cluster: it is left in good order in the end, or
    an error is told to the other processes."""
    global _joined
    try:
        yield
        if _joined is not None:
            _joined.close()
    except BaseException as error:
        if _joined is not None:
            _joined.report(error)
        raise
    finally:
        _joined = None


def join(workers: Workers, num_gpus: int, settings: dict, timeout_seconds: float) -> Cluster:
    """Wait for the other workers, if there are any.

    `settings`: {name: text} of what has to be the same in all processes. A worker that does not arrive within
    `timeout_seconds`, or from which nothing is heard for so long later, ends all processes.
    """
    global _joined
    if workers.count == 1:
        return Cluster(num_gpus)
    settings = {**settings, 'num_gpus': num_gpus, 'tensorflow': tf.__version__}
    texts = {name: repr(value) for name, value in settings.items()}
    _joined = Cluster(num_gpus, workers, worker_link.connect(workers, texts, timeout_seconds))
    return _joined


def _first_line(error):
    return str(error).partition('\n')[0]


def _full_name(index, device_name):
    return f'/job:{JOB}/replica:0/task:{index}{device_name}'


def _signature(var):
    """What a variable has in common with its counterparts: the numbers of devices are not in it."""
    return re.sub(r'\bGPU\d+', 'GPU', var.op.name), tfutil.shape_to_list(var.shape), var.dtype.name


def _pieces(variables):
    """Lists of variables of one type and of moderate size, in an order that depends on nothing else."""
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
