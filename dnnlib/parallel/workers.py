"""Which processes train together, and which of them this one is: from TF_CONFIG or from flags."""

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
    """The processes of a run in the order of their indices, by address, 'host:port'. No addresses: one
    process alone."""
    addresses: tuple = ()
    index: int = 0  # Of this process.

    @property
    def count(self) -> int:
        """Number of processes."""
        return max(len(self.addresses), 1)

    @property
    def is_first(self) -> bool:
        """Is this the process that writes?"""
        return self.index == 0

    def name_of(self, index: int) -> str:
        """A worker as messages name it."""
        return f'worker {index} ({self.addresses[index]})'


def from_environment() -> Workers:
    """The workers of the variable TF_CONFIG; one alone where it is not set or names no more than one.

    A task of type 'chief' is the first worker, as elsewhere in TensorFlow. Raises UserError for text that
    does not say who is who, and for tasks of other types.
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
    """The workers of --workers and --worker-index, which win over TF_CONFIG and are put there for whoever
    asks next. Raises UserError where they do not go together.

    Call it before TensorFlow is loaded, whose many lines about a lost worker it leaves out.
    """
    if (addresses is None) != (index is None):
        raise UserError('--workers and --worker-index go together: expected host:port,... and the place of '
                        'this process among them, from 0 on')
    if addresses is not None:
        _checked(addresses, index, '--workers')
        os.environ[VARIABLE] = json.dumps(
            {'cluster': {'worker': addresses}, 'task': {'type': 'worker', 'index': index}})
    workers = from_environment()
    if workers.count > 1 and os.environ.get(LOG_LEVEL) == '2':  # as dnnlib sets it
        os.environ[LOG_LEVEL] = '3'
    return workers


def _checked(addresses, index, source):
    """Workers of these addresses. Raises UserError, naming the source, for what cannot be."""
    for address in addresses:
        port = re.fullmatch(r'.*[^:]:([0-9]{1,5})', address) if isinstance(address, str) else None
        if port is None or not 0 < int(port[1]) < 1 << 16:
            raise UserError(f'{source}: expected addresses such as host:2222, not {address!r}')
    if len(set(addresses)) < len(addresses):
        raise UserError(f'{source}: an address stands there twice; each worker needs a port of its own')
    if not 0 <= index < max(len(addresses), 1):
        raise UserError(f'{source}: there is no worker {index}; the indices of {len(addresses)} workers '
                        f'begin with 0')
    return Workers() if len(addresses) < 2 else Workers(tuple(addresses), index)


def follow(submit_config, run_func_name: str, **run_func_kwargs) -> None:
    """Call a run function in a process that is not the first: without run directory, and silent but for
    errors."""
    config = EasyDict(submit_config)
    config.run_dir = None
    dnnlib.submit_config = config
    try:
        with open(os.devnull, 'w', encoding='utf-8') as nowhere, contextlib.redirect_stdout(nowhere):
            get_obj_by_name(run_func_name)(**run_func_kwargs)
    finally:
        dnnlib.submit_config = None
