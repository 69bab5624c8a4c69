"""Test latents/video_files.py: each format read back, errors, memory."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys

import av
import numpy as np
import PIL.Image
import PIL.ImageSequence
import pytest

from dnnlib import cli
from dnnlib.util import UserError
from latents import video_files
from tests.test_house import ROOT


def moving_picture(num_frames, height=24, width=40, channels=3):
    """Return frames [N,H,W,channels], or [N,H,W] for one channel: soft waves that move."""
    t, y, x, c = np.mgrid[:num_frames, :height, :width, :channels]
    frames = (128 + 100 * np.sin(x / 9 + t / 5 + c) * np.cos(y / 7 - c)).astype(np.uint8)
    return frames[..., 0] if channels == 1 else frames


def write(path, frames, **options):
    with video_files.opened(str(path), **options) as add:
        for frame in frames:
            add(frame)


def read(path):
    """Return frames [N,H,W,3] and the duration in seconds."""
    if path.suffix == '.mp4':
        with av.open(str(path)) as container:
            frames = [frame.to_ndarray(format='rgb24') for frame in container.decode(video=0)]
            return np.stack(frames), container.duration / 1e6
    frames, milliseconds = [], 0
    with PIL.Image.open(path) as image:
        assert image.info['loop'] == 0
        for frame in PIL.ImageSequence.Iterator(image):
            frames.append(np.asarray(frame.convert('RGB')))
            milliseconds += frame.info['duration']
    return np.stack(frames), milliseconds / 1000


@pytest.mark.parametrize('channels', [3, 1], ids=['rgb', 'grey'])
@pytest.mark.parametrize('suffix', video_files.FORMATS)
def test_a_video_has_all_its_frames_at_their_times(suffix, channels, tmp_path):
    path, frames = tmp_path / f'video{suffix}', moving_picture(36, channels=channels)
    write(path, frames, fps=24)
    found, seconds = read(path)
    expected = frames if channels == 3 else np.repeat(frames[..., np.newaxis], 3, axis=-1)
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).mean() < 5
    np.testing.assert_allclose(seconds, 36 / 24, atol=0.01)
    assert list(tmp_path.iterdir()) == [path]


def test_colours_of_mp4_are_kept(tmp_path):
    colours = np.uint8([[255, 0, 0], [0, 255, 0], [0, 0, 255], [200, 50, 120], [128, 128, 128], [0, 0, 0]])
    write(tmp_path / 'video.mp4', [np.repeat(np.repeat(colours[np.newaxis], 32, axis=1), 32, axis=0)] * 3)
    found = read(tmp_path / 'video.mp4')[0][0, 16, 16::32]
    assert np.abs(found.astype(int) - colours).max() <= 4


def test_mp4_of_odd_sizes_gets_a_row_or_column_more(tmp_path):
    frames = moving_picture(3, 17, 21)
    write(tmp_path / 'video.mp4', frames)
    found, _ = read(tmp_path / 'video.mp4')
    assert found.shape == (3, 18, 22, 3)
    assert np.abs(found[:, :17, :21].astype(int) - frames).mean() < 5


def test_a_lower_crf_is_a_better_picture(tmp_path):
    frames = moving_picture(5) + np.random.RandomState(0).randint(0, 9, (5, 24, 40, 3), np.uint8)
    errors = {}
    for crf in (5, 45):
        write(tmp_path / 'video.mp4', frames, crf=crf)
        errors[crf] = np.abs(read(tmp_path / 'video.mp4')[0].astype(int) - frames).mean()
    assert errors[5] < 0.7 * errors[45]


@pytest.mark.skipif(not shutil.which('ffprobe'), reason='needs ffprobe')
@pytest.mark.parametrize('fps, rate', [(30, '30/1'), (29.97, '2997/100'), (0.5, '1/2')])
def test_mp4_is_what_browsers_play(fps, rate, tmp_path):
    path = tmp_path / 'video.mp4'
    write(path, moving_picture(6), fps=fps)
    output = subprocess.check_output(['ffprobe', '-v', 'error', '-show_streams', '-of', 'json', str(path)])
    stream, = json.loads(output)['streams']
    assert (stream['codec_name'], stream['pix_fmt'], stream['color_space']) == ('h264', 'yuv420p', 'bt709')
    assert (stream['width'], stream['height'], stream['nb_frames']) == (40, 24, '6')
    assert stream['avg_frame_rate'] == rate
    assert abs(float(stream['duration']) - 6 / fps) < 0.01
    content = path.read_bytes()
    assert content.index(b'moov') < content.index(b'mdat')  # plays before all of it has arrived


@pytest.mark.parametrize('suffix', video_files.FORMATS)
@pytest.mark.parametrize('error', [KeyboardInterrupt, UserError('no more')], ids=['Ctrl-C', 'error'])
def test_a_video_that_is_not_finished_leaves_no_file(error, suffix, tmp_path):
    with pytest.raises((KeyboardInterrupt, UserError)), \
            video_files.opened(str(tmp_path / f'video{suffix}')) as add:
        for frame in moving_picture(80):
            add(frame)
        raise error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('suffix', video_files.FORMATS)
def test_a_video_that_is_not_finished_leaves_the_earlier_one(suffix, tmp_path):
    path = tmp_path / f'video{suffix}'
    write(path, moving_picture(3))
    content = path.read_bytes()
    with pytest.raises(UserError, match=r'one size, not \[\(24, 40, 3\), \(25, 40, 3\)\]$'):
        write(path, [*moving_picture(3), *moving_picture(1, height=25)])
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize('suffix', video_files.FORMATS)
def test_a_video_needs_a_frame(suffix, tmp_path):
    with pytest.raises(UserError, match='a video needs at least one frame'):
        write(tmp_path / f'video{suffix}', [])
    assert list(tmp_path.iterdir()) == []


def test_errors_of_the_encoder_are_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(video_files.MAX_SIDE, '.mp4', 1 << 20)
    with pytest.raises(UserError, match=r'^.*video.mp4: the video cannot be encoded \(.*\)$'):
        write(tmp_path / 'video.mp4', [np.zeros([2, 1 << 16], np.uint8)])
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_names_the_video(tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise av.error.UndefinedError(28, 'No space left on device')

    monkeypatch.setattr(av, 'open', full)
    with pytest.raises(OSError) as caught:
        write(tmp_path / 'video.mp4', moving_picture(1))
    assert cli.line_for(caught.value) == f'Error: {tmp_path}/video.mp4: No space left on device'


@pytest.mark.parametrize('name, fps, message', [
    ('video.avi', 30, 'video.avi: unknown video format; use .mp4, .webp, .gif'),
    ('video', 30, 'video: unknown video format'),
    ('video.gif', 60, 'video.gif: expected at most 50 frames per second in this format, not 60'),
    ('video.mp4', 0, 'at most 240 frames per second'),
])
def test_what_no_format_can_do_is_refused(name, fps, message):
    with pytest.raises(UserError, match=message):
        video_files.check(name, fps)


def test_frames_that_are_too_large_are_refused(tmp_path):
    with pytest.raises(UserError, match='frames of 16384 x 2 pixels are too large for this format, .* 16383'):
        write(tmp_path / 'video.webp', [np.zeros([2, 16384], np.uint8)])
    video_files.check_size('video.mp4', 2, 16384)


def test_without_pyav_other_formats_are_left(tmp_path, monkeypatch):
    assert video_files.default_suffix() == '.mp4'
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    assert video_files.default_suffix() == '.webp'
    with pytest.raises(UserError, match=r"^video.mp4: MP4 needs PyAV \(pip install 'av>=14'\); .webp and"):
        video_files.check('video.mp4')
    write(tmp_path / 'video.webp', moving_picture(2))


PEAK_MEMORY = """
import re, sys
import numpy as np
from latents import video_files
y, x = np.mgrid[:128, :128]
with video_files.opened(sys.argv[1]) as add:
    for idx in range(int(sys.argv[2])):
        add(np.stack([x + idx, y - 2 * idx, x * y // 128], axis=-1).astype(np.uint8))
print(re.search(r'VmHWM:\\s+(\\d+) kB', open('/proc/self/status').read())[1])
"""


@pytest.mark.long
@pytest.mark.skipif(not os.path.exists('/proc/self/status'), reason='needs Linux')
@pytest.mark.parametrize('suffix', video_files.FORMATS)
def test_memory_does_not_grow_with_the_length(suffix, tmp_path):
    """2,000 frames take hardly more than 200; all of them would be 98 MB."""
    kilobytes = {}
    for num_frames in (200, 2000):
        path = tmp_path / f'{num_frames}{suffix}'
        kilobytes[num_frames] = int(subprocess.check_output(
            [sys.executable, '-c', PEAK_MEMORY, str(path), str(num_frames)], cwd=ROOT))
        assert len(read(path)[0]) == num_frames
    assert kilobytes[2000] < kilobytes[200] + 8000
