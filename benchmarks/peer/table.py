"""Results of a comparison as text."""

from benchmarks.peer.sides import OURS

LEGEND = '''\
Times are medians over {rounds} rounds. The ratio is how many times as fast we are as the peer at its best,
which has a star: the median over the rounds, with the lowest and the highest. Above 1 we are faster.'''

UNSTEADY = 1.5  # times that one side's slowest turn takes as long as its quickest


def one_line(result):
    """A result in a few words."""
    return f'ratio {_ratio(result)} to {result["best"]}'


def text(results, side_names):
    """`results` {piece: result or {'error': ...}} -> an aligned table."""
    rows = [['', *side_names, 'ratio'], *(_row(name, result, side_names) for name, result in results.items())]
    widths = [max(len(row[idx]) for row in rows if idx < len(row)) for idx in range(len(rows[0]))]
    return '\n'.join(_aligned(row, widths) for row in rows)


def unsteady(results):
    """Names of the pieces in which turns of the same side differ so much that something else was at work."""
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
