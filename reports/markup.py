"""Pieces of the page. Whatever comes from files is escaped."""

import datetime
import html
import json

from dnnlib.util import format_time
from reports import figures as figure_data
from reports import run_settings

_SECTIONS = ('Summary', 'Pictures', 'Metrics', 'Curves', 'Settings', 'Log')


def title(runs):
    """Return the title of the page."""
    return html.escape(runs[0].name if len(runs) == 1 else f'{len(runs)} training runs')


def navigation():
    """Return the links to the sections."""
    links = ' '.join(f'<a href="#{name.lower()}">{name}</a>' for name in _SECTIONS)
    return f'<nav aria-label="Sections">{links}</nav>'


def _section(name, content):
    key = name.lower()
    return (f'<section id="{key}" aria-labelledby="{key}-title"><h2 id="{key}-title">{name}</h2>\n'
            f'{content}\n</section>')


def _table(head, rows, caption=''):
    """Return a table. The first cell of a row is its heading."""
    cells = ''.join(f'<th scope="col">{html.escape(text)}</th>' for text in head)
    lines = [f'<tr><th scope="row">{html.escape(row[0])}</th>'
             + ''.join(f'<td>{html.escape(text)}</td>' for text in row[1:]) + '</tr>' for row in rows]
    caption = f'<caption>{html.escape(caption)}</caption>' if caption else ''
    return ('<div class="wide" tabindex="0" role="region" aria-label="Table"><table>'
            f'{caption}<thead><tr>{cells}</tr></thead>\n<tbody>\n' + '\n'.join(lines)
            + '\n</tbody></table></div>')


def _details(text, content):
    return f'<details><summary>{html.escape(text)}</summary>\n{content}\n</details>'


def _notes(lines):
    return '\n'.join(f'<p class="note">{html.escape(line)}</p>' for line in lines)


def summary(runs):
    """Return the section with the most important facts: as tiles, or a row for each of several runs."""
    facts = [_facts(run) for run in runs]
    if len(runs) == 1:
        content = '<dl class="tiles">\n' + '\n'.join(
            f'<div><dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd></div>'
            for name, text in facts[0].items()) + '\n</dl>'
    else:
        names = dict.fromkeys(name for each in facts for name in each)
        content = _table(['Run', *names], [[run.name, *(each.get(name, '') for name in names)]
                                           for run, each in zip(runs, facts, strict=True)])
    notes = [note if len(runs) == 1 else f'{run.name}: {note}' for run in runs for note in run.notes]
    written = datetime.datetime.now().strftime('%Y-%m-%d %H:%M')
    return _section('Summary', f'{content}\n{_notes(notes)}\n<p class="quiet">Written {written}.</p>')


def _facts(run):
    """Return {title: text} of a run, without what is unknown."""
    values = run.settings.values
    kimg = 'none' if run.kimg is None else f'{run.kimg:,.1f}'
    total = '' if run.is_complete or run.total_kimg is None else f' of {run.total_kimg:,g}'
    hours, speed = run.last('Timing/total_hours'), run.last('Timing/sec_per_kimg')
    facts = {
        'State': 'complete' if run.is_complete else 'not complete',
        'Thousands of images': kimg + total,
        'Time': '' if hours is None else format_time(hours * 3600),
        'Seconds per kimg': '' if speed is None else f'{speed:.4g}',
        'Data set': values.get('dataset_args.tfrecord_dir', ''),
        'Configuration': run.settings.config or '',
        'Devices': run.settings.facts.get('devices', ''),
        'Started': run.times.get('start_time', '').split('.')[0],
        **{f'Best {name}': text for name, text in _best(run).items()}}
    return {name: text for name, text in facts.items() if text}


def _best(run):
    """Return {metric: best value}: the lowest, or the highest of inception scores, precision and recall."""
    best = {}
    for name in sorted({result.name for result in run.metrics if not result.name.endswith('_std')}):
        results = [result for result in run.metrics if result.name == name and result.value == result.value]
        if results:
            choose = max if name.startswith(('is', 'pr')) else min
            result = choose(results, key=lambda each: each.value)
            best[name] = f'{result.value:.4g} ({result.network})'
    return best


def pictures(runs, strips):
    """Return the section with a slider over the pictures of each run."""
    parts = [_slider(index, run, *strip) for index, (run, strip) in enumerate(zip(runs, strips, strict=True))
             if strip[0]]
    if not parts:
        return _section('Pictures', '<p class="quiet">No pictures.</p>')
    several = ('<p><label><input type="checkbox" id="together" checked> Move the sliders together</label></p>'
               if len(parts) > 1 else '')
    return _section('Pictures', several + '\n'.join(parts))


