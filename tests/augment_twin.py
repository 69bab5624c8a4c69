"""The transforms of the augmentation pipeline once more: slow, in float64, one image at a time.

Images are [C,H,W]. Geometric transforms are functions from positions (x, y) in the output to positions in the
input, in pixels about the centre.
"""

import numpy as np
import scipy.ndimage
import scipy.signal
from scipy.spatial.transform import Rotation

from training.augment import wavelets

MARGIN = 6  # pixels around the corners


def warped(image, position):
    """Return the image that has at (x, y) what `image` has at position(x, y)."""
    _, height, width = image.shape
    centre = np.array([width - 1, height - 1]) / 2  # x, y
    corners = np.array([position(sx * centre[0], sy * centre[1]) for sx in (-1, 1) for sy in (-1, 1)])
    low, high = (np.ceil(np.max(sign * corners, axis=0) - centre + MARGIN - 1e-5) for sign in (-1, 1))
    low, high = (np.clip(margin, 0, [width - 1, height - 1]).astype(int) for margin in (low, high))
    padding = [[low[1], high[1]], [low[0], high[0]]]
    return np.stack([_warped_plane(np.pad(plane, padding, 'reflect'), position, low, centre)
                     for plane in np.float64(image)])


def _warped_plane(padded, position, low, centre):
    """Double the padded plane [H,W], sample it on a doubled grid, 3 pixels larger on each side, and halve."""
    taps = np.array(wavelets['sym6'])
    fine = np.zeros(np.array(padded.shape) * 2)
    fine[::2, ::2] = padded
    fine = scipy.signal.convolve(fine, np.outer(taps, taps))[5:-6, 5:-6]
    size = np.int64(2 * (2 * centre + 1 + 6))  # x, y
    x, y = np.meshgrid(*(np.arange(count) / 2 - half - 3 for count, half in zip(size, centre, strict=True)))
    x, y = position(x, y)
    at = [2 * (y + centre[1] + low[1]), 2 * (x + centre[0] + low[0])]
    fine = scipy.ndimage.map_coordinates(fine, at, order=1, mode='grid-constant')
    return scipy.signal.correlate(fine, np.outer(taps, taps))[6:-5, 6:-5][::2, ::2][3:-3, 3:-3]


def xflip(image, flipped):
    """Mirror the image from left to right."""
    return warped(image, lambda u, v: (-u, v)) if flipped else image


def rotate90(image, turns):
    """Turn the image by multiples of 90 degrees."""
    return rotate(image, turns * np.pi / 2)


def xint(image, shift):
    """Move the image by a share of its width and height, rounded to pixels."""
    _, height, width = image.shape
    x, y = np.rint(shift * width), np.rint(shift * height)
    return warped(image, lambda u, v: (u - x, v - y))


def scale(image, factor):
    """Enlarge the image."""
    return warped(image, lambda u, v: (u / factor, v / factor))


def rotate(image, angle):
    """Turn the image by an angle in radians."""
    cos, sin = np.cos(angle), np.sin(angle)
    return warped(image, lambda u, v: (cos * u - sin * v, sin * u + cos * v))


def aniso(image, factor):
    """Stretch the image along x and shrink it along y."""
    return warped(image, lambda u, v: (u / factor, v * factor))


def xfrac(image, shift):
    """Move the image by a share of its width and height."""
    _, height, width = image.shape
    return warped(image, lambda u, v: (u - shift * width, v - shift * height))


def brightness(image, amount):
    """Add a number."""
    return image + amount


def contrast(image, factor):
    """Multiply by a number."""
    return image * factor


def lumaflip(image, flipped):
    """Negate the mean of the channels and keep their differences."""
    return image - 2 * np.mean(image, axis=0) if flipped else image


def hue(image, angle):
    """Turn colours around the grey axis."""
    turn = Rotation.from_rotvec(angle * np.ones(3) / np.sqrt(3))
    return np.moveaxis(turn.apply(np.moveaxis(image, 0, 2).reshape(-1, 3)).reshape(*image.shape[1:], 3), 2, 0)


def saturation(image, factor):
    """Scale the differences from the mean of the channels."""
    grey = np.mean(image, axis=0)
    return grey + factor * (image - grey)


def imgfilter(image, factors):
    """Amplify four bands [4], lowest first, one after another, each time keeping the expected power."""
    gains = np.ones(4)
    for band, factor in enumerate(factors):
        own = np.where(np.arange(4) == band, factor, 1)
        gains *= own / np.sqrt(np.sum(np.array([10, 1, 1, 1]) / 13 * own ** 2))
    return np.stack([filtered(filtered(plane, gains, 0), gains, 1) for plane in np.float64(image)])


def filtered(plane, gains, axis):
    """Filter a plane [H,W] along an axis: an undecimated wavelet transform, whose details are scaled."""
    sym2 = np.array(wavelets['sym2'])
    low = np.convolve(sym2, sym2[::-1]) / 2
    padded = np.apply_along_axis(np.pad, axis, plane, 21, 'reflect')
    result, smooth = 0, padded
    for level, gain in enumerate(gains[:0:-1]):  # the finest band first
        spread = np.zeros(6 * 2 ** level + 1)
        spread[::2 ** level] = low
        smoother = scipy.ndimage.convolve1d(smooth, spread, axis=axis, mode='constant')
        result, smooth = result + gain * (smooth - smoother), smoother
    return np.take(result + gains[0] * smooth, range(21, 21 + plane.shape[axis]), axis=axis)


def cutout(image, size, x, y):
    """Make the pixels grey whose centres are inside a rectangle; all in shares of width and height."""
    result = np.array(image)
    _, height, width = image.shape
    for row, column in np.ndindex(height, width):
        if abs((column + 0.5) / width - x) < size / 2 and abs((row + 0.5) / height - y) < size / 2:
            result[:, row, column] = 0
    return result
