"""Which processes train together, and which of them this one is, by TF_CONFIG or by flags."""

import contextlib
import dataclasses
import json
import os
import re

import dnnlib
from dnnlib.util import EasyDict, UserError, get_obj_by_name

VARIABLE = 'TF_CONFIG'
LOG_LEVEL = 'TF_CPP_MIN_LOG_LEVEL'
EXAMPLE = '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'


@dataclasses.dataclass(frozen=True)
class Workers:
    """The processes of a run in the order of their indices, by address, 'host:port'; none for a single
    process."""
    addresses: tuple = ()
    index: int = 0  # Index of this process.

    @property
    def count(self) -> int:
        """Number of processes."""
        return max(len(self.addresses), 1)

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes."""
        return self.index == 0

    def name_of(self, index: int) -> str:
        """Return the name of a worker for messages."""
        return f'worker {index} ({self.addresses[index]})'


def from_environment() -> Workers:
    """Return the workers in the variable TF_CONFIG; a single one if it is unset or names only one.

    A task of type 'chief' is the first worker, as elsewhere in TensorFlow. Raises UserError for invalid
    text and for tasks of other types.
    """
    text = os.environ.get(VARIABLE, '')
    if not text.strip():
        return Workers()
    try:
        config = json.loads(text)
        cluster, task = config.get('cluster', {}), config.get('task', {})
        chiefs, workers = cluster.get('chief', []), cluster.get('worker', [])
        addresses = [*chiefs, *workers]
        kind, index = task.get('type', 'worker'), int(task.get('index', 0))
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(f'{VARIABLE}={text}: expected {EXAMPLE}') from error
    if set(cluster) - {'chief', 'worker'} or kind not in ('chief', 'worker'):
        raise UserError(f'{VARIABLE}={text}: expected tasks of type worker, the first of which may be a '
                        'chief')
    return _checked(addresses, index + (len(chiefs) if kind == 'worker' else 0), VARIABLE)


def from_flags(addresses: list | None, index: int | None) -> Workers:
    """Return the workers of --workers and --worker-index, or else of TF_CONFIG, which is set to the same.

    Raises UserError for inconsistent flags. Call this before TensorFlow loads: it suppresses TensorFlow's
    many lines about a lost worker.
    """
    if (addresses is None) != (index is None):
        raise UserError('--workers and --worker-index go together: expected host:port,... and the index of '
                        'this process among them, counted from 0')
    if addresses is not None:
        _checked(addresses, index, '--workers')
        os.environ[VARIABLE] = json.dumps(
            {'cluster': {'worker': addresses}, 'task': {'type': 'worker', 'index': index}})
    workers = from_environment()
    if workers.count > 1 and os.environ.get(LOG_LEVEL) == '2':  # as dnnlib sets it
        os.environ[LOG_LEVEL] = '3'
    return workers


def _checked(addresses, index, source):
    """Return the Workers of some addresses. Raises UserError, naming the source, for invalid ones."""
    for address in addresses:
        port = re.fullmatch(r'.*[^:]:([0-9]{1,5})', address) if isinstance(address, str) else None
        if port is None or not 0 < int(port[1]) < 1 << 16:
            raise UserError(f'{source}: expected addresses such as host:2222, not {address!r}')
    if len(set(addresses)) < len(addresses):
        raise UserError(f'{source}: an address is repeated; each worker needs its own port')
    if not 0 <= index < max(len(addresses), 1):
        raise UserError(f'{source}: no worker {index} among {len(addresses)}; they are counted from 0')
    return Workers() if len(addresses) < 2 else Workers(tuple(addresses), index)


def follow(submit_config, run_func_name: str, **run_func_kwargs) -> None:
    """Call a run function in a worker other than the first: without run directory, printing only errors."""
    config = EasyDict(submit_config)
    config.run_dir = None
    dnnlib.submit_config = config
    try:
        with open(os.devnull, 'w', encoding='utf-8') as nowhere, contextlib.redirect_stdout(nowhere):
            get_obj_by_name(run_func_name)(**run_func_kwargs)
    finally:
        dnnlib.submit_config = None
