"""Format the results of a comparison as text."""

from benchmarks.peer.sides import OURS

LEGEND = '''\
Times are medians over {rounds} rounds. The ratio is the time of the peer's faster setting, marked
with a star, divided by ours: the median over the rounds, with minimum and maximum. Above 1 we are faster.'''

UNSTEADY = 1.5  # ratio of a side's slowest turn to its fastest


def one_line(result):
    """Summarize a result in a few words."""
    return f'ratio {_ratio(result)} to {result["best"]}'


def text(results, side_names):
    """Format `results` {piece: result or {'error': ...}} as an aligned table."""
    rows = [['', *side_names, 'ratio'], *(_row(name, result, side_names) for name, result in results.items())]
    widths = [max(len(row[idx]) for row in rows if idx < len(row)) for idx in range(len(rows[0]))]
    return '\n'.join(_aligned(row, widths) for row in rows)


def unsteady(results):
    """Return the names of the pieces whose turns vary so much that other work must have disturbed them."""
    return [name for name, result in results.items()
            if any(times['max'] > UNSTEADY * times['min'] for times in result.get('times', {}).values())]


def _row(name, result, side_names):
    if 'error' in result:
        return [name, 'no result']
    times = [_time(result, side) for side in side_names]
    return [name, *times, _ratio(result)]


def _aligned(row, widths):
    return '  '.join(f'{cell:{width}s}' for cell, width in zip(row, widths, strict=False)).rstrip()


def _time(result, side):
    mark = ' *' if side == result['best'] and side != OURS else ''
    return f'{result["times"][side]["median"]:.4g} {result["unit"]}{mark}'


def _ratio(result):
    ratio = result['ratio']
    return f'{ratio["median"]:.2f} ({ratio["min"]:.2f} to {ratio["max"]:.2f})'
