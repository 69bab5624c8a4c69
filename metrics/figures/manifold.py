"""The region that a set of features covers, from neighbourhoods: for precision, recall and realism."""

import dataclasses
import warnings

import numpy as np

import dnnlib.util
from dnnlib.progress import shown

_STRIP_ROWS = 64           # rows that are rounded together: they stay in the processor's cache
_HALF_LANES = 8            # numbers that TensorFlow's CPU kernel adds side by side in half precision
_HALF_ACCUMULATORS = 4     # groups of lanes that it fills in turn
_HALF_LEAF_FEATURES = 200 * _HALF_LANES  # longer rows are halved first


def _slices(length, size):
    """Consecutive slices of at most `size` that cover `range(length)`."""
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]


def _round_to_half(x):
    return x.astype(np.float16).astype(np.float32)


def _half_square_norms(x):
    """Squared lengths of float16 rows as TensorFlow's CPU kernels sum them. [N,F] -> float16 [N].

    Each square and each partial sum is rounded, so the order of additions decides the last bits: eight lanes
    in four accumulators, the lanes summed in float32 at the end. With a number of features that eight does
    not divide, and on GPUs, the published figures may differ from this in the last bit.
    """
    num_features = x.shape[1]
    if num_features > _HALF_LEAF_FEATURES:
        middle = -(-num_features // (2 * _HALF_LANES)) * _HALF_LANES
        return _half_square_norms(x[:, :middle]) + _half_square_norms(x[:, middle:])
    squares = np.pad(x * x, [[0, 0], [0, -num_features % _HALF_LANES]])
    packets = squares.reshape(len(x), -1, _HALF_LANES)  # [N,F] -> [N,F/8,8]
    filled = packets.shape[1] // _HALF_ACCUMULATORS * _HALF_ACCUMULATORS
    sums = np.zeros([len(x), _HALF_ACCUMULATORS, _HALF_LANES], np.float16)
    for start in range(0, filled, _HALF_ACCUMULATORS):
        sums = sums + packets[:, start:start + _HALF_ACCUMULATORS]
    lanes = np.zeros([len(x), _HALF_LANES], np.float16)
    for packet in [*np.moveaxis(sums, 1, 0), *np.moveaxis(packets[:, filled:], 1, 0)]:
        lanes = lanes + packet
    return lanes.sum(axis=1, dtype=np.float32).astype(np.float16)


@dataclasses.dataclass(frozen=True)
class _Points:
    """Rows whose distances are wanted. `norms` [N]: their squared lengths in the arithmetic of `dtype`."""

    rows: np.ndarray
    norms: np.ndarray
    dtype: np.dtype

    @classmethod
    def of(cls, features, dtype):
        features = np.asarray(features)
        if features.ndim != 2:
            raise ValueError(f'expected features [N,F], got shape {list(features.shape)}')
        norms = np.zeros(len(features), dtype)
        for part in _slices(len(features), _STRIP_ROWS):
            x = features[part].astype(dtype)
            norms[part] = _half_square_norms(x) if dtype == np.float16 else np.sum(x * x, axis=1)
        return cls(features, norms, dtype)

    def __getitem__(self, part):
        """The points of a slice, rounded to `dtype`; half precision is kept in float32 from here on."""
        rows, norms = self.rows[part].astype(self.dtype), self.norms[part]
        if self.dtype == np.float16:
            rows, norms = rows.astype(np.float32), norms.astype(np.float32)
        return _Points(rows, norms, self.dtype)

    def __len__(self):
        return len(self.rows)


def _squared_distances(a, b):
    """max(|a|^2 - 2 a.b + |b|^2, 0) for two blocks of points -> [len(a), len(b)].

    In half precision every step is rounded as float16 arithmetic would round it. NumPy multiplies float16
    matrices one number at a time, so the products are summed in float32 and rounded then, which is also what
    TensorFlow does, up to the order of additions.
    """
    result = a.rows @ b.rows.T
    rounded = _round_to_half if a.dtype == np.float16 else np.asarray
    for part in _slices(len(result), _STRIP_ROWS):
        twice = rounded(2 * rounded(result[part]))
        distances = rounded(rounded(a.norms[part, np.newaxis] - twice) + b.norms)
        np.maximum(distances, 0, out=result[part])
    return result


class Manifold:
    """A set of features with a neighbourhood around each (Kynkaanniemi et al. 2019, Algorithm 1)."""

    def __init__(
        self,
        features,                     # [N,F], any float type.
        nhood_sizes         = [3],    # k: a neighbourhood reaches to the k-th neighbour. One estimate each.
        row_batch_size      = 10000,  # Rows of a block of distances. Blocks bound the memory.
        col_batch_size      = 10000,  # Columns of a block. Neither changes the results.
        clamp_to_percentile = None,   # Neighbourhoods with a radius above this percentile become empty.
        eps                 = 1e-5,   # Keeps realism finite: added to the distance in its denominator.
        dtype               = np.float16,  # Type that distances are computed in.
    ):
        """Compute `radii` [N, len(nhood_sizes)] of `dtype`: squared distances from each row to its k-th
        nearest other row.

        The published estimator works in float16, and so does this one by default; its figures depend on it.
        Half precision has 11 significant bits and ends at 65504. A squared length or distance beyond that is
        infinite: infinite radii take in every query, and a difference of two infinities none. A warning says
        when that happens; `dtype=np.float32` avoids it, at figures that differ slightly from published ones.

        Memory: next to the features, one block of distances in float32 and the features of its rows and
        columns. Raises UserError if there are too few rows for the largest neighbourhood.
        """
        self.nhood_sizes = list(nhood_sizes)
        self.row_batch_size = row_batch_size
        self.col_batch_size = col_batch_size
        self.eps = eps
        self.dtype = np.dtype(dtype)
        if len(features) <= max(self.nhood_sizes):
            raise dnnlib.util.UserError(f'Neighbourhoods of {max(self.nhood_sizes)} need at least '
                                        f'{max(self.nhood_sizes) + 1} samples, not {len(features)}')
        with np.errstate(over='ignore', invalid='ignore'):
            self._points = _Points.of(features, self.dtype)
            self.radii = np.zeros([len(features), len(self.nhood_sizes)], self.dtype)
            for rows in shown(_slices(len(features), row_batch_size), 'Neighbourhoods', 'blocks'):
                self.radii[rows] = self._nearest(self._points[rows])[:, self.nhood_sizes]
        if not np.all(np.isfinite(self.radii)):
            warnings.warn(f'distances exceed the range of {self.dtype}; see the limits of Manifold',
                          RuntimeWarning, stacklevel=2)
        if clamp_to_percentile is not None:
            limit = np.percentile(self.radii.astype(np.float64), clamp_to_percentile, axis=0)
            self.radii[self.radii > limit] = 0

    def _blocks(self, queries):
        """Yields (slice of the manifold's points, distances [len(queries), block]) for all points in turn."""
        for cols in _slices(len(self._points), self.col_batch_size):
            yield cols, _squared_distances(queries, self._points[cols])

    def _nearest(self, queries):
        """The smallest distances, ascending, one more than the largest neighbourhood: the first one is that
        of a row to itself. -> [len(queries), K+1]"""
        count = max(self.nhood_sizes) + 1
        best = np.zeros([len(queries), 0], np.float32)
        for _, distances in self._blocks(queries):
            if distances.shape[1] > count:
                distances.partition(count - 1, axis=1)
            best = np.sort(np.concatenate([best, distances[:, :count]], axis=1), axis=1)[:, :count]
            del distances  # before the next block takes as much
        return best

    def evaluate(self, features, return_realism=False, return_neighbors=False):
        """Which rows of `features` [M,F] lie in the neighbourhood of some row of the manifold.

        Returns bool [M, len(nhood_sizes)]. `return_realism`: also float32 [M], the first radius of the
        nearest row over the squared distance to it. `return_neighbors`: also int64 [M], that row's index.
        """
        with np.errstate(over='ignore', invalid='ignore'):
            queries = _Points.of(features, self.dtype)
            row_blocks = shown(_slices(len(queries), self.row_batch_size), 'Distances', 'blocks')
            blocks = [self._evaluate_block(queries[rows]) for rows in row_blocks]
            inside, distance, nearest = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
            realism = self.radii[nearest, 0] / (distance.astype(self.dtype) + self.dtype.type(self.eps))
        extra = [realism.astype(np.float32)] * return_realism + [nearest] * return_neighbors
        return (inside, *extra) if extra else inside

    def _evaluate_block(self, queries):
        """-> inside [M,K], squared distance to the nearest row [M], its index [M]"""
        inside = np.zeros([len(queries), len(self.nhood_sizes)], bool)
        closest = np.full(len(queries), np.inf)
        nearest = np.zeros(len(queries), np.int64)
        for cols, distances in self._blocks(queries):
            for index, radii in enumerate(self.radii[cols].T.astype(distances.dtype)):
                inside[:, index] |= np.any(distances <= radii, axis=1)
            column = np.argmin(distances, axis=1)
            smallest = distances[np.arange(len(queries)), column]
            closer = smallest < closest
            closest[closer] = smallest[closer]
            nearest[closer] = column[closer] + cols.start
            del distances  # before the next block takes as much
        return inside, closest, nearest


def precision_recall(real, fake, nhood_size=3, row_batch_size=10000, col_batch_size=10000, dtype=np.float16):
    """Share of fakes in the manifold of reals and the reverse (Kynkaanniemi et al. 2019, Eq. 2).

    real [N,F], fake [M,F] -> (precision, recall). Arithmetic and memory as for `Manifold`.
    """
    options = dict(nhood_sizes=[nhood_size], row_batch_size=row_batch_size, col_batch_size=col_batch_size,
                   dtype=dtype)
    precision = np.mean(Manifold(real, **options).evaluate(fake))
    recall = np.mean(Manifold(fake, **options).evaluate(real))
    return float(precision), float(recall)
