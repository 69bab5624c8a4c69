"""Compare this project and the PyTorch peer on the same work, in turn. docs/peer.md explains how."""
