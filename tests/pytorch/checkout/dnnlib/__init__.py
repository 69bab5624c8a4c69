"""Stand-in for the package of this name in stylegan2-ada-pytorch."""

from dnnlib.util import EasyDict  # noqa: F401
