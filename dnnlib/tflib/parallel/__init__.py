"""Devices of one or several processes as one cluster, and sums over all of them.

`cluster.Cluster` is the way in; `dnnlib.parallel` tells which processes there are.
"""
