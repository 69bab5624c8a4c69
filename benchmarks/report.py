"""Write docs/performance.md from results. Only where_time_goes.md is written by hand."""

import os
import pathlib

from benchmarks import results_file
from benchmarks.plan import MEMORY_GOALS, STORES
from dnnlib.files import atomic_write
from dnnlib.util import format_time

WHERE_TIME_GOES = pathlib.Path(__file__).parent / 'where_time_goes.md'
FIRST_IMAGE_GOAL = 1.5   # times the sum of importing TensorFlow and reading the file
FIRST_TICK_GOAL = 30     # seconds

HOW = '''\
Every measurement runs in a process of its own. The limit of a network is the time that products of float32
matrices of 2048x2048 take for the same number of multiply-adds. Their speed is measured before and after
each round, in the same session. Times are medians over the rounds, with minimum and maximum.

Only convolutions and dense layers are counted, by the definition of the layers: `k*k*I*O` per output
pixel, or per input pixel where a transposed convolution doubles the resolution. A training step of G
counts as three evaluations of G and two of D per image, a step of D as one and six, and a regularizer as
six (of half a minibatch for G), times how often each runs. The tables also show what the products in
TensorFlow's graph add up to.

Memory is the peak of the process. The networks have random weights, which does not change their speed.
`python -m benchmarks.peer` measures another implementation on the same work ([peer.md](peer.md)).'''


def write(results, folder, others=()):
    """Write performance.md and, if matplotlib is installed, performance.png. `others`: see `text`."""
    os.makedirs(folder, exist_ok=True)
    has_picture = _write_picture(results, os.path.join(folder, 'performance.png'))
    with atomic_write(os.path.join(folder, 'performance.md'), 'w') as file:
        file.write(text(results, has_picture, others))


def one_line(result):
    """Describe a result in one line."""
    if 'error' in result:
        return f'no result: {result["error"]}'
    if 'share_of_limit' in result:
        return (f'{_number(result["seconds"]["median"])} {_unit(result)}, '
                f'{result["share_of_limit"]["median"]:.0%} of {result["product_flops"]["median"] / 1e9:.0f} '
                f'GFLOP/s, {_gb(result["peak_memory_bytes"])}')
    if 'added_share' in result:
        share = _time(result['added_share'])
        return f'{_time(result["with"], "s/kimg")}; augmentation adds a share of {share}'
    if 'precisions' in result:
        return 'processor time relative to float32: ' + ', '.join(
            f'{name} {_time(costs["relative_processor_time"])}'
            for name, costs in result['precisions'].items())
    if 'onnxruntime' in result:
        return (f'{_time(result["onnxruntime"], "s/image")}; {_time(result["speed_of_onnxruntime"])} times '
                'the speed of TensorFlow')
    if 'tensors' in result:
        parts = ((name, *(_gb(result[name][kind]) for kind in ('plan', 'measured')))
                 for name in ('tensors', 'process'))
        return ', '.join(f'{name} {planned} planned, {there} measured' for name, planned, there in parts)
    for key in ('first_image_seconds', 'first_tick_seconds'):
        if key in result:
            return f'{_number(result[key]["median"])} s'
    rates = result['images_per_second']
    rates = rates if isinstance(rates, dict) else {'': rates}
    return ', '.join(f'{name} {_number(rate)} images/s'.strip() for name, rate in rates.items())


def text(results, has_picture=False, others=()):
    """Return the report as Markdown: `results` in full, each of `others` (other machines) as one table."""
    sections = [
        _head(results), _failures(results), _goals(results), *map(_other_machine, others), _steps(results),
        _augmentation(results), _precisions(results), _engines(results),
        _startup(results), _data(results), memory_table(results, '## Memory of training'), _photos(results),
        _pipelines(results),
        _scaling(results, has_picture), _profiles(results), f'## How it is measured\n\n{HOW}']
    return '\n\n'.join(section for section in sections if section) + '\n'


