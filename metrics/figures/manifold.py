"""The region that a set of features covers, as neighbourhoods: for precision, recall and realism."""

import warnings

import numpy as np

import dnnlib.util
from dnnlib.progress import shown

_STRIP_ROWS = 64  # rows of distances that are computed together: few enough for the processor's cache


def _slices(length, size):
    """Return consecutive slices of at most `size` items that cover `range(length)`."""
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]


def _square_norms(x):
    """Return the squared lengths of rows [N,F] -> [N].

    In half precision, halves are added to each other until eight numbers are left, and these in float32: each
    sum is rounded as often as in TensorFlow, on whose arithmetic the published figures rest.
    """
    if x.dtype != np.float16:
        return np.sum(x * x, axis=1)
    sums = x * x
    while (width := sums.shape[1]) > 8:
        half = (width + 1) // 2
        sums[:, :width - half] += sums[:, half:]
        sums = sums[:, :half]
    return np.sum(sums, axis=1, dtype=np.float32).astype(np.float16)


def _squared_distances(a, b, dtype):
    """Return max(|a|^2 - 2 a.b + |b|^2, 0) in the arithmetic of `dtype`. a [N,F], b [M,F] -> [N,M].

    Half precision: NumPy multiplies float16 matrices one number at a time, so the products are summed in
    float32 and rounded afterwards, as in TensorFlow. The result is float32.
    """
    a, b = a.astype(dtype), b.astype(dtype)
    norms_a, norms_b = _square_norms(a), _square_norms(b)
    wide = np.promote_types(dtype, np.float32)
    result = a.astype(wide) @ b.astype(wide).T
    for part in _slices(len(result), _STRIP_ROWS):
        distances = norms_a[part, np.newaxis] - 2 * result[part].astype(dtype) + norms_b
        np.maximum(distances, 0, out=result[part])
    return result


class Manifold:
    """A set of features with a neighbourhood around each of them (Kynkaanniemi et al. 2019, Algorithm 1)."""

    def __init__(
        self,
        features,                     # [N,F], any float type.
        nhood_sizes         = [3],    # Neighbourhoods reach to the k-th neighbour; an estimate for each k.
        row_batch_size      = 10000,  # Rows of the distance matrix to hold in memory.
        col_batch_size      = 10000,  # Columns of it. Neither changes the results.
        clamp_to_percentile = None,   # Discard neighbourhoods with a radius above this percentile.
        eps                 = 1e-5,   # Added to the distance in the denominator of realism.
        dtype               = np.float16,  # Type to compute distances in.
    ):
        """Compute `radii` [N,len(nhood_sizes)] of `dtype`, the squared distance of each row to its neighbour.

        The published estimator works in float16, and its figures depend on it: it has 11 significant bits,
        and squared lengths and distances above 65504 are infinite. Every point lies within an infinite
        radius, and no point at a distance that is the difference of two infinities. A warning is issued in
        this case; `dtype=np.float32` avoids it, with figures that differ slightly from published ones.

        Memory: one block of distances in float32, and the features of its rows and columns. Raises UserError
        if there are too few rows for the largest neighbourhood.
        """
        self.nhood_sizes = list(nhood_sizes)
        self.row_batch_size = row_batch_size
        self.col_batch_size = col_batch_size
        self.eps = eps
        self.dtype = np.dtype(dtype)
        self.features = _matrix(features)
        if len(features) <= max(self.nhood_sizes):
            raise dnnlib.util.UserError(f'Neighbourhoods of {max(self.nhood_sizes)} need at least '
                                        f'{max(self.nhood_sizes) + 1} samples, not {len(features)}')
        self.radii = np.zeros([len(features), len(self.nhood_sizes)], self.dtype)
        with np.errstate(over='ignore', invalid='ignore'):
            for rows in shown(_slices(len(features), row_batch_size), 'Neighbourhoods', 'blocks'):
                self.radii[rows] = self._nearest(self.features[rows])[:, self.nhood_sizes]
        if not np.all(np.isfinite(self.radii)):
            warnings.warn(f'distances exceed the range of {self.dtype}; see the limits of Manifold',
                          RuntimeWarning, stacklevel=2)
        if clamp_to_percentile is not None:
            limit = np.percentile(self.radii.astype(np.float64), clamp_to_percentile, axis=0)
            self.radii[self.radii > limit] = 0

    def _blocks(self, queries):
        """Yield (slice of the manifold's rows, squared distances [len(queries),block]) for all rows in
        turn."""
        for cols in _slices(len(self.features), self.col_batch_size):
            yield cols, _squared_distances(queries, self.features[cols], self.dtype)

    def _nearest(self, queries):
        """Return the smallest distances in ascending order -> [len(queries),K+1]. The first is that of a row
        to itself, the last that of the largest neighbourhood."""
        count = max(self.nhood_sizes) + 1
        best = np.zeros([len(queries), 0], np.float32)
        for _, distances in self._blocks(queries):
            if distances.shape[1] > count:
                distances.partition(count - 1, axis=1)
            best = np.sort(np.concatenate([best, distances[:, :count]], axis=1), axis=1)[:, :count]
            del distances  # before the next block is allocated
        return best

    def evaluate(self, features, return_realism=False, return_neighbors=False):
        """Return whether each row of `features` [M,F] lies in a neighbourhood: bool [M,len(nhood_sizes)].

        `return_realism`: also float32 [M], the first radius of the nearest row of the manifold over the
        squared distance to it. `return_neighbors`: also int64 [M], the index of that row.
        """
        queries = _matrix(features)
        row_blocks = shown(_slices(len(queries), self.row_batch_size), 'Distances', 'blocks')
        with np.errstate(over='ignore', invalid='ignore'):
            blocks = [self._evaluate_block(queries[rows]) for rows in row_blocks]
            inside, distance, nearest = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
            realism = self.radii[nearest, 0] / (distance.astype(self.dtype) + self.dtype.type(self.eps))
        extra = [realism.astype(np.float32)] * return_realism + [nearest] * return_neighbors
        return (inside, *extra) if extra else inside

    def _evaluate_block(self, queries):
        """Return inside [M,K], squared distance to the nearest row [M], its index [M]."""
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
            del distances  # before the next block is allocated
        return inside, closest, nearest


def _matrix(features):
    features = np.asarray(features)
    if features.ndim != 2:
        raise ValueError(f'expected features [N,F], got shape {list(features.shape)}')
    return features


def precision_recall(real, fake, nhood_size=3, row_batch_size=10000, col_batch_size=10000, dtype=np.float16):
    """Return the share of fakes in the manifold of reals, and the reverse (Kynkaanniemi et al. 2019, Eq. 2).

    real [N,F], fake [M,F] -> (precision, recall). Arithmetic and memory are those of `Manifold`.
    """
    options = dict(nhood_sizes=[nhood_size], row_batch_size=row_batch_size, col_batch_size=col_batch_size,
                   dtype=dtype)
    precision = np.mean(Manifold(real, **options).evaluate(fake))
    recall = np.mean(Manifold(fake, **options).evaluate(real))
    return float(precision), float(recall)
