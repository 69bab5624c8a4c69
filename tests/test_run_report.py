"""Test the report of training runs: what it reads, that it opens offline, and how it looks to a browser."""

import html.parser
import json
import os
import pathlib
import re

import numpy as np
import PIL.Image
import pytest
import tensorflow.compat.v1 as tf

import run_report
import run_training
from dnnlib.util import UserError
from reports import events, metric_files, pictures, report, run_settings, runs, tick_lines
from tests import resumed_runs
from training.resuming import command, found_runs
from training.settings.from_flags import REPORT

CHROMIUM = '/usr/bin/chromium'
VALUES = {'Loss/scores/real': [0.1, -1.5, 2.0], 'Timing/sec_per_kimg': [30.25, 7.125, float('nan')]}
STEPS = [64, 5120, 10176]
TICK = ('tick %-5d kimg %-8.1f lod %-5.2f minibatch %-4d time %-12s sec/tick %-7.1f sec/kimg %-7.2f '
        'maintenance %-6.1f gpumem %.1f')
METRIC = 'network-snapshot-000005        time 1m 02s       fid50k 12.5000   '


def write_events(folder, values, steps=STEPS, name='', start=None):
    """Write an event file. name: end of the name of the file. start: step of a mark that the run resumes."""
    writer = tf.summary.FileWriter(str(folder), filename_suffix=name)
    if start is not None:
        writer.add_session_log(tf.SessionLog(status=tf.SessionLog.START), global_step=start)
    for index, step in enumerate(steps):
        writer.add_summary(tf.Summary(value=[
            tf.Summary.Value(tag=tag, simple_value=each[index]) for tag, each in values.items()]), step)
    writer.close()


def write_picture(path, shade, size=(40, 20)):
    PIL.Image.new('RGB', size, (shade, 10, 200)).save(path)


def make_run(folder, values=VALUES):
    """Write a small run directory. -> its path."""
    folder.mkdir(parents=True)
    write_events(folder, values)
    write_picture(folder / 'fakes_init.png', 0)
    for kimg in (10, 0, 5):
        write_picture(folder / f'fakes{kimg:06d}.png', 50 + 10 * kimg)
    write_picture(folder / 'reals.png', 250)
    (folder / 'metric-fid50k.txt').write_text(METRIC + '\n')
    (folder / 'log.txt').write_text('Training...\n' + TICK % (0, 0.1, 0, 16, '2s', 2, 38, 0, 0) + '\n')
    return folder


class Page(html.parser.HTMLParser):
    """Reads a page: its elements must be closed, and nothing in it is loaded from elsewhere."""

    EMPTY = ('meta', 'img', 'input')

    def __init__(self, path):
        super().__init__()
        self.open, self.elements, self.text, self.data = [], [], '', None
        content = pathlib.Path(path).read_text(encoding='utf-8')
        self.feed(content)
        assert self.open == []
        self.styles = re.findall(r'<style>(.*?)</style>', content, re.DOTALL)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.EMPTY:
            self.open.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, text):
        tag, attrs = self.open[-1] if self.open else ('', {})
        if attrs.get('id') == 'data':
            self.data = json.loads(text, parse_constant=lambda name: pytest.fail(f'{name} is not JSON'))
        elif tag not in ('script', 'style'):
            self.text += text

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


@pytest.fixture(scope='module')
def run_dir(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp('results') / '00000-test')


@pytest.fixture(scope='module')
def page(run_dir):
    run_report.main([str(run_dir)])
    return Page(run_dir / 'report.html')


def test_the_numbers_are_exactly_those_of_the_event_files(page):
    run = page.data['runs'][0]
    assert run['kimg'] == [step / 1000 for step in STEPS]
    assert run['columns'] == {'Loss/scores/real': [0.1, -1.5, 2.0],
                              'Timing/sec_per_kimg': [30.25, 7.125, 'nan']}
    assert run['metrics'] == {'fid50k': [[5.0, 12.5, 'network-snapshot-000005']]}
    shown = {tag['tag'] for figure in page.data['figures'] for tag in figure['tags']}
    assert shown == {*run['columns'], 'fid50k'}


def test_nothing_is_loaded_from_elsewhere(page):
    sources = [attrs[name] for _, attrs in page.elements for name in ('src', 'href') if name in attrs]
    assert sources and all(source.startswith(('data:image/webp;base64,', '#')) for source in sources)
    assert not [style for style in page.styles if 'url(' in style or '@import' in style]
    policy = next(meta['content'] for meta in page.all('meta') if 'http-equiv' in meta)
    assert "default-src 'none'" in policy


