"""Networks that turn images into features, and where their weights come from.

Metrics use `feature_networks`; `availability` says beforehand which metrics cannot be evaluated, and why.
"""
