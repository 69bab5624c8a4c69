"""What metrics compute from features: NumPy and SciPy on arrays, without TensorFlow."""

import numpy as np
import scipy.linalg
import scipy.special

from dnnlib.progress import shown
from dnnlib.util import UserError


def all_rows(batches):
    """Join batches [n,F] to float32 [N,F]."""
    return np.concatenate([batch.astype(np.float32) for batch in batches])


def _blocks(batches, size=512):
    """Yield the rows of batches [n,F] in blocks of `size` and, if any are left, a smaller one."""
    rows = None
    for batch in batches:
        rows = batch if rows is None else np.concatenate([rows, batch])
        while len(rows) >= size:
            yield rows[:size]
            rows = rows[size:]
    if rows is not None and len(rows):
        yield rows


def moments(batches, ddof=1):
    """Return mean [F] and covariance [F,F] of the rows of batches [n,F], in float64.

    Rows are summed in blocks of a fixed size, relative to the first row: results do not depend on the size of
    the batches, not even in the last bit, and means that are large next to the deviations cost no precision.
    Raises UserError with too few rows. `ddof`: the divisor is the number of rows less this.
    """
    origin, count, total, products = None, 0, 0.0, 0.0
    for block in _blocks(batches):
        if origin is None:
            origin = block[0].astype(np.float64)
        block = block - origin
        count += len(block)
        total += block.sum(axis=0)
        products += block.T @ block
    if count < 1 + ddof:
        raise UserError(f'Statistics need at least {1 + ddof} samples, not {count}')
    return origin + total / count, (products - np.outer(total, total) / count) / (count - ddof)


def _root_factor(covariance):
    """Return R [F,r] with R R^T = covariance [F,F], of rank r.

    Directions without variance are omitted: their eigenvalues are rounding errors, and the roots of these
    would be a million times larger.
    """
    values, vectors = scipy.linalg.eigh(covariance)
    noise = len(values) * np.finfo(np.float64).eps * np.abs(values).max(initial=0.0)
    kept = values > noise
    return vectors[:, kept] * np.sqrt(values[kept])


def frechet_distance(mean_a, cov_a, mean_b, cov_b):
    """Return |m_a - m_b|^2 + tr(A + B - 2 (A B)^(1/2)), the distance of two Gaussians (Heusel et al. 2017).

    Means [F], covariances [F,F] -> float, 0 or more; nan if the statistics are not finite.

    With A = R R^T and B = S S^T, A B = R (R^T S) S^T has the eigenvalues of (R^T S)(R^T S)^T, so the trace of
    its root is the sum of the singular values of R^T S. This equals the published square root of the product
    and holds with fewer samples than features, too.
    """
    mean_a, cov_a, mean_b, cov_b = (np.asarray(x, np.float64) for x in (mean_a, cov_a, mean_b, cov_b))
    if not all(np.all(np.isfinite(x)) for x in (mean_a, cov_a, mean_b, cov_b)):
        return float('nan')
    cross = _root_factor(cov_a).T @ _root_factor(cov_b)
    root_trace = np.sum(scipy.linalg.svdvals(cross)) if cross.size else 0.0
    distance = np.sum(np.square(mean_a - mean_b)) + np.trace(cov_a) + np.trace(cov_b) - 2 * root_trace
    return float(max(distance, 0.0))


def kernel_distance(real, fake, num_subsets=100, max_subset_size=1000, random=np.random):
    """Return the squared maximum mean discrepancy with the kernel (x.y / F + 1)^3 (Binkowski et al. 2018).

    real [N,F], fake [M,F] -> float64, the mean over random subsets. It is unbiased, so it can be negative.
    `random`: draws the subsets, fakes first. Raises UserError with fewer than 2 rows.
    """
    real, fake = np.asarray(real), np.asarray(fake)
    size = min(len(real), len(fake), max_subset_size)
    if size < 2:
        raise UserError(f'The kernel distance needs at least 2 samples of each kind, not {size}')
    total = 0.0
    for _ in shown(range(num_subsets), 'Kernel distance', 'subsets'):
        x = fake[random.choice(len(fake), size, replace=False)].astype(np.float64)
        y = real[random.choice(len(real), size, replace=False)].astype(np.float64)
        within = _cubic_kernel(x, x) + _cubic_kernel(y, y)
        across = _cubic_kernel(x, y)
        total += (within.sum() - np.trace(within)) / (size - 1) - 2 * across.sum() / size
    return float(total / num_subsets / size)


