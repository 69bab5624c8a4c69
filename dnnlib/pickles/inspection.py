"""What a network file holds, found without building, running or trusting any of it."""

import concurrent.futures
import hashlib
import numbers
import os
import pickle
import re
from dataclasses import dataclass, field

from dnnlib import util
from dnnlib.base_shapes import image_shape
from dnnlib.files import sha256
from dnnlib.pickles import arrays, contents, file_kinds, fork_sizes, source_text, stored_state, trust
from dnnlib.pickles import origin as network_origin
from dnnlib.pickles.pytorch import streams

_UNTRAINED = re.compile(r'(.*/)?(lod|dlatent_avg|noise\d+)')  # Variables, in all code bases.

# Kinds of source text that a network is stored with.
CURRENT = 'current'                # What this version stores, word for word.
SELF_CONTAINED = 'self-contained'  # Written by this project for TensorFlow 1.14, as its heading says...
OTHER = 'other'                    # ...or by another version.
MARKED = 'marked'                  # Has functions of the code base; not compared with any text.
UNKNOWN, NONE = 'unknown', 'none'


@dataclass
class Blueprint:
    """A network in a file. None stands for what the file does not say."""
    stored: dict                            # The state in the file...
    state: dict                             # ...and as `stored_state.imported` returned it.
    code: str | None = None                 # Code base, one of those in `origin`...
    func: str | None = None                 # ...and our function that builds the network; None if unknown.
    problem: str | None = None              # Why the function is unknown.
    is_damaged: bool = False                # True if not even its own source text can build the network.
    notes: list = field(default_factory=list)   # Where pieces of evidence disagree, and what is missing.
    writer: str | None = None               # Code for PyTorch that wrote the network, if any.
    kwargs: dict = field(init=False)        # Keyword arguments as our function takes them.

    stored_as = ('dnnlib.tflib.network', 'Network')  # In pickles.

    def __post_init__(self):
        self.kwargs = self.state['static_kwargs']

    def __getstate__(self):
        return self.stored

    @property
    def _build_func_name(self):  # As `origin` expects it.
        return self.state['build_func_name']

    @property
    def components(self) -> dict:
        """{key: Blueprint} of the sub-networks."""
        return {key: each for key, each in self.state['components'].items() if isinstance(each, Blueprint)}

    @property
    def variables(self) -> list:
        """[(name, value)], including those of sub-networks."""
        return [*self.state['variables'],
                *(pair for component in self.components.values() for pair in component.variables)]

    @property
    def num_parameters(self) -> int:
        """Number of trained values."""
        return sum(getattr(value, 'size', 1) for name, value in self.variables
                   if not _UNTRAINED.fullmatch(name))

    @property
    def resolution(self) -> int | None:
        """Side of the images in pixels; the nominal one for a base other than 4x4."""
        sides = [int(match[1]) for name, _ in self.variables
                 if (match := re.search(r'(?:^|/)(\d+)x\1/', name))]
        return self.kwargs.get('resolution') or max(sides, default=None)

    @property
    def image_shape(self) -> list | None:
        """[height, width] of the images."""
        is_number = isinstance(self.resolution, numbers.Real)
        return image_shape(self.kwargs.get('base_shape'), self.resolution) if is_number else None

    @property
    def num_channels(self) -> int | None:
        """Number of channels of the images."""
        sizes = [value.shape[-1] if 'ToRGB' in name else value.shape[-2] for name, value in self.variables
                 if re.search(r'(ToRGB|FromRGB)\w*/weight$', name) and getattr(value, 'ndim', 0) == 4]
        return self.state['static_kwargs'].get('num_channels') or (sizes[0] if sizes else None)

    @property
    def label_size(self) -> int:
        """Number of components of a label, 0 = no labels."""
        return self.state['static_kwargs'].get('label_size') or 0

    @property
    def is_generator(self) -> bool:
        """Whether the network draws images from latents."""
        return self.func is not None and self.func.rpartition('.')[2] in ('G_main', 'G_style', 'G_paper')

    @property
    def num_styles(self) -> int:
        """Number of layers of a generator that take styles, 0 = it has no mapping network."""
        return 2 * self.resolution.bit_length() - 4 if 'mapping' in self.components else 0

    @property
    def latent_size(self) -> int | None:
        """Length of the latents z of a generator; None if the file does not say."""
        return self.kwargs.get('latent_size', 512 if self.num_styles else None)

    @property
    def has_noise(self) -> bool:
        """Whether layers of a generator take noise."""
        return any(re.search(r'(^|/)noise\d+$', name) for name, _ in self.variables)

    @property
    def source_digest(self) -> str:
        """SHA-256 of the stored source text."""
        return hashlib.sha256(self.state['build_module_src'].encode('utf-8', 'surrogatepass')).hexdigest()

    @property
    def source(self) -> str:
        """Kind of the stored source text."""
        text = self.state['build_module_src']
        if not text:
            return NONE
        if self.code is not None and text == source_text.of_name(self.func.rpartition('.')[0]):
            return CURRENT
        if source_text.is_ours(text):
            return SELF_CONTAINED if source_text.is_self_contained(text) else OTHER
        markers = network_origin.SOURCE_MARKERS.get(self.code, ())
        return MARKED if any(marker in text for marker in markers) else UNKNOWN

    def with_components(self):
        """Yield this network and all its sub-networks."""
        yield self
        for component in self.components.values():
            yield from component.with_components()


