"""Summarize repeated measurements."""

import statistics


def spread(values) -> dict:
    """Return the median, the minimum, the maximum and the number of values."""
    return {'median': statistics.median(values), 'min': min(values), 'max': max(values),
            'rounds': len(values)}