def _slider(index, run, frames, reals):
    """Return a slider that starts at the last picture. The script has the other ones."""
    name, last = html.escape(run.name), len(frames) - 1
    picture = frames[-1].picture
    fakes = (f'<figure><img class="fakes" src="{picture.source}" width="{picture.width}" '
             f'height="{picture.height}" alt="{alt(frames[-1].kimg)}">'
             f'<figcaption>{label(frames[-1].kimg)}</figcaption></figure>')
    real = ('' if reals is None else
            f'<figure><img src="{reals.source}" width="{reals.width}" height="{reals.height}" '
            'alt="Real images of the data set"><figcaption>Real images</figcaption></figure>')
    controls = ('<div class="controls">'
                '<button type="button" class="play" aria-pressed="false">Play</button>'
                f'<label for="slider{index}">Progress</label>'
                f'<input type="range" id="slider{index}" min="0" max="{last}" value="{last}" step="1" '
                f'aria-valuetext="{label(frames[-1].kimg)}"></div>'
                '<div class="thumbs" role="group" aria-label="Pictures in order"></div>')
    return (f'<article class="strip" data-run="{index}"><h3>{name}</h3>\n{controls}\n'
            f'<div class="pair">{fakes}{real}</div></article>')


def label(kimg):
    """Return what a picture shows, in words."""
    return 'before training' if kimg is None else f'{kimg} kimg'


def alt(kimg):
    """Return the alternative text of a picture of generated images."""
    return f'Generated images, {label(kimg)}'


def figures(kind, content, left_out=()):
    """Return a section with an empty place for each figure; the script draws them."""
    cards = [_card(f'{kind}{index}', figure) for index, figure in enumerate(content)]
    lines = ['<div class="grid">', *cards, '</div>'] if cards else [f'<p class="quiet">No {kind} yet.</p>']
    if left_out:
        lines.append(f'<p class="quiet">Left out: {html.escape("; ".join(left_out))}.</p>')
    return _section(kind.capitalize(), '\n'.join(lines))


def _card(key, figure):
    name, text = html.escape(figure.title), html.escape(figure.text)
    return (f'<article class="card" id="{key}"><h3>{name}</h3><p class="quiet">{text}</p>'
            f'<div class="plot" role="img" aria-label="{name}. {text} The numbers follow as a table."></div>'
            '<label class="log"><input type="checkbox"> Logarithmic scale</label>'
            '<details class="numbers"><summary>Numbers</summary></details></article>')


def settings(runs):
    """Return the section with what differs from the configuration or between runs, and all settings."""
    parts = []
    if len(runs) > 1:
        rows = run_settings.differences([run.settings for run in runs])
        parts.append(_table(['Setting', *(run.name for run in runs)], rows, 'What differs between the runs')
                     if rows else '<p>All settings are the same.</p>')
    parts += [_settings_of(run, len(runs) == 1) for run in runs]
    return _section('Settings', '\n'.join(parts))


def _settings_of(run, alone):
    own = run.settings
    if not own.values:
        return _notes([f'{run.name}: the settings are not known.'])
    parts = [] if alone else [f'<h3>{html.escape(run.name)}</h3>']
    if own.changes:
        rows = [[name, flag, value, usual] for flag, name, value, usual in own.changes]
        parts.append(_table(['Setting', 'Flag', 'This run', own.config], rows,
                            f'What differs from {own.config}'))
    elif own.config:
        parts.append(f'<p>As {html.escape(own.config)}.</p>')
    everything = [*own.facts.items(), *run.times.items(), *own.values.items()]
    parts.append(_details(f'All settings ({len(everything)})', _table(['Setting', 'Value'], everything)))
    return '\n'.join(parts)


def logs(runs):
    """Return the section with the last lines of the logs."""
    parts = [_details(f'{run.name}: last {len(run.log)} lines of log.txt',
                      f'<pre tabindex="0">{html.escape(chr(10).join(run.log))}</pre>')
             for run in runs if run.log]
    return _section('Log', '\n'.join(parts) or '<p class="quiet">No log.txt.</p>')


def data(runs, strips, of_metrics, of_ticks):
    """Return the numbers and pictures for the script as JSON that cannot end its element."""
    content = {
        'runs': [{'name': run.name, **figure_data.data(run, of_ticks),
                  'frames': [{'kimg': frame.kimg, 'label': label(frame.kimg), 'alt': alt(frame.kimg),
                              'source': frame.picture.source} for frame in frames]}
                 for run, (frames, _) in zip(runs, strips, strict=True)],
        'figures': [{'id': f'{kind}{index}', 'unit': figure.unit, 'isMetric': kind == 'metrics',
                     'tags': [{'tag': tag, 'name': name} for tag, name in figure.tags]}
                    for kind, group in (('metrics', of_metrics), ('curves', of_ticks))
                    for index, figure in enumerate(group)]}
    return json.dumps(content, allow_nan=False, separators=(',', ':')).replace('<', '\\u003c')
