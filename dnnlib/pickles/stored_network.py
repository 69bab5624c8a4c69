"""The stand-in for a network in a file."""

from dnnlib.pickles import arrays


class StoredNetwork(arrays.Stored):
    """A stand-in for a network."""

    state = None
    from_tfutil = False  # Written by the repository of Progressive GAN?
    notes = ()           # What the file lacks and was added, a line each.

    def set_state(self, state):
        self.state = state
