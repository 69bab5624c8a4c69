"""Data sets: the order of records, synthetic images, and the sources that dataset_tool.py converts.

`training.dataset` is the way in for reading, dataset_tool.py for writing.
"""
