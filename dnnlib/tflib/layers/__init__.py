"""Layers: each makes its variables in the current variable scope. `data_format`: layout of rank-4 tensors."""
