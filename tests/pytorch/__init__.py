"""Tests against PyTorch itself and a checkout of stylegan2-ada-pytorch. `make test-pytorch` runs them."""
