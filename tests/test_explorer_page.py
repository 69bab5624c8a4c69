"""Test the page of explorer.py in a headless Chromium, as somebody uses it."""

import base64
import io
import json
import os
import urllib.parse

import numpy as np
import PIL.Image
import pytest

from latents.explorer import preview
from tests.explorer_server import network_files, served

playwright = pytest.importorskip('playwright.sync_api', reason='needs Playwright (pip install playwright)')

CHROMIUM = '/usr/bin/chromium'
FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-component-update',
         '--disable-background-networking', '--disable-sync']
pytestmark = pytest.mark.skipif(not os.path.exists(CHROMIUM), reason=f'needs {CHROMIUM} (package chromium)')
DESKTOP, PHONE = {'width': 1280, 'height': 900}, {'width': 360, 'height': 800}
NAMES = ('stylegan2', 'labels', 'progan')


@pytest.fixture(scope='module')
def explorer(module_session, tmp_path_factory):
    """Serve three networks, the square ones with previews of 8 pixels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preview, 'MAX_SIDE', 8)
        patch.setattr(preview, 'MIN_FACTOR', 2)
        files = network_files(tmp_path_factory, *NAMES)
        with served(list(files.values())) as explorer:
            yield explorer


@pytest.fixture(scope='module')
def chromium():
    with playwright.sync_playwright() as api:
        browser = api.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope='module')
def context(chromium, explorer):
    """Open a browser with the cookie."""
    context = chromium.new_context(viewport=DESKTOP, accept_downloads=True)
    context.set_default_timeout(10_000)
    context.grant_permissions(['clipboard-read', 'clipboard-write'])
    yield context
    context.close()


@pytest.fixture
def tab(context, explorer):
    """Open a tab, and check at the end that nothing went wrong in it."""
    page = context.new_page()
    problems, addresses = [], []

    def note(message):
        is_refusal = 'responded with a status of 4' in message.text  # shown in the page
        if message.type in ('error', 'warning') and not is_refusal:
            problems.append(message.text)
    page.on('console', note)
    page.on('pageerror', lambda error: problems.append(str(error)))
    page.on('request', lambda request: addresses.append(request.url))
    page.set_viewport_size(DESKTOP)
    yield page
    own = explorer.url.partition('?')[0]
    elsewhere = [url for url in addresses if not url.startswith((own, f'blob:{own}'))]
    assert elsewhere == []
    page.close()
    assert problems == []


@pytest.fixture
def page(tab, explorer):
    """Open the page with one network."""
    open_page(tab, explorer)
    return tab


def open_page(page, explorer, **state):
    """Open the page in a state, with the first network alone unless it says otherwise."""
    state = {'networks': [0, None], **state}
    page.goto(explorer.url + '#' + urllib.parse.quote(json.dumps(state)))
    drawn(page)


def drawn(page, text='drawn at'):
    """Wait until the status has this text. -> the status"""
    page.wait_for_function('text => document.getElementById("status").textContent.includes(text)', arg=text)
    return page.inner_text('#status')


def picture(page, place=0):
    """Return the picture that is shown, [H,W,3]."""
    url = page.locator('.frame img').nth(place).evaluate('''(image) => {
        const canvas = document.createElement('canvas');
        [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
        canvas.getContext('2d').drawImage(image, 0, 0);
        return canvas.toDataURL();
    }''')
    return np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(url.partition(',')[2]))).convert('RGB'))


def after(page, action, text='drawn at'):
    """Do something that draws. -> the status and the picture afterwards"""
    page.evaluate('document.getElementById("status").textContent = ""')
    action()
    status = drawn(page, text)
    page.wait_for_function('() => document.querySelector(".panel").dataset.quality === "full"')
    return status, picture(page)


def slide(page, selector, value):
    """Move a slider as a hand does: many steps, then letting go."""
    page.evaluate('''([selector, value]) => {
        const slider = document.querySelector(selector);
        for (const share of [0.3, 0.6, 1]) {
            slider.value = Number(slider.value) + share * (value - slider.value);
            slider.dispatchEvent(new Event('input', { bubbles: true }));
        }
        slider.dispatchEvent(new Event('change', { bubbles: true }));
    }''', [selector, value])


def test_the_page_says_what_it_shows(page):
    assert drawn(page).startswith('seed 0, psi 0.7: drawn at 16 × 16 in ')
    assert page.locator('.frame img').get_attribute('alt') == 'Generated picture: seed 0, psi 0.7'
    assert 'token' not in page.url
    assert page.inner_text('#summary') == 'stylegan2/network.pkl · 16 × 16 RGB'
    page.wait_for_function('() => document.querySelectorAll("#thumbnails img[src]").length === 12')


def test_moving_psi_changes_the_picture_and_a_reload_keeps_it(page):
    before = picture(page)
    status, moved = after(page, lambda: slide(page, '#psi', -0.5))
    assert 'psi -0.5' in status and np.abs(moved.astype(int) - before).max() > 5
    page.reload()
    assert 'psi -0.5' in drawn(page)
    np.testing.assert_array_equal(picture(page), moved)
    status, back = after(page, page.go_back)
    assert 'psi 0.7' in status
    np.testing.assert_array_equal(back, before)


def test_a_preview_comes_before_the_picture(page):
    shown = page.evaluate('''async () => {
        const sizes = [];
        const image = document.querySelector('.frame img');
        image.addEventListener('load', () => sizes.push(image.naturalWidth));
        document.getElementById('seed-next').click();
        while (sizes.length < 2) await new Promise((resolve) => { setTimeout(resolve, 20); });
        return sizes;
    }''')
    assert shown == [8, 16]


def test_seeds_by_keyboard(page):
    page.evaluate('document.activeElement.blur()')
    status, second = after(page, lambda: page.keyboard.press('ArrowRight'))
    assert status.startswith('seed 1,')
    page.focus('#seed')
    page.keyboard.press('Control+A')
    page.keyboard.type('12')
    status, _ = after(page, lambda: page.keyboard.press('Enter'))
    assert status.startswith('seed 12,')
    page.focus('#seed')
    page.keyboard.type('r')  # a letter in a field is no command
    assert page.input_value('#seed') == '12'
    page.locator('#shortcuts').evaluate('box => box.click()')
    page.evaluate('document.activeElement.blur()')
    page.keyboard.press('ArrowRight')
    assert page.input_value('#seed') == '12'
    status, again = after(page, lambda: page.get_by_role('button', name='Seed 1', exact=True).click())
    np.testing.assert_array_equal(again, second)


def test_the_table_of_layers_mixes_styles(page, explorer):
    before = picture(page)
    status, mixed = after(page, lambda: page.get_by_role('button', name='Mix with a seed').click())
    assert 'layer 0 from seed 1' in status and np.abs(mixed.astype(int) - before).max() > 2
    status, all_of_b = after(page, lambda: page.get_by_role('button', name='All layers from B').click())
    assert 'layers 0–5 from seed 1' in status
    radio = page.get_by_role('radio', name='Layer 5 · to RGB from B')
    radio.focus()
    status, _ = after(page, lambda: page.keyboard.press('ArrowLeft'))
    assert 'layers 0–4 from seed 1' in status
    assert page.evaluate('document.activeElement.getAttribute("aria-label")') == 'Layer 5 · to RGB from A'
    headers = page.locator('#layers th[scope="row"]').all_inner_texts()
    assert headers[:4] == ['All', 'Coarse', '0 · 4×4', 'Middle']
    status, alone = after(page, lambda: page.get_by_role('button', name='Unmix').click())
    np.testing.assert_array_equal(alone, before)


def test_noise_is_chosen_for_a_range_and_redrawn(page):
    fine = page.get_by_label('Noise of fine layers')
    _, first = after(page, lambda: fine.select_option('Drawn'))
    _, second = after(page, lambda: page.get_by_role('button', name='Redraw').click())
    assert np.abs(first.astype(int) - second).max() > 2
    assert page.get_by_label('Noise of layer 4 · 16×16').input_value() == 'drawn'
    assert page.get_by_label('Noise of all layers').input_value() == ''  # mixed
    page.get_by_label('Redraw for every picture').check()
    _, third = after(page, lambda: slide(page, '#psi', 0.71))
    assert np.abs(third.astype(int) - second).max() > 2


def test_the_walk_plays_and_its_slider_moves(page):
    page.get_by_label('Path').select_option('Through the next seeds')
    drawn(page, 'frame 1 of 240')
    page.get_by_role('button', name='Play').click()
    page.wait_for_function('() => document.getElementById("frame").value > 5')
    page.get_by_role('button', name='Pause').click()
    drawn(page, 'of 240')
    status, _ = after(page, lambda: slide(page, '#frame', 60))
    assert 'frame 61 of 240' in status
    assert page.locator('#frame').get_attribute('aria-valuetext') == '2.0 / 8 s'


def test_pictures_latents_and_videos_are_saved_and_latents_loaded(page, tmp_path):
    with page.expect_download() as download:
        page.get_by_role('button', name='Save PNG').click()
    assert download.value.suggested_filename == 'seed0000-psi0.7.png'
    saved = np.asarray(PIL.Image.open(download.value.path()))
    np.testing.assert_array_equal(saved, picture(page))
    with page.expect_download() as download:
        page.get_by_role('button', name='Save W').click()
    download.value.save_as(tmp_path / 'projected_w.npz')
    page.get_by_label('File of latents').set_input_files(tmp_path / 'projected_w.npz')
    assert drawn(page, 'latents projected_w.npz').startswith('latents projected_w.npz')
    (tmp_path / 'bad.npz').write_bytes(b'bad')
    page.get_by_label('File of latents').set_input_files(tmp_path / 'bad.npz')
    page.wait_for_selector('#error:not([hidden])')
    assert page.inner_text('#error').startswith('bad.npz: not readable; expected')


def test_the_walk_is_saved_as_a_video(tab, explorer):
    open_page(tab, explorer, walk={'path': 'gaussian', 'frames': 30, 'frame': 0})
    with tab.expect_download() as download:
        tab.get_by_role('button', name='Save video').click()
    assert download.value.suggested_filename.endswith('-gaussian-seed0000.mp4')
    tab.wait_for_function('() => document.getElementById("video-text").textContent.includes("is saved")')
    assert tab.locator('#save-video').is_enabled()


def test_a_page_that_is_closed_gives_up_its_video(tab, explorer):
    open_page(tab, explorer, walk={'path': 'gaussian', 'frames': 3600, 'frame': 0})
    tab.get_by_role('button', name='Save video').click()
    tab.wait_for_function('() => document.getElementById("video-progress").value > 0')
    tab.goto('about:blank')
    video = explorer.videos.find(max(explorer.videos._videos))
    video._thread.join(10)
    assert video.progress()['isCancelled'] and not os.path.exists(video.path)


def test_the_command_is_copied(page):
    page.wait_for_function('() => document.getElementById("command").textContent')
    page.get_by_role('button', name='Copy command').click()
    drawn(page, 'copied')
    copied = page.evaluate('navigator.clipboard.readText()')
    assert copied.startswith('python run_generator.py generate-images ')
    assert copied.endswith(' --truncation-psi=0.7')


def test_two_networks_side_by_side(tab, explorer):
    open_page(tab, explorer, networks=[0, 1], **{'class': 1})
    tab.wait_for_function('() => document.querySelectorAll(".panel[data-quality=full]").length === 2')
    assert [picture(tab, place).shape for place in range(2)] == [(16, 16, 3), (16, 24, 3)]
    names = tab.locator('figcaption .name').all_inner_texts()
    assert names == ['stylegan2/network.pkl', 'labels/network.pkl']
    assert tab.locator('#class option').all_inner_texts()[1:] == ['cat', 'dog', 'bird']


def test_a_network_without_styles_shows_only_what_it_has(tab, explorer):
    open_page(tab, explorer, networks=[2, None])
    assert tab.is_hidden('#layers-card') and tab.is_hidden('#truncation-card') and tab.is_hidden('#save-w')
    assert 'no styles' in tab.inner_text('#seed-note')


def test_a_picture_that_cannot_be_drawn_is_not_saved_either(page):
    page.evaluate('location.hash = \'{"sources":[{"file":"gone","name":"gone.npz"}]}\'')
    page.wait_for_selector('.panel.outdated img[alt="Not drawn"]')
    page.evaluate('document.getElementById("error").hidden = true')
    page.get_by_role('button', name='Save PNG').click()
    page.wait_for_selector('#error:not([hidden])')
    assert 'no longer loaded' in page.inner_text('#error')
    after(page, lambda: page.get_by_role('button', name='Seed 1', exact=True).click())
    assert page.locator('.outdated').count() == 0


@pytest.mark.parametrize('address', ['{"sources":5', '{"sources":[null]}'])
def test_an_address_that_makes_no_sense_still_draws(tab, explorer, address):
    tab.goto(explorer.url + '#' + urllib.parse.quote(address))
    assert drawn(tab).startswith('seed 0, psi 0.7')


RICH = {'sources': [{'seed': 1}, {'seed': 2}, {'seed': 3}, {'seed': 4}], 'layers': [0, 1, 2, 3],
        'noises': ['seed', 'drawn'], 'walk': {'path': 'seeds', 'frames': 240, 'stops': 8, 'frame': 3},
        'networks': [0, 1], 'class': 0}


def test_a_phone_needs_no_horizontal_scrolling(tab, explorer):
    open_page(tab, explorer, **RICH)
    tab.set_viewport_size(PHONE)
    assert tab.evaluate('document.documentElement.scrollWidth') == 360
    outside = tab.evaluate('''() => [...document.querySelectorAll('body *')]
        .filter((each) => each.offsetParent && !each.classList.contains('skip'))
        .filter((each) => each.getBoundingClientRect().right > 360.5)
        .map((each) => each.outerHTML.slice(0, 80))''')
    assert outside == []


def test_all_controls_have_names_and_can_be_reached(tab, explorer):
    open_page(tab, explorer, **RICH)
    snapshot = tab.locator('body').aria_snapshot()
    roles = ('button', 'textbox', 'spinbutton', 'slider', 'combobox', 'radio', 'checkbox', 'img', 'table')
    lines = [line.strip().removeprefix('- ') for line in snapshot.splitlines()]
    controls = [line for line in lines if line.split(' ')[0].rstrip(':') in roles]
    assert len(controls) > 60
    assert [line for line in controls if '"' not in line] == []
    unreachable = tab.evaluate('''() => [...document.querySelectorAll('button, input, select, summary')]
        .filter((each) => each.offsetParent && each.tabIndex < 0).map((each) => each.outerHTML)''')
    assert unreachable == []


def test_texts_stand_out_from_their_background(page):
    """Contrast of at least 4.5 (WCAG 2.2, 1.4.3), in the light and the dark scheme."""
    for scheme in ('light', 'dark'):
        page.emulate_media(color_scheme=scheme)
        colours = page.evaluate('''() => {
            const style = getComputedStyle(document.documentElement);
            const names = ['ink', 'muted', 'accent', 'on-accent', 'card', 'back', 'bad', 'bad-back', 'well',
                'hover', 'on-source', 'a', 'b', 'c', 'd'];
            const pairs = names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]);
            return Object.fromEntries(pairs);
        }''')
        pairs = [(text, ground) for text in ('ink', 'muted') for ground in ('card', 'back')]
        pairs += [('ink', 'well'), ('ink', 'hover'), ('accent', 'card'), ('on-accent', 'accent')]
        pairs += [('bad', 'bad-back'), *(('on-source', each) for each in 'abcd')]
        pairs += [(source, 'card') for source in 'abcd']
        ratios = {pair: contrast(*(colours[name] for name in pair)) for pair in pairs}
        assert {pair: ratio for pair, ratio in ratios.items() if ratio < 4.5} == {}


def contrast(*colours):
    """Return the contrast of two colours such as '#a0b1c2'."""
    levels = []
    for colour in colours:
        channels = np.array([int(colour[start:start + 2], 16) for start in (1, 3, 5)]) / 255
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        levels.append(linear @ [0.2126, 0.7152, 0.0722] + 0.05)
    return max(levels) / min(levels)