def memory_table(results, title=''):
    """Return what trainings are planned to take beside what they take, as Markdown."""
    rows = []
    for name, result in _of(results, 'memory.compare').items():
        cells = [name.removeprefix('memory of ')]
        for part in ('tensors', 'process'):
            planned, measured = result[part]['plan'], result[part]['measured']
            cells += [f'{planned / 1e6:.0f} MB', f'{measured / 1e6:.0f} MB', f'{planned / measured:.2f}']
        rows.append(cells)
    head = ['training', 'tensors: plan', 'measured', 'ratio', 'process: plan', 'measured', 'ratio']
    return _table(title, head, rows, 'The plan of `--dry-run` beside what the allocator had in use, and the '
                  'peak of the process, after one run of every step.')


def _write_picture(results, path):
    by_resolution, by_minibatch = _by_resolution(results), _by_minibatch(results)
    if not by_resolution or not by_minibatch:
        return False
    plot = results_file.plot_module('plot')
    if plot is not None:
        plot.write(by_resolution, by_minibatch, path)
    return plot is not None


def _of(results, *functions):
    """Return {name: result} of the successful measurements that used these functions."""
    return {name: result for name, result in results['pieces'].items()
            if result['function'] in functions and 'error' not in result}


def _by_resolution(results):
    rows = [row for row in _of(results, 'generation.generate').values() if row['minibatch'] == 1]
    return sorted(rows, key=lambda row: row['resolution'])


def _by_minibatch(results):
    rows = [row for row in _of(results, 'generation.generate').values() if row['resolution'] == 64]
    return sorted(rows, key=lambda row: row['minibatch'])


def _number(value):
    """Format a number with three significant digits."""
    return f'{value:.0f}' if value >= 100 else f'{value:.3g}'


def _time(spread, unit=''):
    median = f'{_number(spread["median"])} {unit}'.rstrip()
    if spread['rounds'] == 1:
        return median
    return f'{median} ({_number(spread["min"])} to {_number(spread["max"])})'


def _gb(size):
    return f'{size / 1e9:.2f} GB'


def _table(title, head, rows, note=''):
    """Format a Markdown table, or return '' if there are no rows."""
    if not rows:
        return ''
    lines = [head, ['---'] * len(head), *rows]
    table = '\n'.join(f'| {" | ".join(map(str, line))} |' for line in lines)
    return '\n\n'.join(part for part in (title, note, table) if part)


def _head(results):
    lines = [
        '# Performance', '',
        '`make bench` measures everything on this page again and rewrites it. `make bench QUICK=1` takes a '
        'few minutes and leaves the page alone; `python -m benchmarks --only generation` measures one '
        'part.', '',
        *_origin(results)]
    if results['quick']:
        lines.append('- **quick**: few rounds, not for comparisons')
    return '\n'.join(lines)


def _origin(results):
    """Return lines that state when, where and how the results were measured."""
    machine = results['machine']
    versions = ', '.join(f'{name} {version}' for name, version in machine['versions'].items())
    return [
        f'- command: `{results["command"]}`, {format_time(results.get("seconds", 0))}',
        f'- date: {results["date"]}',
        f'- machine: {machine["processor"]}, {machine["cores"]} cores, '
        f'{", ".join(machine["vector_instructions"])}; {_gb(machine["memory_bytes"])} of memory; '
        f'{machine["system"]}',
        f'- versions: {versions}']


def _other_machine(results):
    vectors = 'with AVX-512' if 'avx512f' in results['machine']['vector_instructions'] else 'without AVX-512'
    parts = (_augmentation(results), _engines(results), _pipelines(results), _photos(results))
    sections = [f'## Another machine, {vectors}', '\n'.join(_origin(results)), _goals(results, ''),
                *('#' + section for section in parts if section)]
    return '\n\n'.join(section for section in sections if section)


def _goals(results, title='## Generation and training'):
    rows = []
    for name, result in _of(results, 'generation.generate', 'training.train').items():
        if result['goal'] is None:
            continue
        unit = _unit(result)
        memory_goal = f' (goal {_gb(MEMORY_GOALS[name])})' if name in MEMORY_GOALS else ''
        rows.append([
            name, _time(result['seconds'], unit), _gb(result['peak_memory_bytes']) + memory_goal,
            _time(result['share_of_limit']), f'{result["goal"]:.2f}',
            f'{_number(result["limit_seconds"]["median"])} {unit}',
            f'{result["product_flops"]["median"] / 1e9:.0f}',
            f'{result["multiply_adds_per_image"] / 1e9:.4g}', *_kernel(result)])
    return _table(title, [
        'work', 'time', 'peak memory', 'share of the limit', 'goal', 'limit', 'matrix product (GFLOP/s)',
        'multiply-adds per image (10^9)', 'minor faults', 'system time'], rows)


