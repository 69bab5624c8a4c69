"""Data sets: the order of records, synthetic images, and the sources that dataset_tool.py converts.

`training.dataset` reads data sets, dataset_tool.py writes them; `official_files` lists what NVIDIA published.
"""
