"""Sizes of images: a base, such as 4x4 or 3 columns by 5 rows, whose sides are doubled several times.

Networks grow from the base to the full size. Their nominal resolution is 4 times 2 to the number of
doublings: for squares whose side is a power of two, that is the side, and the base is 4x4.
"""

from dnnlib.base_shapes import LARGEST, SMALLEST, level_shape  # noqa: F401  (for data sets)
from dnnlib.util import UserError

SQUARE = [4, 4]


def split(height, width):
    """Return the base [height, width] of a size, and how often it is doubled; (None, 0) if there is none.

    The base is the smallest one whose sides are at least 3.
    """
    doublings = 0
    while height % 2 == width % 2 == 0 and min(height, width) // 2 >= SMALLEST:
        height, width, doublings = height // 2, width // 2, doublings + 1
    if not SMALLEST <= min(height, width) <= max(height, width) <= LARGEST:
        return None, 0
    return [height, width], doublings


def nominal(height, width):
    """Return the nominal resolution of a size; its height if there is no base."""
    base, doublings = split(height, width)
    return height if base is None else 4 << doublings


def require(height, width, where):
    """Return the base [height, width] and the nominal resolution of a size.

    Raises UserError, which begins with `where` and names a size nearby, if images of that size cannot be
    trained on.
    """
    base, doublings = split(height, width)
    if base is None:
        near_width, near_height = nearest(width, height)
        raise UserError(
            f'{where}: {width}x{height} is not a size to train on; expected two numbers from {SMALLEST} to '
            f'{LARGEST} times the same power of two, such as {near_width}x{near_height}')
    return base, 4 << doublings


def nearest(width, height):
    """Return the (width, height) with a base that is most similar to another size; for a square, the largest
    power of two within it."""
    if width == height >= 4:
        return (1 << width.bit_length() - 1,) * 2

    def difference(size):
        return abs(size[0] / width - 1) + abs(size[1] / height - 1)

    candidates = []
    for doublings in range(max(width, height).bit_length()):
        candidates.append(tuple(min(max(round(side / 2 ** doublings), SMALLEST), LARGEST) << doublings
                                for side in (width, height)))
    best = min(map(difference, candidates))
    # Among similar ones, the one that is doubled most often.
    return [size for size in candidates if difference(size) <= best + 0.1][-1]