def _kernel(result):
    """Return minor page faults, per image or per 1000 images, and the kernel's share of processor time."""
    share = result['system_seconds']['median'] / result['processor_seconds']['median']
    return f'{result["minor_faults"]["median"]:.0f}', f'{share:.0%}'


def _unit(result):
    return 's/kimg' if 'steps' in result else 's/image'


def _steps(results):
    tables = []
    for name, result in _of(results, 'training.train').items():
        rows = [[step, f'{row["runs_per_minibatch"]:g}', f'{row["multiply_adds_in_graph"] / 1e6:.1f}',
                 _time(_scaled(row["seconds"], 1000))]
                for step, row in result['steps'].items()]
        note = (f'Per image {result["multiply_adds_per_image"] / 1e6:.1f} million multiply-adds '
                f'by definition and {result["multiply_adds_in_graph"] / 1e6:.1f} million in the graph. '
                f'Building the graph took {_number(result["build_seconds"])} s, running all steps for the '
                f'first time {_number(result["first_run_seconds"])} s.')
        tables.append(_table(f'### {name}', [
            'step', 'runs per minibatch', 'multiply-adds per image (10^6)', 'ms per run'], rows, note))
    return '\n\n'.join(['## The steps of training', *tables]) if tables else ''


def _augmentation(results):
    rows = [[name, _time(result['without'], 's/kimg'), _time(result['with'], 's/kimg'),
             _time(result['added_share']), f'{result["goal"]:.2f}']
            for name, result in _of(results, 'augmentation.compare').items()]
    note = ('Config F, narrowed, without and with the pipeline `bgc` at p = 0.5: average iterations of both, '
            'in turn. The share is what augmentation adds, divided by the time without it.')
    return _table('## Augmentation', ['work', 'without', 'with', 'added share', 'goal'], rows, note)


def _precisions(results):
    rows = [[work.partition(', ')[2], name, _time(costs['seconds'], 's'),
             _time(costs['processor_seconds'], 's'), _time(costs['relative_processor_time'])]
            for work, result in _of(results, 'precision.compare').items()
            for name, costs in result['precisions'].items()]
    note = 'Config F, narrowed: average iterations in `--precision` of each name, in turn.'
    return _table('## Precision', ['work', 'precision', 'time', 'processor time', 'relative to float32'],
                  rows, note)


def _engines(results):
    rows = [[name.partition(', ')[2], _time(result['tensorflow'], 's/image'),
             _time(result['onnxruntime'], 's/image'), _time(result['speed_of_onnxruntime']),
             _time(result['speed_by_processor_time'])]
            for name, result in _of(results, 'engines.compare').items()]
    note = ('`Network.run` and, in onnxruntime, the file of `export.py --to=onnx`, both with the stored '
            'noise and in turn. Speeds are those of onnxruntime, as multiples of those of TensorFlow.')
    return _table('## onnxruntime', ['work', 'TensorFlow', 'onnxruntime', 'speed', 'by processor time'], rows,
                  note)


def _scaled(spread, factor):
    return {**spread, **{key: spread[key] * factor for key in ('median', 'min', 'max')}}


def _startup(results):
    rows = []
    for result in _of(results, 'startup.first_image').values():
        rows += [
            ['import of TensorFlow', _time(result['import_seconds']), ''],
            [f'reading the arrays of a pickle of {_gb(result["file_bytes"])} (reading its bytes alone: '
             f'{_number(result["read_bytes_seconds"]["median"])})', _time(result['read_arrays_seconds']), ''],
            ['first image of 256x256 from this pickle, by run_generator.py',
             _time(result['first_image_seconds']), _gb(result['peak_memory_bytes'])],
            ['... divided by the sum of the two lines above',
             f'{_time(result["ratio"])}; goal {FIRST_IMAGE_GOAL}', '']]
    rows += [['first tick of the training in `make demo`',
              f'{_time(result["first_tick_seconds"])}; goal {FIRST_TICK_GOAL}',
              _gb(result['peak_memory_bytes'])]
             for result in _of(results, 'startup.first_tick').values()]
    return _table('## From the start of a process', ['what', 'seconds', 'peak memory'], rows)


