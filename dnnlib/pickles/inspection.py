"""What a network file holds, told without building, running or even trusting any of it."""

import concurrent.futures
import hashlib
import os
import pickle
import re
from dataclasses import dataclass, field

from dnnlib import util
from dnnlib.pickles import arrays, contents, file_kinds, network_source, stored_state, trust
from dnnlib.pickles import origin as network_origin

# Variables that are not trained, in all code bases.
_UNTRAINED = re.compile(r'(.*/)?(lod|dlatent_avg|noise\d+)')

# What is known of the stored source text of a network.
CURRENT, OLDER, MARKED, UNKNOWN, NONE = 'current', 'older', 'marked', 'unknown', 'none'


@dataclass
class Blueprint:
    """A network in a file. What the file does not tell is None."""
    state: dict                             # As `stored_state.imported` returned it.
    code: str | None = None                 # Code base, one of those in `network_origin`...
    func: str | None = None                 # ...and our function that builds it; None where none is known.
    problem: str | None = None              # Why none is known.
    is_damaged: bool = False                # Can the network not even be built by its own source text?
    notes: list = field(default_factory=list)   # Where pieces of evidence disagree.

    @property
    def _build_func_name(self):  # as `network_origin` asks networks
        return self.state['build_func_name']

    @property
    def components(self) -> dict:
        """{key: Blueprint} of the sub-networks."""
        return self.state['components']

    @property
    def variables(self) -> list:
        """[(name, value)], those of sub-networks included."""
        return [*self.state['variables'],
                *(pair for component in self.components.values() for pair in component.variables)]

    @property
    def num_parameters(self) -> int:
        """Number of trained values."""
        return sum(getattr(value, 'size', 1) for name, value in self.variables
                   if not _UNTRAINED.fullmatch(name))

    @property
    def resolution(self) -> int | None:
        """Of the images, in pixels."""
        sides = [int(match[1]) for name, _ in self.variables
                 if (match := re.search(r'(?:^|/)(\d+)x\1/', name))]
        return self.state['static_kwargs'].get('resolution') or max(sides, default=None)

    @property
    def num_channels(self) -> int | None:
        """Of the images."""
        sizes = [value.shape[-1] if 'ToRGB' in name else value.shape[-2] for name, value in self.variables
                 if re.search(r'(ToRGB|FromRGB)\w*/weight$', name) and getattr(value, 'ndim', 0) == 4]
        return self.state['static_kwargs'].get('num_channels') or (sizes[0] if sizes else None)

    @property
    def label_size(self) -> int:
        """Number of components of a label, 0 = no labels."""
        return self.state['static_kwargs'].get('label_size') or 0

    @property
    def is_generator(self) -> bool:
        """Does it draw images from latents?"""
        return self.func is not None and self.func.rpartition('.')[2] in ('G_main', 'G_style', 'G_paper')

    @property
    def num_styles(self) -> int:
        """Number of layers that a generator with a mapping network takes styles for, 0 = there is none."""
        return 2 * self.resolution.bit_length() - 4 if 'mapping' in self.components else 0

    @property
    def source_digest(self) -> str:
        """SHA-256 of the stored source text."""
        return hashlib.sha256(self.state['build_module_src'].encode('utf-8', 'surrogatepass')).hexdigest()

    @property
    def source(self) -> str:
        """What is known of the stored source text: CURRENT, what this code stores, word for word; OLDER, its
        heading, but another text; MARKED, functions of the code base, not compared; UNKNOWN; or NONE."""
        text = self.state['build_module_src']
        if not text:
            return NONE
        if self.code is not None and text == network_source.of_name(self.func.rpartition('.')[0]):
            return CURRENT
        if network_source.has_heading(text):
            return OLDER
        markers = network_origin.SOURCE_MARKERS.get(self.code, ())
        return MARKED if any(marker in text for marker in markers) else UNKNOWN


@dataclass(frozen=True)
class Report:
    """What a file holds."""
    size: int           # In bytes.
    digest: str         # SHA-256.
    networks: list      # [Blueprint], in the order of the file...
    is_alone: bool      # ...which holds one, in no collection.
    other: str | None   # What it holds beside networks or in place of them, in words.
    is_trusted: bool    # May its source text be run, as was said before?

    @property
    def is_triple(self) -> bool:
        """Are these (G, D, Gs)?"""
        return len(self.networks) == 3 and self.other is None

    @property
    def needs_trust(self) -> bool:
        """Is there a network that only its own source text can build?"""
        return any(each.func is None for network in self.networks for each in _all_of(network))

    @property
    def is_damaged(self) -> bool:
        """Is there a network that nothing can build?"""
        return any(each.is_damaged for network in self.networks for each in _all_of(network))

    @property
    def problems(self) -> list:
        """Why no function of ours builds a network or a sub-network, what nothing can build first."""
        found = [each for network in self.networks for each in _all_of(network) if each.problem]
        return [each.problem for each in sorted(found, key=lambda each: not each.is_damaged)]


