"""What the page asks for, as a checked value: which latents, how styles and noise are mixed, the class."""

import math
from dataclasses import dataclass, replace

from dnnlib.util import UserError
from latents.commands.command import FIRST_ABSENT_SEED

MAX_SOURCES = 4
MAX_LAYERS = 64
MAX_PSI = 10
MAX_FRAMES = 3600

# Where the noise of a layer comes from: the numbers after the latents of the seed, as `generate-images` draws
# it; the network file; a seed of its own; nowhere.
NOISE_OF_SEED, STORED, DRAWN, OFF = NOISES = ('seed', 'stored', 'drawn', 'off')
GAUSSIAN, SEEDS = PATHS = ('gaussian', 'seeds')


@dataclass(frozen=True)
class Source:
    """Where dlatents come from: a seed or a row of a loaded file."""
    seed: int | None = None
    file: str | None = None
    row: int = 0


@dataclass(frozen=True)
class Walk:
    """A frame of a closed walk that replaces the latents of the first source."""
    path: str           # 'gaussian': a random walk; 'seeds': through the seed and those after it.
    num_frames: int
    frame: int
    num_stops: int = 8  # Seeds on the path.


@dataclass(frozen=True)
class State:
    """A picture that can be drawn again. Layers beyond the end of a list are like its last entry."""
    sources: tuple = (Source(0),)
    layers: tuple = (0,)            # Index of the source of each layer.
    psi: float = 0.7
    cutoff: int | None = None       # None = as the network does.
    class_idx: int | None = None
    noises: tuple = (NOISE_OF_SEED,)    # For each layer, one of NOISES.
    noise_seed: int = 0
    walk: Walk | None = None

    @property
    def base(self) -> Source:
        """The first source."""
        return self.sources[0]

    def source_of(self, layer) -> int:
        """Return the index of the source of a layer."""
        return self.layers[min(layer, len(self.layers) - 1)]

    def noise_of(self, layer) -> tuple:
        """Return the origin of the noise of a layer: one of NOISES and, if it is drawn, its seed."""
        noise = self.noises[min(layer, len(self.noises) - 1)]
        if noise == NOISE_OF_SEED:
            return (STORED, None) if self.base.seed is None else (noise, self.base.seed)
        return noise, self.noise_seed if noise == DRAWN else None

    def at_frame(self, frame):
        """Return the state at another frame of its walk."""
        return replace(self, walk=replace(self.walk, frame=frame))


def parse(content) -> State:
    """Return the state in parsed JSON. Raises UserError, which names what is wrong."""
    content = _dict(content, 'state')
    sources = _list(content.get('sources', [{'seed': 0}]), 'sources', MAX_SOURCES)
    layers = _list(content.get('layers', [0]), 'layers', MAX_LAYERS)
    noises = _list(content.get('noises', [NOISE_OF_SEED]), 'noises', MAX_LAYERS)
    sources = tuple(_source(source) for source in sources)
    walk = content.get('walk')
    if walk is not None and sources[0].seed is None:
        raise UserError('walk: starts from a seed, not from loaded latents')
    return State(
        sources=sources,
        layers=tuple(_whole(layer, 'layers', 0, len(sources) - 1) for layer in layers),
        psi=_number(content.get('psi', 0.7), 'psi'),
        cutoff=_optional(content, 'cutoff', MAX_LAYERS),
        class_idx=_optional(content, 'class', FIRST_ABSENT_SEED),
        noises=tuple(_one_of(noise, 'noises', NOISES) for noise in noises),
        noise_seed=_whole(content.get('noiseSeed', 0), 'noiseSeed', 0, FIRST_ABSENT_SEED - 1),
        walk=None if walk is None else _walk(_dict(walk, 'walk')))


def _source(content):
    content = _dict(content, 'sources')
    if 'file' in content:
        if not isinstance(content['file'], str):
            raise UserError('sources: expected the id of a loaded file')
        return Source(file=content['file'], row=_whole(content.get('row', 0), 'row', 0, FIRST_ABSENT_SEED))
    return Source(seed=_whole(content.get('seed'), 'seed', 0, FIRST_ABSENT_SEED - 1))


def _walk(content):
    num_frames = _whole(content.get('frames'), 'frames', 2, MAX_FRAMES)
    return Walk(path=_one_of(content.get('path'), 'path', PATHS), num_frames=num_frames,
                frame=_whole(content.get('frame', 0), 'frame', 0, num_frames - 1),
                num_stops=_whole(content.get('stops', 8), 'stops', 2, 100))


def _dict(value, name):
    if not isinstance(value, dict):
        raise UserError(f'{name}: expected an object')
    return value


def _list(value, name, maximum):
    if not isinstance(value, list) or not 1 <= len(value) <= maximum:
        raise UserError(f'{name}: expected a list of 1 to {maximum} entries')
    return value


def _whole(value, name, minimum, maximum):
    if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= maximum:
        raise UserError(f'{name}: expected a whole number from {minimum} to {maximum}')
    return value


def _optional(content, name, maximum):
    value = content.get(name)
    return None if value is None else _whole(value, name, 0, maximum)


def _number(value, name):
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or abs(value) > MAX_PSI:
        raise UserError(f'{name}: expected a number from -{MAX_PSI} to {MAX_PSI}')
    return float(value)


def _one_of(value, name, choices):
    if value not in choices:
        raise UserError(f'{name}: expected one of {", ".join(choices)}')
    return value
