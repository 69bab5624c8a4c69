"""The stand-in for a network in a file."""

from dnnlib.pickles import arrays


class StoredNetwork(arrays.Stored):
    """A stand-in for a network."""

    state = None
    from_tfutil = False  # Written by the repository of Progressive GAN?
    writer = None        # Code for PyTorch that wrote it.
    notes = ()           # Lines about what the file does not say.

    def set_state(self, state):
        self.state = state