@dataclass(frozen=True)
class Report:
    """What a file holds."""
    size: int           # In bytes.
    digest: str         # SHA-256.
    found: object       # All of it, with blueprints in place of networks.
    networks: list      # [Blueprint], in the order of the file.
    other: str | None   # Anything but networks, in words.
    is_trusted: bool    # May its source text run, as the user said before?

    @property
    def is_triple(self) -> bool:
        """Whether the file holds (G, D, Gs)."""
        return len(self.networks) == 3 and self.other is None

    @property
    def needs_trust(self) -> bool:
        """Whether there is a network that only its own source text can build."""
        return any(each.func is None for each in self.all_networks())

    @property
    def is_damaged(self) -> bool:
        """Whether there is a network that nothing can build."""
        return any(each.is_damaged for each in self.all_networks())

    @property
    def problems(self) -> list:
        """Why networks and sub-networks cannot be built, damaged ones first."""
        return [each.problem for each in sorted(self.all_networks(), key=lambda each: not each.is_damaged)
                if each.problem]

    def all_networks(self) -> list:
        """Return all networks and sub-networks."""
        return [each for network in self.networks for each in network.with_components()]


class _Finder(contents.Finisher):
    """Replaces the stand-ins of networks by blueprints, and does not copy arrays."""

    def network(self, obj):
        stored = self(obj.state)
        return Blueprint(stored, stored_state.imported(stored, obj.from_tfutil), writer=obj.writer,
                         notes=list(obj.notes))

    def finish(self, obj):
        return obj.numpy if type(obj) is arrays.StoredArray else super().finish(obj)


class _WithoutData:
    """A file whose long byte strings, the data of arrays, read as zeros: nobody looks at them, and memory
    that is not written to costs nothing."""

    _OPCODES = (pickle.BINBYTES, pickle.BINBYTES8, pickle.BYTEARRAY8)
    _LONG_BYTES = 1 << 16

    def __init__(self, file):
        self._file = file
        self.readline, self.peek = file.readline, file.peek
        self._size = os.fstat(file.fileno()).st_size
        self._opcode = None  # Or any other byte that was read alone before.

    def read(self, num_bytes):
        """Return at most this many bytes."""
        if num_bytes < self._LONG_BYTES or self._opcode not in self._OPCODES:
            data = self._file.read(num_bytes)
            self._opcode = data if num_bytes == 1 else self._opcode
            return data
        position = self._file.tell()
        num_bytes = min(num_bytes, self._size - position)
        self._file.seek(position + num_bytes)
        return bytes(num_bytes)


def _read(path, choose, with_data):
    """Return what is in a pickle file, networks as blueprints. Raises UserError if it is another kind of
    file, and names that."""
    with open(path, 'rb') as file:
        beginning = file.read(file_kinds.FIRST_BYTES)
        kind = file_kinds.by_beginning(beginning)
        if kind is not None:
            raise util.UserError(f'this is {kind}')
        file.seek(0)
        try:
            return _Finder()(choose(contents.unpickled(file if with_data else _WithoutData(file))))
        except util.UserError as error:
            if isinstance(error.__cause__, streams.NeedsData) and not with_data:
                return _read(path, choose, with_data=True)
            kind = file_kinds.by_error(str(error), beginning)
            raise util.UserError(f'this is {kind}') if kind else error from None


@util.paused_gc()
def inspect(path: str, choose=lambda found: found, with_data: bool = False) -> Report:
    """Report on a file. Raises UserError, which says what the file is, if it is not a pickle that can be
    read.

    `choose`: function from the contents, with stand-ins for networks, to the part that is wanted.
    `with_data`: read the values of large arrays, too.
    """
    with concurrent.futures.ThreadPoolExecutor() as threads:
        hashed = threads.submit(sha256, path)  # Takes as long as all the rest.
        found = _read(path, choose, with_data)
        digest = hashed.result()
    items = list(found) if isinstance(found, (tuple, list)) else [found]
    networks = [item for item in items if isinstance(item, Blueprint)]
    for network in networks:
        _find_functions(network)
    others = [_described(item) for item in items if not isinstance(item, Blueprint)]
    return Report(
        size=os.path.getsize(path), digest=digest, found=found, networks=networks,
        is_trusted=trust.is_trusted(digest),
        other=_described(found) if not networks else ', '.join(others) or None)


def _find_functions(network, parent=None):
    """Find the functions of a network and its sub-networks. `parent`: code base of the network around it."""
    try:
        origin = network_origin.find(network.state, parent, tell=network.notes.append)
        network.code, network.func = origin.code, origin.func
        _translate_sizes(network, origin)
    except util.UserError as error:
        network.problem = str(error)
        network.is_damaged = not isinstance(error, network_origin.UnknownFunction)
    for component in network.components.values():
        _find_functions(component, network.code)


def _translate_sizes(network, origin):
    network.kwargs = fork_sizes.own_form(network.state, origin)['static_kwargs']
    if network.kwargs is not network.state['static_kwargs']:
        base_shape, resolution = network.kwargs['base_shape'], network.kwargs['resolution']
        network.notes.append(f'{", ".join(fork_sizes.KEYS)}, the arguments of a fork, are read as '
                             f'base_shape={base_shape}, resolution={resolution}')


def _described(item):
    """Describe contents that are not a network."""
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