class _Finder(arrays.Finisher):
    """Replaces the stand-ins of networks by blueprints, and leaves arrays where they are."""

    leaves = contents.LEAVES

    def finish(self, obj):
        if isinstance(obj, contents.StoredNetwork):
            return Blueprint(stored_state.imported(self(obj.state), obj.from_tfutil))
        if isinstance(obj, contents.StoredOptions):
            return obj.becomes()
        return obj.numpy if type(obj) is arrays.StoredArray else super().finish(obj)


class _WithoutData:
    """A file whose long byte strings, the data of arrays, read as zeros: nobody looks at them here, and
    memory that is not written to costs nothing."""

    _OPCODES = (pickle.BINBYTES, pickle.BINBYTES8, pickle.BYTEARRAY8)
    _LONG_BYTES = 1 << 16

    def __init__(self, file):
        self._file = file
        self._size = os.fstat(file.fileno()).st_size
        self._opcode = None  # or whatever byte was read alone before

    def read(self, num_bytes):
        """At most so many bytes."""
        if num_bytes < self._LONG_BYTES or self._opcode not in self._OPCODES:
            data = self._file.read(num_bytes)
            self._opcode = data if num_bytes == 1 else self._opcode
            return data
        position = self._file.tell()
        num_bytes = min(num_bytes, self._size - position)
        self._file.seek(position + num_bytes)
        return bytes(num_bytes)

    def readline(self):
        """Up to the end of a line."""
        return self._file.readline()


def _digest(path):
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def _read(path, choose):
    """What is in a pickle file, networks as blueprints. Raises UserError where it is none, and says what it
    is."""
    with open(path, 'rb') as file:
        kind = file_kinds.by_beginning(file.read(file_kinds.FIRST_BYTES))
        if kind is not None:
            raise util.UserError(f'this is no network file but {kind}')
        file.seek(0)
        try:
            return _Finder()(choose(contents.unpickled(_WithoutData(file))))
        except util.UserError as error:
            file.seek(0)
            kind = file_kinds.by_error(str(error), file.read(1))
            raise util.UserError(f'this is {kind}') if kind else error from None


@util.paused_gc()
def inspect(path: str, choose=lambda found: found) -> Report:
    """What is in a file. Raises UserError where that is no pickle that this code reads; the text then says
    what it is.

    `choose`: function from what the file holds, networks being stand-ins still, to the part that is wanted.
    """
    with concurrent.futures.ThreadPoolExecutor() as threads:
        hashed = threads.submit(_digest, path)  # takes as long as all the rest
        found = _read(path, choose)
        digest = hashed.result()
    items = list(found) if isinstance(found, (tuple, list)) else [found]
    networks = [item for item in items if isinstance(item, Blueprint)]
    for network in networks:
        _find_functions(network)
    others = [_described(item) for item in items if not isinstance(item, Blueprint)]
    return Report(
        size=os.path.getsize(path), digest=digest, networks=networks, is_alone=isinstance(found, Blueprint),
        is_trusted=trust.is_trusted(digest),
        other=_described(found) if not networks else ', '.join(others) or None)


def _all_of(network):
    """A network and its sub-networks."""
    yield network
    for component in network.components.values():
        yield from _all_of(component)


def _find_functions(network, parent=None):
    """Find the functions of a network and of its sub-networks."""
    try:
        origin = network_origin.find(network.state, parent, tell=network.notes.append)
        network.code, network.func = origin.code, origin.func
    except util.UserError as error:
        network.problem = str(error)
        network.is_damaged = not isinstance(error, network_origin.UnknownFunction)
    for component in network.components.values():
        if isinstance(component, Blueprint):
            _find_functions(component, network.code)


def _described(item):
    """What a file holds that is no network, in words."""
    if isinstance(item, dict) and 'run_func_name' in item:
        return f'the settings of a run of {item["run_func_name"]}'
    if isinstance(item, dict) and {'origin', 'statistics'} <= set(item):
        return 'statistics of real images'
    if hasattr(item, 'shape'):
        return f'an array {list(item.shape)}'
    if isinstance(item, (tuple, list)) and not item:
        return f'an empty {type(item).__name__}'
    if isinstance(item, (tuple, list)) and len(item) <= 4:
        return f'a {type(item).__name__} of {" and ".join(map(_described, item))}'
    return f'an object of type {type(item).__name__}'