def _data(results):
    rows = []
    for name, result in _of(results, 'data.convert', 'data.read', 'data.features').items():
        memory, rates = _gb(result['peak_memory_bytes']), result['images_per_second']
        if isinstance(rates, dict):
            rows += [[f'{name}, {key}', _number(rate), memory] for key, rate in rates.items()]
        else:
            rows.append([f'{name}, {_amount(result)}', _number(rates), memory])
    note = 'Rates of dataset_tool.py include the start of the process; the others are steady rates.'
    return _table('## Data', ['what', 'images/s', 'peak memory'], rows, note)


def _pipelines(results):
    """Set the ways of storing images side by side: each is a line, each resolution three columns."""
    found = _of(results, 'data.pipeline').values()
    by_place = {(row['store'], row['resolution']): row for row in found}
    resolutions = sorted({row['resolution'] for row in found})
    head = [title for side in resolutions
            for title in (f'{side}x{side} (images/s)', 'decoding alone', 'peak memory')]
    rows = [[name, *(cell for side in resolutions for cell in _pipeline_cells(by_place.get((store, side))))]
            for store, name in STORES.items()] if resolutions else []
    note = ('Images that training reads, at a steady rate, and those that TensorFlow decodes from memory on '
            'all cores.')
    return _table('## Input pipeline', ['stored as', *head], rows, note)


def _pipeline_cells(result):
    if result is None:
        return '', '', ''
    limit = result['decoding_images_per_second']
    return (_number(result['images_per_second']), '' if limit is None else _number(limit),
            _gb(result['peak_memory_bytes']))


def _photos(results):
    rows = [[name.partition(', ')[2], _time(result['per_core']['create_from_images']),
             _time(result['per_core']['Pillow alone']), _time(result['share_of_pillow']),
             f'{result["goal"]:.2f}'] for name, result in _of(results, 'photos.convert').items()]
    note = ('Reading, decoding, cropping, resizing, all resolutions, search for duplicates and writing, '
            'beside only decoding and resizing the same files with Pillow: images per second and process, '
            'without the start of the processes.')
    return _table('## create_from_images', ['work', 'images/s', 'Pillow alone', 'share', 'goal'], rows, note)


def _amount(result):
    return f'{result["num_images"]} images' if 'num_images' in result else f'minibatch {result["minibatch"]}'


def _scaling(results, has_picture):
    head = ['multiply-adds (10^9)', 'limit', 'seconds per image', 'share of the limit', 'first run (s)',
            'peak memory']
    tables = []
    for key, rows in [('resolution', _by_resolution(results)), ('minibatch', _by_minibatch(results))]:
        rows = [[row[key], f'{row["multiply_adds_per_image"] / 1e9:.4g}',
                 _number(row['limit_seconds']['median']), _time(row['seconds']),
                 f'{row["share_of_limit"]["median"]:.2f}', _number(row['first_run_seconds']),
                 _gb(row['peak_memory_bytes'])] for row in rows]
        title = '### By resolution, one image at a time' if key == 'resolution' else '### By minibatch, 64x64'
        tables.append(_table(title, [key, *head], rows))
    if has_picture:
        tables.append('![Seconds per image over resolution and over minibatch](performance.png)')
    return '\n\n'.join(['## How the cost of an image grows', *filter(None, tables)]) if any(tables) else ''


def _failures(results):
    rows = [[name, result['error'].replace('|', '/')] for name, result in results['pieces'].items()
            if 'error' in result]
    return _table('## Not measured', ['what', 'error'], rows)


def _profiles(results):
    tables = []
    for name, result in results['pieces'].items():
        if result.get('profile'):
            per = 'an average minibatch' if 'steps' in result else 'one run'
            total = sum(row[1] for row in result['profile'])
            rows = [[kind, f'{1000 * seconds:.1f}', f'{seconds / total:.0%}', f'{count:.0f}']
                    for kind, seconds, count in result['profile']]
            tables.append(_table(f'### {name}: {per}', ['type', 'ms', 'share', 'operations'], rows))
    if not tables:
        return ''
    notes = WHERE_TIME_GOES.read_text(encoding='utf-8').strip()
    return '\n\n'.join(['## Where time goes', notes, *tables])
