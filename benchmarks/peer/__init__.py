"""This project and the PyTorch peer at the same work, in turn: see docs/peer.md."""
