"""Devices of one or several processes as one cluster, and sums over all of them.

Enter with `joined`; `dnnlib.parallel` says which processes there are.
"""

from dnnlib.tflib.parallel.cluster import Cluster, joined

__all__ = ['Cluster', 'joined']