def test_pictures_come_in_their_order_beside_real_images(page, run_dir):
    frames = page.data['runs'][0]['frames']
    assert [frame['kimg'] for frame in frames] == [None, 0, 5, 10]
    assert len({frame['source'] for frame in frames}) == 4
    slider = next(attrs for attrs in page.all('input') if attrs['type'] == 'range')
    assert (slider['min'], slider['max'], slider['value']) == ('0', '3', '3')
    images = page.all('img')
    assert [image['alt'] for image in images] == ['Generated images, 10 kimg', 'Real images of the data set']
    assert images[0]['src'] == frames[-1]['source']


def test_every_figure_has_a_heading_a_description_and_its_numbers(page):
    headings = [tag for tag, _ in page.elements if tag in ('h1', 'h2', 'h3')]
    assert headings[:2] == ['h1', 'h2'] and headings.count('h1') == 1
    plots = [attrs for attrs in page.all('div') if attrs.get('class') == 'plot']
    assert len(plots) == len(page.data['figures']) and all(plot['aria-label'] for plot in plots)
    assert len([1 for attrs in page.all('details') if attrs.get('class') == 'numbers']) == len(plots)


def test_several_runs_share_a_page(run_dir, tmp_path, capsys):
    make_run(tmp_path / 'more' / '00001-other', {'Loss/scores/real': [5, 6, 7]})
    make_run(tmp_path / 'more' / '00000-test')
    (tmp_path / 'more' / 'not-a-run').mkdir()
    output = tmp_path / 'all.html'
    run_report.main([str(run_dir), str(tmp_path / 'more'), f'--output={output}'])
    assert 'about 3 runs' in capsys.readouterr().out
    data = Page(output).data
    assert [run['name'] for run in data['runs']] == [
        str(run_dir), str(tmp_path / 'more' / '00000-test'), '00001-other']
    assert data['runs'][2]['columns'] == {'Loss/scores/real': [5, 6, 7]}


def test_names_and_contents_of_files_cannot_become_markup(tmp_path):
    bad = '<img src=x onerror=alert(1)></script><b>'
    folder = make_run(tmp_path / bad.replace('/', '&'), {f'Loss/{bad}': [1, 2, 3]})
    (folder / 'log.txt').write_text(bad)
    (folder / 'training_options.json').write_text(json.dumps({bad: bad}))
    (folder / 'metric-x.jsonl').write_text(json.dumps({'results': {bad: 1}, 'network': f'{bad}.pkl'}))
    report.write(folder)
    page = Page(folder / 'report.html')
    assert page.text.count(bad) >= 4
    assert not [attrs for _, attrs in page.elements if 'onerror' in attrs]
    assert page.data['runs'][0]['columns'] == {f'Loss/{bad}': [1, 2, 3]}


def test_a_run_without_anything_but_a_log_shows_its_ticks(tmp_path, capsys):
    lines = [TICK % (tick, kimg, 2, 128, '1d 02h 03m', 2.5, 38.02, 0.5, 3.5) for tick, kimg in
             ((0, 0.1), (1, 160.3), (2, 320.5), (1, 160.3))]
    (tmp_path / 'log.txt').write_text('\n'.join(lines) + '\ntick 5 kimg 7')
    run_report.main([str(tmp_path)])
    run = Page(tmp_path / 'report.html').data['runs'][0]
    assert run['kimg'] == [0.1, 160.3]
    assert run['columns']['Timing/total_hours'] == [26.05, 26.05]
    assert run['columns']['Resources/peak_gpu_mem_gb'] == [3.5, 3.5]
    assert run['columns']['Progress/lod'] == [2, 2]
    assert 'no event files' in capsys.readouterr().out


def test_ticks_of_stylegan2_ada_are_read(tmp_path):
    (tmp_path / 'log.txt').write_text('tick 3     kimg 12.1     time 1m 05s       sec/tick 18.2    sec/kimg '
                                      '4.54    maintenance 0.0    gpumem 5.5   augment 0.012\n')
    table, _ = tick_lines.read(tmp_path)
    assert table['Progress/augment'] == {12100: 0.012} and table['Timing/sec_per_kimg'] == {12100: 4.54}


def test_the_later_of_two_event_files_counts_where_they_overlap(tmp_path):
    write_events(tmp_path, {'a': [1, 2, 3]}, [10, 20, 30], '.0')
    write_events(tmp_path, {'a': [7]}, [25], '.1')
    write_events(tmp_path, {}, [], '.2', start=22)
    assert events.scalars(str(tmp_path), []) == {'a': {10: 1, 20: 2}}


