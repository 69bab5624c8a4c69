"""The speeds that were measured, as tables of the report."""

from benchmarks.gpu_check import published
from benchmarks.gpu_check.tables import table

FIRST_RUN = 'The first run, which the other figures leave out, prepares or compiles.'
FILTERS = ('Three forms of the filter behind an upsampling convolution, forward with the gradient, on an '
           'input of {shape} (images, feature maps, height, width). Networks use `depthwise`; `docs/gpu.md`, '
           '"FIR filters", describes all.')


def text(measured, card):
    """Return tables of speeds, ours beside the published ones, and what XLA does. card: name of the GPU."""
    title = card or 'this CPU, small networks'
    trained = [each for each in measured if each['kind'] == 'training']
    drawn = [each for each in measured if each['kind'] == 'generation']
    filtered = [each for each in measured if each['kind'] == 'filter']
    sections = []
    if trained:
        head = [f'training config F on {title}', 'precision', 'XLA', 'sec/kimg', 'beside published',
                'first run', 'GPU memory']
        sections.append(table(head, [_training_row(each, card) for each in trained]))
    if drawn:
        head = [f'images of config F on {title}', 'minibatch', 'precision', 'XLA', 'images/s', 'first run',
                'GPU memory']
        sections.append(table(head, [_generation_row(each) for each in drawn]))
    if trained or drawn:
        sections += [FIRST_RUN, *xla_lines(trained + drawn, title), _published(card)]
    return '\n\n'.join(sections + filters_text(filtered, title))


def _training_row(speed, card):
    reference = published.seconds_per_kimg(1)
    comparable = card and speed['resolution'] == published.RESOLUTION
    seconds = speed['seconds_per_kimg']
    ratio = f'{reference / seconds:.2f} times as fast' if comparable else 'not the same work'
    return [f'{_size(speed)}, {speed["minibatch"]} images per step', speed['precision'], speed['xla'],
            f'{seconds:.4g}', ratio, *_first_and_memory(speed)]


def _generation_row(speed):
    return [_size(speed), speed['minibatch'], speed['precision'], speed['xla'],
            f'{1 / speed["seconds_per_image"]:.4g}', *_first_and_memory(speed)]


def _size(speed):
    return f'{speed["resolution"]}x{speed["resolution"]}'


def _first_and_memory(speed):
    """Return the time of the first run, which compiles, and the GPU's peak memory."""
    memory = 'none' if speed['gpu_bytes'] is None else f'{speed["gpu_bytes"] / 1e9:.2f} GB'
    return [f'{speed["first_seconds"]:.1f} s', memory]


def xla_lines(measured, title):
    """Say for each work that was measured both with and without XLA which is faster."""
    by_work = {}
    for each in measured:
        work = f'{each["kind"]} {_size(each)}, minibatch {each["minibatch"]}, {each["precision"]}'
        is_training = each['kind'] == 'training'
        by_work.setdefault(work, {})[each['xla']] = each[
            'seconds_per_kimg' if is_training else 'seconds_per_image']
    lines = []
    for work, seconds in by_work.items():
        if {'on', 'off'} <= {*seconds}:
            better, worse = sorted(('on', 'off'), key=seconds.get)
            ratio = f'{seconds[worse] / seconds[better]:.2f}'
            lines.append(f'- {work}: `--xla={better}` is {ratio} times as fast as `--xla={worse}`'
                         if ratio != '1.00' else f'- {work}: `--xla=on` and `off` are equally fast')
    return [f'XLA on {title}:\n\n' + '\n'.join(lines)] if lines else []


def filters_text(measured, title):
    """Return a table of the forms of a FIR filter as a list of one text; empty if none was measured."""
    if not measured:
        return []
    by_work = {}
    for each in measured:
        by_work.setdefault((each['precision'], each['xla']), {})[each['form']] = each['seconds_per_filter']
    forms = list(dict.fromkeys(each['form'] for each in measured))
    rows = [[*work, *(f'{1000 * seconds[form]:.3g} ms' if form in seconds else '' for form in forms),
             min(seconds, key=seconds.get) if len(seconds) == len(forms) else '']
            for work, seconds in by_work.items()]
    head = [f'a FIR filter on {title}', 'XLA', *forms, 'fastest']
    shape = 'x'.join(map(str, measured[0]['shape']))
    return [f'{FILTERS.format(shape=shape)}\n\n{table(head, rows)}']


def _published(card):
    rows = [[f'{number} x {published.CARD}', f'{published.seconds_per_kimg(number):.1f}']
            for number in published.TRAINING_SECONDS]
    note = ('They include all that a training does; ours are the steps alone, with an update every time.'
            if card else 'Nothing above compares with them.')
    return ('NVIDIA\'s figures for StyleGAN2, config F at 1024x1024, not ours (sec/kimg follow from the days '
            f'for 25,000 kimg). {note} {published.ELSEWHERE}\n\n' + table(['GPUs', 'sec/kimg'], rows))
