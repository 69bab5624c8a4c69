"""What every frame of a video shows: latents or dlatents of all its cells, and labels. Pure NumPy."""

import numpy as np

from latents import paths


class LabelLoop:
    """Labels along a closed loop that visits classes at equal distances."""

    def __init__(self, label_size, classes):
        """Take the numbers of the classes; none: the label is always zeros."""
        self.is_constant = len(classes) < 2
        self._labels = np.eye(label_size)[classes] if classes else np.zeros([1, label_size])

    def at(self, position):
        """Return the label [label_size] at a position: 0 is the first class, 1 the first again.

        Between two classes, it is a weighted mean of their one-hot labels; the weights change smoothly.
        """
        position = position % 1 * len(self._labels)
        idx = int(position) % len(self._labels)
        weight = 0.5 - 0.5 * np.cos(np.pi * (position % 1))
        return self._labels[idx] * (1 - weight) + self._labels[(idx + 1) % len(self._labels)] * weight


def dealt(waypoints, num_cells):
    """Deal waypoints [cells*K,...] to cells -> [K,cells,...]; the first cell has the first K."""
    return np.swapaxes(waypoints.reshape(num_cells, -1, *waypoints.shape[1:]), 0, 1)


def in_w(waypoints, labels, num_cells, num_frames):
    """Yield the dlatents [cells,layers,dlatent_size] of each frame: a smooth closed loop for each cell.

    waypoints: function from a label [label_size] to dlatents [cells*K,layers,dlatent_size], which are dealt
        to the cells. Their loops are at waypoint i in frame i * num_frames / K.
    labels: LabelLoop.
    """
    first = waypoints(labels.at(0))
    num_waypoints, shape = len(first) // num_cells, (num_cells, *first.shape[1:])
    times = np.arange(num_frames) * (num_waypoints / num_frames)
    if labels.is_constant:
        loop = paths.Loop(dealt(_compact(first), num_cells))
        dlatents = map(loop.at, times)
    else:
        weights = paths.Loop(np.eye(num_waypoints, dtype=np.float32))  # a loop is linear in its waypoints
        points = (dealt(waypoints(labels.at(time / num_waypoints)), num_cells) for time in times)
        dlatents = (np.tensordot(weights.at(time), each, axes=1)
                    for time, each in zip(times, points, strict=True))
    for each in dlatents:
        yield np.broadcast_to(each, shape)


def _compact(dlatents):
    """Keep one layer [N,1,dlatent_size] of dlatents whose layers are all the same."""
    return dlatents[:, :1] if (dlatents == dlatents[:, :1]).all() else dlatents


def in_z(latent_size, seeds, num_frames, smoothing_frames):
    """Return an iterator over the latents of each frame, [latent_size] of each cell: smoothed random walks.

    Each cell has a seed of its own. The latents of all frames are in memory: 2 KB per cell and frame.
    """
    walks = [paths.gaussian_walk((latent_size,), num_frames, smoothing_frames, np.random.RandomState(seed))
             for seed in seeds]
    return zip(*walks, strict=True)
