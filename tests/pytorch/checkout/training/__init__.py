"""Stand-in for the package of this name in stylegan2-ada-pytorch."""