def _cubic_kernel(x, y):
    return (x @ y.T / x.shape[1] + 1) ** 3


def inception_score(probabilities, num_splits=10):
    """Return the inception score, exp(mean KL(p(class | image) || p(class))) (Salimans et al. 2016).

    probabilities [N,classes] in the order of the images -> (mean, population standard deviation) over splits.
    Raises UserError with fewer rows than splits.
    """
    count = len(probabilities)
    if count < num_splits:
        raise UserError(f'An inception score in {num_splits} splits needs at least {num_splits} '
                                    f'samples, not {count}')
    scores = []
    for index in range(num_splits):
        rows = slice(index * count // num_splits, (index + 1) * count // num_splits)
        p = np.asarray(probabilities[rows], np.float64)
        divergence = scipy.special.rel_entr(p, p.mean(axis=0, keepdims=True))
        scores.append(np.exp(np.mean(np.sum(divergence, axis=1))))
    return float(np.mean(scores)), float(np.std(scores))


def filtered_mean(distances):
    """Return the mean of path lengths from the 1st to the 99th percentile (Karras et al. 2019, section 4.1).

    distances [N] -> float. Both percentiles are samples, rounded outwards, and are included. Raises UserError
    if there are no samples.
    """
    distances = np.asarray(distances, np.float64)
    if not distances.size:
        raise UserError('A path length needs at least 1 sample')
    low = np.percentile(distances, 1, method='lower')
    high = np.percentile(distances, 99, method='higher')
    return float(np.mean(distances[(distances >= low) & (distances <= high)]))


def conditional_entropy(table):
    """Return H(column | row) in bits (Karras et al. 2019, section 4.2).

    table [rows,columns]: joint frequencies or counts, which are normalized in float32 -> float, 0 or more.
    """
    table = np.asarray(table, np.float32)
    p = table / table.sum()
    rows, columns = p.sum(axis=1, keepdims=True), p.sum(axis=0)
    information = np.sum(scipy.special.rel_entr(p, rows * columns)) / np.log(2)
    entropy = np.sum(scipy.special.entr(columns)) / np.log(2)
    return float(max(entropy - information, 0.0))


def require_scikit_learn():
    """Return scikit-learn's LinearSVC. Raises UserError if scikit-learn is missing."""
    try:
        from sklearn.svm import LinearSVC
    except ImportError as error:
        raise UserError('Linear separability needs scikit-learn: install the extra "ls" or run '
                        'pip install scikit-learn') from error
    return LinearSVC


def separability_entropy(latents, targets):
    """Return H(target | side of the best plane) in bits (Karras et al. 2019, section 4.2).

    latents [N,F], targets int [N] in {0, 1} -> float: 0 if a linear SVM classifies all samples that it is
    fitted to correctly or if there is a single class. The solver draws from NumPy's global generator. Raises
    UserError if scikit-learn is missing.
    """
    svm = require_scikit_learn()(dual=True)
    latents, targets = np.asarray(latents), np.asarray(targets)
    if not np.all(np.isfinite(latents)):
        return float('nan')
    if np.all(targets == targets[:1]):
        return 0.0
    predictions = svm.fit(latents, targets).predict(latents)
    table = [[np.sum((predictions == row) & (targets == column)) for column in (0, 1)] for row in (0, 1)]
    return conditional_entropy(table)