def test_a_record_that_is_being_written_is_left_out_and_the_log_has_newer_ticks(tmp_path):
    folder = make_run(tmp_path / 'run')
    path = next(folder.glob('events*'))
    path.write_bytes(path.read_bytes()[:-5])
    with open(folder / 'log.txt', 'a') as file:
        file.write(TICK % (2, 10.2, 0, 16, '9s', 2, 6.5, 0, 0) + '\n')
    run = runs.read(str(folder), 'run')
    assert run.scalars['Timing/sec_per_kimg'] == {64: 30.25, 5120: 7.125, 10200: 6.5}
    assert run.notes == []


def test_damaged_files_are_left_out_with_a_line(tmp_path, capsys):
    folder = make_run(tmp_path / 'run')
    path = next(folder.glob('events*'))
    path.write_bytes(path.read_bytes()[:-40] + 40 * b'\xff')
    (folder / 'fakes000005.png').write_bytes(b'nonsense')
    (folder / 'submit_config.pkl').write_bytes(b'\x80\x04cos\nsystem\n.')
    record = json.dumps({'results': {'fid50k': 3.25}, 'network': 'network-final.pkl'})
    (folder / 'metric-fid50k.jsonl').write_text(record + '\n{')
    run_report.main([str(folder)])
    output = capsys.readouterr().out
    assert re.search(r'run: events.* is read only in part: a record is damaged', output)
    assert 'run: fakes000005.png cannot be read' in output
    assert 'run: submit_config.pkl cannot be used: it: refused: the file asks for os.system' in output
    assert 'run: metric-fid50k.jsonl: lines that are not records of a metric: 1.' in output
    data = Page(folder / 'report.html').data['runs'][0]
    assert [frame['kimg'] for frame in data['frames']] == [None, 0, 10]
    assert data['metrics'] == {'fid50k': [[5.12, 3.25, 'network-final']]}


def test_metrics_that_were_evaluated_later_beside_the_run_count(run_dir):
    folder = run_dir.parent / '00001-run-metrics'
    folder.mkdir()
    networks = [f'results/{name}/network-snapshot-000010.pkl' for name in (run_dir.name, 'another')]
    lines = [json.dumps({'results': {'ppl_wend': 100}, 'network': network}) for network in networks]
    (folder / 'metrics.jsonl').write_text('\n'.join(lines))
    found = metric_files.read(str(run_dir), [])
    assert found == [metric_files.Result('ppl_wend', 100, 'network-snapshot-000010', 10),
                     metric_files.Result('fid50k', 12.5, 'network-snapshot-000005', 5)]
    assert runs.find([str(run_dir.parent)]) == [str(run_dir)]


def test_settings_name_the_flags_that_differ_from_the_configuration(run_dir, monkeypatch, tmp_path):
    path = resumed_runs.write_data(tmp_path)
    submitted = []
    monkeypatch.setattr('dnnlib.submit_run', lambda sc, *_, **settings: submitted.append((sc, settings)))
    run_training.main([f'--data-dir={path}', '--dataset=tiny', '--config=config-e', '--metrics=none',
                       '--gamma=3', '--lrate=0.1', '--report', '--result-dir=' + str(tmp_path)])
    sc, settings = submitted[0]
    assert settings['after_snapshot'] == REPORT
    assert run_settings.config_of(sc.run_desc) == 'config-e'
    base = run_settings._flat(run_settings.config_settings('config-e'))
    changes = run_settings._changes(run_settings._flat(settings), base)
    assert {(flag, value, usual) for flag, _, value, usual in changes} >= {
        ('--gamma', '3.0', '100'), ('--lrate', '0.1', '0.002')}
    assert {flag for flag, *_ in changes} <= {'--gamma', '--lrate', '--minibatch-gpu', '--precision', ''}


def test_many_pictures_become_fewer_and_smaller(tmp_path, monkeypatch):
    rnd = np.random.RandomState(0)
    for kimg in range(100):
        noise = rnd.randint(0, 256, [60, 800, 3]).astype(np.uint8)
        PIL.Image.fromarray(noise).save(tmp_path / f'fakes{kimg:06d}.png', compress_level=0)
    monkeypatch.setattr(pictures, 'MAX_BYTES', 600_000)
    run = runs.read(str(tmp_path), 'run')
    frames, reals = pictures.strips([run])[0]
    assert [frame.kimg for frame in frames] == [*range(0, 100, 2), 99] and reals is None
    assert sum(len(frame.picture.source) for frame in frames) <= 600_000
    assert {frame.picture.width for frame in frames} <= set(pictures.WIDTHS)
    assert '51 of 100 pictures are shown' in run.notes[-1]


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
    return resumed_runs.write_data(tmp_path_factory.mktemp('data'))


@pytest.fixture(scope='module')
def run_with_report(data_dir, tmp_path_factory):
    return resumed_runs.start(data_dir, tmp_path_factory.mktemp('with'), after_snapshot=REPORT)


