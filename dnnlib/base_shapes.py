"""Shapes of images whose lowest resolution is not 4x4: a base [height, width], both doubled equally often.

Networks count resolutions as if the base were 4x4, and name their layers so: '4x4', '8x8' and so on. The
nominal resolution of images is 4 times 2 to the number of doublings.
"""

SQUARE = (4, 4)
SMALLEST = 3  # Sides of a base...
LARGEST = 20


def level_shape(base_shape, resolution_log2):
    """Return [height, width] of the images of a nominal resolution 2^resolution_log2. `base_shape`: that of
    the lowest one, [height, width]; None = [4, 4]."""
    return [side << (resolution_log2 - 2) for side in base_shape or SQUARE]


def image_shape(base_shape, resolution):
    """Return [height, width] of the images of a nominal resolution, as `level_shape` does of its log2."""
    return [side * resolution // 4 for side in base_shape or SQUARE]
