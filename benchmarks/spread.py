"""What is told of repeated measurements."""

import statistics


def spread(values) -> dict:
    """Median, minimum, maximum and how many there were."""
    return {'median': statistics.median(values), 'min': min(values), 'max': max(values),
            'rounds': len(values)}