def test_a_training_that_reports_ends_as_one_that_does_not(run_with_report, data_dir, tmp_path):
    without = resumed_runs.start(data_dir, tmp_path)
    assert resumed_runs.differences(without, run_with_report) == []
    assert not (without / 'report.html').exists()


def test_the_report_of_a_training_has_all_its_summaries(run_with_report):
    page = Page(run_with_report / 'report.html')
    assert 'complete' in page.text and 'not complete' not in page.text
    run = page.data['runs'][0]
    expected = resumed_runs.summaries(run_with_report)
    assert run['kimg'] == [step / 1000 for step, _ in expected['Loss/scores/real']]
    for tag in ('Loss/scores/real', 'Loss/gradient_penalty', 'TrainG/learning_rate'):
        np.testing.assert_array_equal(np.float32(run['columns'][tag]), [value for _, value in expected[tag]])
    assert len(run['frames']) == 1 + len(list(run_with_report.glob('fakes0*.png')))


def test_a_resumed_run_keeps_its_report_and_a_failing_one_ends_nothing(data_dir, tmp_path, monkeypatch):
    def fail(_run_dir):
        raise UserError('no room\nleft')

    with resumed_runs.stopped_after(3):
        stopped = resumed_runs.start(data_dir, tmp_path, after_snapshot=REPORT)
    assert 'not complete' in Page(stopped / 'report.html').text
    for given in (True, False):
        sc = command.settings_with(found_runs.find_run(str(stopped), None), {'report': given}, [], None)
        assert sc.run_func_kwargs['after_snapshot'] == (REPORT if given else None)
    monkeypatch.setattr(report, 'write', fail)
    resumed_runs.resume(stopped)
    assert (stopped / 'network-final.pkl').exists()
    lines = (stopped / 'log.txt').read_text().splitlines()
    assert f'{REPORT} failed; training continues: no room\\nleft' in lines


def test_packages_that_are_missing_are_named_before_anything_starts(run_dir, monkeypatch, tmp_path):
    monkeypatch.setattr('importlib.util.find_spec', lambda _name: None)
    message = re.escape("a report needs plotly and tensorboard: pip install 'plotly>=6' 'tensorboard>=2.20'")
    with pytest.raises(UserError, match=message):
        run_training.main(['--report', f'--data-dir={tmp_path}', '--dataset=x', '--config=config-f'])
    with pytest.raises(UserError, match=message):
        run_report.main([str(run_dir)])


@pytest.fixture(scope='module')
def browser():
    sync_api = pytest.importorskip('playwright.sync_api', reason='Playwright is not installed')
    if not os.path.exists(CHROMIUM):
        pytest.skip(f'there is no Chromium at {CHROMIUM} (apt install chromium)')
    flags = ['no-sandbox', 'disable-gpu', 'no-first-run', 'disable-background-networking',
             'disable-component-update', 'disable-sync']
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=[f'--{flag}' for flag in flags])
        yield opened
        opened.close()


def test_a_browser_draws_the_figures_and_moves_through_the_pictures(browser, run_with_report):
    run_report.main([str(run_with_report)])
    path = run_with_report / 'report.html'
    view, trouble = browser.new_page(viewport={'width': 360, 'height': 800}), []
    view.on('console', lambda message: trouble.append(message.text))
    view.on('pageerror', lambda error: trouble.append(str(error)))
    view.on('request', lambda request: trouble.append(request.url)
            if not request.url.startswith(('data:', 'blob:', path.as_uri())) else None)
    view.goto(path.as_uri())
    data = Page(path).data
    frames, figures = data['runs'][0]['frames'], data['figures']
    view.wait_for_function(f'document.querySelectorAll(".js-plotly-plot").length === {len(figures)}')
    assert view.locator('.plot .scatterlayer .trace').count() >= len(figures)
    assert view.evaluate('document.documentElement.scrollWidth') == 360
    image, slider = view.locator('.fakes'), view.get_by_role('slider')
    assert image.get_attribute('src') == frames[-1]['source']
    slider.focus()
    view.keyboard.press('Home')
    assert image.get_attribute('src') == frames[0]['source']
    assert image.get_attribute('alt') == 'Generated images, before training'
    view.keyboard.press('ArrowRight')
    assert image.get_attribute('src') == frames[1]['source']
    card = view.locator('.card', has=view.locator('h3', has_text=re.compile('^Speed$')))
    card.get_by_text('Logarithmic scale').click()
    assert card.locator('.plot').evaluate('plot => plot.layout.yaxis.type') == 'log'
    card.get_by_text('Numbers').click()
    card.locator('td').first.wait_for()  # the event that adds the table comes later
    numbers = [float(text) for text in card.locator('td').all_inner_texts()]
    assert numbers == data['runs'][0]['columns']['Timing/sec_per_kimg']
    assert trouble == []
