"""Test explorer.py and latents.explorer, but for the page itself."""

import contextlib
import io
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import PIL.Image
import pytest
import requests

import explorer as script
import run_generator
from dnnlib.util import UserError
from latents import dlatent_files, noise, paths, styles, torch_file
from latents.explorer import drawing_thread, preview, recipes, uploads, walk_videos
from latents.explorer import state as states
from tests.explorer_server import CLASS_NAMES, NETWORKS, network_files, served
from tests.test_house import ROOT
from training import generation

NAMES = list(NETWORKS)


@pytest.fixture(scope='module')
def files(module_session, tmp_path_factory):
    return network_files(tmp_path_factory, *NAMES)


@pytest.fixture(scope='module')
def explorer(files):
    """Serve all networks, with previews of at most 8 pixels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preview, 'MAX_SIDE', 8)
        patch.setattr(preview, 'MIN_FACTOR', 2)
        with served(list(files.values())) as explorer:
            yield explorer


@pytest.fixture(scope='module')
def browser(explorer):
    """Return a requests.Session that has the cookie."""
    with requests.Session() as session:
        assert session.get(explorer.url).ok
        yield session


@contextlib.contextmanager
def generator(explorer, name):
    """Give a generator with its stored noise, which the block may change."""
    studio = explorer.studios[NAMES.index(name)]
    noise.set_values(studio.Gs, studio.noise._stored)
    yield studio.Gs
    noise.set_values(studio.Gs, studio.noise._stored)
    studio.noise._present = [(states.STORED, None)] * len(studio.noise.shapes)


def address(explorer, path):
    return explorer.url.partition('?')[0] + path.removeprefix('/')


def ask(explorer, browser, path, name='stylegan2', **content):
    state = content.pop('state', {})
    content = {'network': NAMES.index(name), 'state': state, **content}
    return browser.post(address(explorer, path), json=content)


def draw(explorer, browser, name, quality='full', **state):
    """Ask for a picture -> uint8 [C,H,W]."""
    answer = ask(explorer, browser, '/draw', name, state=state, quality=quality)
    assert answer.ok, answer.text
    return as_array(answer.content)


def as_array(png):
    image = np.asarray(PIL.Image.open(io.BytesIO(png)))
    return image[np.newaxis] if image.ndim == 2 else image.transpose(2, 0, 1)


def assert_same_picture(actual, expected):
    """Check that images are equal up to 1, as a different order of summation may change the rounding."""
    assert actual.shape == expected.shape
    assert np.ptp(actual) > 20, 'an empty picture'
    assert np.abs(actual.astype(int) - expected).max() <= 1


def error_of(answer):
    assert answer.status_code == 400
    return answer.json()['error']


# Access

@pytest.mark.parametrize('path', ['', 'about', 'page/app.js', 'videos/1', 'nothing'])
def test_nothing_is_answered_without_the_token(explorer, path):
    for query in ('', '?token=', '?token=x', '?token=é'):
        answer = requests.get(address(explorer, path) + query)
        assert (answer.status_code, answer.headers.get('set-cookie')) == (403, None)
    assert requests.get(address(explorer, path), headers={'Cookie': 'explorer-1=x;;=,"'}).status_code == 403


def test_the_token_becomes_a_cookie_that_scripts_and_other_sites_do_not_get(explorer):
    cookie = requests.get(explorer.url).headers['set-cookie']
    assert explorer.token in cookie and 'HttpOnly' in cookie and 'SameSite=Strict' in cookie


def test_the_page_may_load_nothing_from_elsewhere(explorer, browser):
    for path in ('', 'page/app.js', 'about', 'page/absent'):
        policy = browser.get(address(explorer, path)).headers['content-security-policy']
        assert policy.startswith("default-src 'self'; img-src 'self' blob:; ")
        assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize('headers', [{'Host': 'evil.example'}, {'Host': '127.0.0.1:1'},
                                     {'Origin': 'http://evil.example'}, {'Origin': 'null'}], ids=str)
def test_other_hosts_and_other_pages_are_refused_even_with_the_token(explorer, headers):
    assert requests.get(explorer.url, headers=headers).status_code == 403
    assert requests.post(explorer.url, headers=headers).status_code == 403


def test_the_server_listens_on_this_machine_only():
    with script.listening_socket(0) as listener:
        host, port = listener.getsockname()
        assert host == '127.0.0.1'
        with pytest.raises(UserError, match=f'--port={port}: cannot be used .*; choose another'):
            script.listening_socket(port)


# Pictures

@pytest.mark.parametrize('name', NAMES)
def test_a_seed_has_the_picture_of_generate_images(explorer, browser, name):
    class_idx = 1 if name == 'labels' else None
    for seed, psi in ((5, 0.7), (6, -0.5)):
        with generator(explorer, name) as Gs:
            latents, label = generation.inputs_from_seed(Gs, seed), generation.label_of_class(Gs, class_idx)
            expected = generation.images_from_latents(Gs, latents, label, psi)[0]
        state = {'sources': [{'seed': seed}], 'psi': psi, 'class': class_idx}
        assert_same_picture(draw(explorer, browser, name, **state), expected)


def mapped(Gs, seed, psi=0.7, cutoff=None):
    latents = np.random.RandomState(seed).randn(1, 8)
    return styles.truncate(Gs.components.mapping.run(latents, None), Gs.get_var('dlatent_avg'), psi, cutoff)


def test_only_the_layers_before_the_cutoff_are_truncated(explorer, browser):
    with generator(explorer, 'stylegan2') as Gs:
        expected = generation.images_from_dlatents(Gs, mapped(Gs, 3, 0.3, cutoff=2))[0]
    state = {'sources': [{'seed': 3}], 'psi': 0.3, 'noises': ['stored']}
    assert_same_picture(draw(explorer, browser, 'stylegan2', cutoff=2, **state), expected)
    assert np.abs(draw(explorer, browser, 'stylegan2', **state).astype(int) - expected).max() > 5


def test_layers_take_their_styles_from_the_sources_that_the_table_says(explorer, browser):
    with generator(explorer, 'stylegan2') as Gs:
        dlatents = mapped(Gs, 1)
        dlatents[:, [0, 1]], dlatents[:, 4:] = mapped(Gs, 2)[:, [0, 1]], mapped(Gs, 3)[:, 4:]
        generation.inputs_from_seed(Gs, 1)
        expected = generation.images_from_dlatents(Gs, dlatents)[0]
    state = {'sources': [{'seed': 1}, {'seed': 2}, {'seed': 3}], 'layers': [1, 1, 0, 0, 2]}  # as the last one
    assert_same_picture(draw(explorer, browser, 'stylegan2', **state), expected)


def test_every_layer_has_the_noise_that_the_table_says(explorer, browser):
    with generator(explorer, 'stylegan2') as Gs:
        stored, drawn = noise.values(Gs), noise.drawn(Gs, np.random.RandomState(9))
        generation.inputs_from_seed(Gs, 1)
        of_seed = noise.values(Gs)
        noise.set_values(Gs, [of_seed[0], stored[1], drawn[2], 0 * drawn[3], drawn[4]])
        expected = generation.images_from_dlatents(Gs, mapped(Gs, 1))[0]
    state = {'sources': [{'seed': 1}], 'noiseSeed': 9, 'noises': ['seed', 'stored', 'drawn', 'off', 'drawn']}
    assert_same_picture(draw(explorer, browser, 'stylegan2', **state), expected)
    for other in ({'noiseSeed': 8}, {'noises': ['off']}, {'noises': ['seed']}):
        different = draw(explorer, browser, 'stylegan2', **{**state, **other})
        assert np.abs(different.astype(int) - expected).max() > 5


def test_a_walk_through_seeds_meets_them(explorer, browser):
    walk = {'path': 'seeds', 'frames': 40, 'stops': 4}
    at_stop = {'sources': [{'seed': 7}], 'noises': ['stored'], 'walk': {**walk, 'frame': 20}}
    expected = draw(explorer, browser, 'stylegan2', sources=[{'seed': 9}], noises=['stored'])
    assert_same_picture(draw(explorer, browser, 'stylegan2', **at_stop), expected)


def test_a_random_walk_is_that_of_its_seed(explorer, browser):
    latents = paths.gaussian_walk([8], 60, 30, np.random.RandomState(7))[12:13]
    with generator(explorer, 'progan') as Gs:
        expected = generation.images_from_latents(Gs, latents, np.zeros([1, 0]), 1)[0]
    walk = {'path': 'gaussian', 'frames': 60, 'frame': 12}
    assert_same_picture(draw(explorer, browser, 'progan', sources=[{'seed': 7}], walk=walk), expected)


# Quick pictures

def test_a_skip_network_stops_at_its_image_of_a_lower_resolution(explorer, browser):
    with generator(explorer, 'stylegan2') as Gs:
        synthesis = Gs.components.synthesis.clone(resolution=8)
        dlatents = mapped(Gs, 4)
    expected = synthesis.run(dlatents[:, :4], **generation.SYNTHESIS)[0]
    state = {'sources': [{'seed': 4}], 'noises': ['stored']}
    draw(explorer, browser, 'stylegan2')
    assert_same_picture(draw(explorer, browser, 'stylegan2', 'quick', **state), expected)


@pytest.mark.parametrize('name', ['stylegan', 'progan'])
def test_a_grown_network_draws_with_fewer_blocks_and_then_with_all_again(explorer, browser, name):
    state = {'sources': [{'seed': 4}]}
    before = draw(explorer, browser, name, **state)
    quick = draw(explorer, browser, name, 'quick', **state)
    with generator(explorer, name) as Gs:
        latents = generation.inputs_from_seed(Gs, 4)
        Gs.set_var('lod', 1)
        expected = generation.images_from_latents(Gs, latents, np.zeros([1, 0]), 0.7)[0]
        for lod in (var for local, var in Gs.vars.items() if local.endswith('lod')):
            Gs.set_var(lod, 0)
    assert quick.shape == (3, 8, 8)
    assert_same_picture(np.repeat(np.repeat(quick, 2, axis=1), 2, axis=2), expected)
    np.testing.assert_array_equal(draw(explorer, browser, name, **state), before)


def test_small_networks_have_no_preview(explorer, monkeypatch):
    previews = [studio.about()['preview'] for studio in explorer.studios]
    assert previews == [[8, 8], [4, 6], [8, 8], [8, 8]]
    monkeypatch.undo()
    monkeypatch.setattr(preview, 'MAX_SIDE', 16)
    assert preview.of_generator(explorer.studios[0].Gs) is None


def test_thumbnails_keep_the_shape_of_the_images(explorer, browser):
    assert draw(explorer, browser, 'labels', 'thumbnail', **{'class': 0}).shape == (1, 4, 6)


# The newest request wins

@pytest.fixture
def drawing(module_session):
    thread = drawing_thread.DrawingThread(module_session)
    yield thread
    thread.close()


def test_of_requests_for_one_place_only_the_newest_is_drawn_and_urgent_ones_come_first(drawing):
    began, may_end, drawn = threading.Event(), threading.Event(), []

    def block():
        began.set()
        assert may_end.wait(10)

    def note(name):
        return lambda: drawn.append(name)

    first = drawing.ask('a', drawing_thread.FULL, block)
    assert began.wait(10)
    older = drawing.ask('a', drawing_thread.FULL, note('older'))
    frame = drawing.ask('b', drawing_thread.FRAME, note('frame'))
    newest = drawing.ask('a', drawing_thread.FULL, note('newest'))
    quick = drawing.ask('c', drawing_thread.QUICK, note('quick'))
    may_end.set()
    for future in (first, frame, newest, quick):
        future.result(10)
    assert drawn == ['quick', 'newest', 'frame']
    with pytest.raises(drawing_thread.Superseded):
        older.result(10)


def test_requests_after_the_end_are_dropped_and_errors_belong_to_who_asked(drawing):
    failed = drawing.ask('a', drawing_thread.FULL, lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        failed.result(10)
    assert drawing.ask('a', drawing_thread.FULL, lambda: 3).result(10) == 3
    drawing.close()
    with pytest.raises(drawing_thread.Superseded):
        drawing.ask('a', drawing_thread.FULL, lambda: 3).result(10)


def test_a_stale_request_is_answered_409(explorer, browser):
    began, may_end, statuses = threading.Event(), threading.Event(), {}

    def block():
        began.set()
        may_end.wait(10)

    def send(seed):
        statuses[seed] = ask(explorer, browser, '/draw', state={'sources': [{'seed': seed}]}, quality='full',
                             client='x', panel='left').status_code

    explorer.drawing.ask('block', drawing_thread.QUICK, block)
    assert began.wait(10)
    threads = [threading.Thread(target=send, args=[seed]) for seed in range(2)]
    for count, thread in enumerate(threads, 1):
        thread.start()
        while len(explorer.drawing._pending) + len(statuses) < count:
            time.sleep(0.01)
    threads[0].join(10)
    may_end.set()
    threads[1].join(10)
    assert statuses == {0: 409, 1: 200}


# What the page is told

def test_the_page_knows_what_the_networks_can_do(explorer, browser):
    about = dict(zip(NAMES, browser.get(address(explorer, 'about')).json()['networks'], strict=True))
    assert about['stylegan2']['layers'] == ['4×4', '8×8', '8×8', '16×16', '16×16', 'to RGB']
    assert about['stylegan']['layers'][:3] == ['4×4', '4×4', '8×8'] and about['stylegan']['noises'] == 6
    assert about['stylegan2']['ranges'] == {'coarse': [0], 'middle': [1, 2], 'fine': [3, 4, 5]}
    assert about['labels']['layers'][:2] == ['6×4', '12×8']
    assert about['labels']['classNames'] == CLASS_NAMES
    assert (about['labels']['width'], about['labels']['height'], about['labels']['channels']) == (24, 16, 1)
    assert {name: each['cutoff'] for name, each in about.items()} == {
        'stylegan2': 6, 'labels': 6, 'stylegan': 2, 'progan': 0}
    assert about['progan']['layers'] == [] and about['progan']['noises'] == 0


@pytest.mark.parametrize(('content', 'message'), [
    ({'state': {'psi': float('inf')}}, 'psi: expected a number from -10 to 10'),
    ({'state': {'psi': '1'}}, 'psi: expected a number'),
    ({'state': {'sources': []}}, 'sources: expected a list of 1 to 4 entries'),
    ({'state': {'sources': [{'seed': -1}]}}, 'seed: expected a whole number from 0 to 4294967295'),
    ({'state': {'sources': [{'seed': True}]}}, 'seed: expected a whole number'),
    ({'state': {'layers': [1]}}, 'layers: expected a whole number from 0 to 0'),
    ({'state': {'noises': ['loud']}}, 'noises: expected one of seed, stored, drawn, off'),
    ({'state': {'walk': {'path': 'gaussian', 'frames': 10 ** 9}}}, 'frames: expected a whole number from 2'),
    ({'state': {'walk': {'path': 'gaussian', 'frames': 9, 'frame': 9}}}, 'frame: expected'),
    ({'state': {'sources': [{'file': 'x'}], 'walk': {}}}, 'walk: starts from a seed'),
    ({'state': {'sources': [{'file': 'x'}]}}, 'the latents are no longer loaded'),
    ({'state': {'class': 1}}, 'class=1: this network has no classes'),
    ({'state': 3}, 'state: expected an object'), ({'quality': 'best'}, 'quality: expected one of'),
    ({'network': 9}, 'network: expected a number from 0 to 3')], ids=str)
def test_a_wrong_state_is_answered_in_one_line(explorer, browser, content, message):
    content = {'quality': 'full', **content}
    answer = browser.post(address(explorer, 'draw'), data=json.dumps({'network': 0, 'state': {}, **content}))
    assert message in error_of(answer) and '\n' not in error_of(answer)


def test_what_is_no_json_and_what_is_too_long_is_refused(explorer, browser):
    assert 'expected JSON' in error_of(browser.post(address(explorer, 'draw'), data=b'\xff'))
    assert 'more than 256 KB' in error_of(browser.post(address(explorer, 'draw'), data=b' ' * (1 << 19)))


def test_lack_of_memory_is_one_line_and_the_server_goes_on(explorer, browser, monkeypatch):
    def fail(*_):
        raise MemoryError
    monkeypatch.setattr(generation, 'images_from_dlatents', fail)
    answer = ask(explorer, browser, '/draw', quality='full')
    assert 'memory has run out; use a smaller network' in error_of(answer)
    monkeypatch.undo()
    assert ask(explorer, browser, '/draw', quality='full').ok


# Files

def load(explorer, browser, content, name='projected_w.npz'):
    return browser.post(address(explorer, f'files?name={name}'), data=content)


def test_tensors_of_others_are_loaded_for_all_layers(explorer, browser):
    w, content = np.random.RandomState(1).randn(1, 8), io.BytesIO()
    torch_file.write(content, w)
    loaded = load(explorer, browser, content.getvalue(), 'w.pt').json()
    assert loaded['count'] == 1
    saved = ask(explorer, browser, '/projected_w.npz', state={'sources': [{'file': loaded['file']}]}).content
    with np.load(io.BytesIO(saved)) as file:
        np.testing.assert_array_equal(file['w'], np.repeat(np.float32(w)[np.newaxis], 6, axis=1))


def test_saved_latents_are_loaded_again(explorer, browser, tmp_path):
    mixed = {'sources': [{'seed': 1}, {'seed': 2}], 'layers': [0, 1, 0], 'noises': ['stored']}
    saved = ask(explorer, browser, '/projected_w.npz', state=mixed).content
    (tmp_path / 'w.npz').write_bytes(saved)
    assert dlatent_files.read(tmp_path / 'w.npz').shape == (1, 6, 8)
    loaded = load(explorer, browser, saved).json()
    assert loaded['count'] == 1
    again = {'sources': [{'file': loaded['file']}], 'psi': 0.1}  # they are not truncated again
    np.testing.assert_array_equal(
        draw(explorer, browser, 'stylegan2', **again), draw(explorer, browser, 'stylegan2', **mixed))
    message = error_of(ask(explorer, browser, '/draw', quality='full',
                           state={'sources': [{'file': loaded['file'], 'row': 1}]}))
    assert 'has 1 dlatents; there is no number 1' in message


@pytest.mark.parametrize(('content', 'message'), [
    (b'', 'not readable'), (b'PK\x03\x04 cut', 'not readable'),
    (b'\x80\x04N.', 'found an object of type NoneType')])
def test_damaged_files_are_named(explorer, browser, content, message):
    error = error_of(load(explorer, browser, content, 'folder/mine.npz'))
    assert error.startswith('mine.npz: ') and message in error


def test_files_of_other_arrays_are_refused(explorer, browser):
    for arrays, message in (({'x': np.ones(3)}, "with the key 'w' or 'dlatents'"),
                            ({'w': np.ones([1, 1, 2, 3])}, 'found float64 [1, 1, 2, 3]'),
                            ({'w': np.full([1, 6, 8], np.nan)}, 'not finite'),
                            ({'w': np.array([[['x']]], dtype=object)}, 'found object [1, 1, 1]')):
        file = io.BytesIO()
        np.savez(file, **arrays)
        assert message in error_of(load(explorer, browser, file.getvalue()))


def test_latents_of_another_network_are_refused(explorer, browser):
    key = load(explorer, browser, uploads.npz_of(np.ones([1, 8, 8]))).json()['file']
    message = error_of(ask(explorer, browser, '/draw', state={'sources': [{'file': key}]}, quality='full'))
    assert message.startswith('projected_w.npz: has dlatents [8, 8], the network takes [6, 8]; use')


def test_a_network_without_styles_draws_no_loaded_latents(explorer, browser):
    key = load(explorer, browser, uploads.npz_of(np.ones([1, 6, 8]))).json()['file']
    state = {'sources': [{'file': key}]}
    message = error_of(ask(explorer, browser, '/draw', 'progan', state=state, quality='full'))
    assert 'has no styles, and cannot draw loaded latents; pick a seed' in message
    recipe = ask(explorer, browser, '/recipe', 'progan', state=state).json()
    assert recipe == {'command': None, 'note': 'This network cannot draw loaded latents.', 'files': []}


def test_only_the_newest_files_are_kept(monkeypatch):
    monkeypatch.setattr(uploads, 'MAX_FILES', 2)
    files = uploads.Files()
    keys = [files.add('w.npz', uploads.npz_of(np.full([1, 2, 3], value)))[0] for value in range(3)]
    with pytest.raises(UserError, match='no longer loaded'):
        files.dlatents(states.Source(file=keys[0]), [2, 3])
    assert files.dlatents(states.Source(file=keys[2]), [2, 3])[0, 0] == 2


def test_saved_noise_is_that_of_the_picture(explorer, browser):
    saved = ask(explorer, browser, '/projected_noises.npz', state={'sources': [{'seed': 5}]}).content
    with generator(explorer, 'stylegan2') as Gs:
        generation.inputs_from_seed(Gs, 5)
        expected = noise.values(Gs)
    with np.load(io.BytesIO(saved)) as file:
        assert list(file) == [f'noise{layer}' for layer in range(5)]
        for image, wanted in zip(file.values(), expected, strict=True):
            np.testing.assert_array_equal(image, wanted)


# Commands

def run_command(command, result_dir):
    """Run a command line of the page -> {file name: uint8 [C,H,W]}."""
    python, program, *flags = shlex.split(command)
    assert (python, program) == ('python', 'run_generator.py')
    run_generator.main([*flags, f'--result-dir={result_dir}'])
    return {path.name: as_array(path.read_bytes()) for path in result_dir.glob('*/*.png')}


@pytest.mark.parametrize(('name', 'state', 'picture'), [
    ('stylegan2', {'sources': [{'seed': 5}], 'psi': 0.6}, 'seed0005.png'),
    ('stylegan', {'sources': [{'seed': 5}], 'psi': 0.6}, 'seed0005.png'),
    ('stylegan2', {'sources': [{'seed': 5}, {'seed': 6}], 'psi': 1, 'cutoff': 1}, 'seed0005.png'),
    ('labels', {'sources': [{'seed': 5}], 'class': 2}, 'seed0005.png'),
    ('progan', {'sources': [{'seed': 5}]}, 'seed0005.png'),
    ('stylegan2', {'sources': [{'seed': 5}, {'seed': 6}], 'layers': [1, 1, 0], 'noises': ['stored']},
     '5-6.png'),
    ('stylegan', {'sources': [{'seed': 5}, {'seed': 6}], 'layers': [0, 1, 0, 1, 0], 'noises': ['stored'],
                  'psi': -1, 'cutoff': 6}, '5-6.png')], ids=str)
def test_the_command_makes_the_same_picture(explorer, browser, tmp_path, name, state, picture):
    recipe = ask(explorer, browser, '/recipe', name, state=state).json()
    assert picture in recipe['note']
    with generator(explorer, name):
        made = run_command(recipe['command'], tmp_path)[picture]
    assert_same_picture(draw(explorer, browser, name, **state), made)


@pytest.mark.parametrize('state', [
    {'cutoff': 2}, {'noises': ['off']}, {'noises': ['stored']}, {'walk': {'path': 'seeds', 'frames': 8}},
    {'sources': [{'seed': 1}, {'seed': 2}], 'layers': [0, 1, 0]}], ids=str)
def test_other_pictures_are_made_from_files_that_the_page_saves(
        explorer, browser, tmp_path, monkeypatch, state):
    recipe = ask(explorer, browser, '/recipe', state=state).json()
    assert recipe['files'] == [recipes.W_FILE, recipes.NOISE_FILE][:1 + (state.get('noises') != ['stored'])]
    monkeypatch.chdir(tmp_path)
    for name in recipe['files']:
        (tmp_path / name).write_bytes(ask(explorer, browser, f'/{name}', state=state).content)
        assert name in recipe['note']
    with generator(explorer, 'stylegan2'):
        made = run_command(recipe['command'], tmp_path / 'results')
    assert_same_picture(draw(explorer, browser, 'stylegan2', **state), made['proj00.png'])


def test_commands_trust_the_source_text_as_the_explorer_does(explorer, browser, monkeypatch):
    monkeypatch.setattr(explorer.studios[NAMES.index('stylegan2')], 'trust_source', True)
    assert ' --trust-source ' in ask(explorer, browser, '/recipe').json()['command']


def test_no_command_draws_a_walk_without_styles(explorer, browser):
    state = {'walk': {'path': 'seeds', 'frames': 8}}
    recipe = ask(explorer, browser, '/recipe', 'progan', state=state).json()
    assert recipe['command'] is None and 'Save the picture' in recipe['note']


# Videos

def wait_for_video(explorer, browser, number):
    for _ in range(1000):
        progress = browser.get(address(explorer, f'videos/{number}')).json()
        if progress['isComplete'] or progress['error'] or progress['isCancelled']:
            return progress
        time.sleep(0.02)
    raise AssertionError(progress)


@pytest.mark.parametrize('name', ['stylegan2', 'labels'])
def test_a_walk_becomes_a_video(explorer, browser, tmp_path, name):
    import av
    state = {'sources': [{'seed': 3}], 'walk': {'path': 'gaussian', 'frames': 12}}
    number = ask(explorer, browser, '/videos', name, state=state).json()['video']
    progress = wait_for_video(explorer, browser, number)
    assert (progress['done'], progress['error']) == (12, None)
    assert progress['name'].endswith('-gaussian-seed0003.mp4')
    (tmp_path / 'walk.mp4').write_bytes(browser.get(address(explorer, f'videos/{number}/file')).content)
    with av.open(str(tmp_path / 'walk.mp4')) as video:
        frames = [frame.to_ndarray(format='rgb24') for frame in video.decode(video=0)]
    assert len(frames) == 12
    height, width = explorer.studios[NAMES.index(name)].Gs.output_shape[2:]
    assert frames[0].shape == (height, width, 3)


def test_a_cancelled_video_leaves_nothing(explorer, browser):
    state = {'walk': {'path': 'gaussian', 'frames': 3600}}
    number = ask(explorer, browser, '/videos', state=state).json()['video']
    assert browser.post(address(explorer, f'videos/{number}/cancel')).ok
    assert wait_for_video(explorer, browser, number)['isCancelled']
    video = explorer.videos.find(number)
    video.close()
    assert [name for name in os.listdir(os.path.dirname(video.path)) if not name.endswith('.mp4')] == []
    assert not os.path.exists(video.path)
    assert 'not complete' in error_of(browser.get(address(explorer, f'videos/{number}/file')))


def test_a_video_needs_a_walk_and_exists(explorer, browser):
    assert 'choose a walk first' in error_of(ask(explorer, browser, '/videos', state={}))
    assert 'gone' in error_of(browser.get(address(explorer, 'videos/999')))


def test_the_folder_of_the_videos_goes_with_the_server(drawing):
    videos = walk_videos.WalkVideos(drawing)
    folder = videos._folder
    assert os.path.isdir(folder)
    videos.close()
    assert not os.path.exists(folder)


# The script

def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(script.EXTRAS, 'absent_package', 'absent>=1')
    with pytest.raises(UserError, match="the explorer needs other packages: pip install 'absent>=1'"):
        script.check_extras()


def test_ctrl_c_ends_the_script_while_it_draws_and_leaves_nothing(files, tmp_path):
    process = subprocess.Popen(
        [sys.executable, '-u', ROOT / 'explorer.py', f'--network={files["stylegan2"]}', '--no-browser'],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, 'TMPDIR': str(tmp_path)})
    try:
        url = next(line for line in process.stdout if line.startswith('The page is at ')).split()[-1]
        with requests.Session() as session:
            assert '<title>Latent explorer</title>' in session.get(url).text
            wish = {'network': 0, 'state': {'walk': {'path': 'gaussian', 'frames': 999}}}
            assert session.post(url.replace('?', 'videos?'), json=wish).ok
        assert len(list(tmp_path.iterdir())) == 1
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130
    assert errors.splitlines()[-1] == 'Interrupted.' and 'Traceback' not in errors
    assert list(tmp_path.iterdir()) == []
