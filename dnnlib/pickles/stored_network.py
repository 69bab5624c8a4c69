"""The stand-ins for networks in files."""

from dnnlib.pickles import arrays


class StoredNetwork(arrays.Stored):
    """A stand-in for a network."""

    state = None
    from_tfutil = False  # Written by the repository of Progressive GAN?
    writer = None        # Code for PyTorch that wrote it.
    notes = ()           # Lines about what the file does not say.

    def set_state(self, state):
        self.state = state


class OldNetwork(StoredNetwork):
    """A stand-in for a network that the repository of Progressive GAN wrote."""

    from_tfutil = True
