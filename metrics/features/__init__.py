"""Networks that turn images into features, and where their weights come from.

Metrics come in through `feature_networks`; `availability` tells beforehand what is missing.
"""
