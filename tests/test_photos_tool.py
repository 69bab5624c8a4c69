"""Test dataset_tool.py create_from_images as a whole: what is written, said and left out."""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import zipfile

import numpy as np
import PIL.Image
import pytest

from dnnlib.util import UserError
from tests import awkward_images, image_sets
from tests.awkward_images import SIDE, encoded, picture
from tests.dataset_files import contents, images_in, records, refused, run, shuffled_order
from training.data.photos import advice, create, pool
from training.data.photos.advice import Header

ROOT = pathlib.Path(__file__).parent.parent


def write_numbered(folder, count, side=8, mode='RGB'):
    """Write images whose pixels are all their number. -> folder."""
    return awkward_images.write(folder, {
        f'{idx:03d}.png': encoded(PIL.Image.new(mode, [side, side], (idx,) * len(mode)), 'PNG')
        for idx in range(count)})


def numbers_in(folder):
    """Return the numbers of the images in a data set named `set`, in order."""
    return images_in(folder, 8)[:, 0, 0, 0].tolist()


def test_a_folder_of_anything_becomes_a_data_set_and_a_report(tmp_path, capsys):
    usable, unusable = awkward_images.usable(), awkward_images.unusable()
    source = awkward_images.write(tmp_path / 'photos', usable)
    awkward_images.write(source / 'bad', {name: content for name, (content, _) in unusable.items()})
    kinds = {name: kind for name, (_, kind) in unusable.items()}
    kinds |= awkward_images.write_unreadable(source / 'bad')
    awkward_images.write(source, {'.DS_Store': b'x', 'sub/Thumbs.db': b'x', 'desktop.ini': b'x'})
    run('create_from_images', tmp_path / 'set', source, f'--resolution={SIDE}', '--jobs=1')
    assert len(images_in(tmp_path / 'set', SIDE)) == len(usable)
    report = (tmp_path / 'set' / 'set-report.txt').read_text(encoding='utf-8')
    for name, kind in kinds.items():
        assert re.search(f'^{kind} .*:\n(  .*\n)*  bad/{re.escape(name)}', report, re.MULTILINE), name
    shown = capsys.readouterr().out
    assert f'Left out {len(kinds)} of {len(usable) + len(kinds)} files:' in shown
    assert 'used, with the same pixels as an earlier image' in shown and 'more\n' in shown
    assert 'Thumbs.db' not in report and 'desktop.ini' not in report


def test_a_clean_folder_has_no_report_and_its_order_is_the_published_one(tmp_path, capsys):
    source = write_numbered(tmp_path / 'photos', 40)
    run('create_from_images', tmp_path / 'set', source)
    assert numbers_in(tmp_path / 'set') == shuffled_order(40).tolist()
    assert sorted(contents(tmp_path / 'set')) == ['set-r02.tfrecords', 'set-r03.tfrecords']
    assert 'Left out' not in capsys.readouterr().out


def test_bad_files_drop_out_of_the_order(tmp_path):
    source = write_numbered(tmp_path / 'photos', 40)
    for idx in (7, 20):
        (source / f'{idx:03d}.png').write_bytes(b'damaged')
    run('create_from_images', tmp_path / 'set', source)
    assert numbers_in(tmp_path / 'set') == [idx for idx in shuffled_order(40) if idx not in (7, 20)]


def test_order_seed_and_number_of_images_can_be_chosen(tmp_path, capsys):
    source = write_numbered(tmp_path / 'photos', 12)
    (source / '003.png').write_bytes(b'damaged')
    run('create_from_images', tmp_path / 'set', source, '--shuffle=0', '--max_images=5')
    assert numbers_in(tmp_path / 'set') == [0, 1, 2, 4, 5]
    order = np.arange(12)
    np.random.RandomState(9).shuffle(order)
    run('create_from_images', tmp_path / 'set', source, '--shuffle-seed=9', '--max-images=3')
    assert numbers_in(tmp_path / 'set') == [idx for idx in order if idx != 3][:3]


@pytest.mark.parametrize('store', ['raw', 'png'])
def test_the_number_of_processes_does_not_matter(tmp_path, store):
    source = awkward_images.write(tmp_path / 'photos', {
        f'{idx}.{kind}': encoded(picture(40 + idx, 40, seed=idx), kind) for idx in range(25)
        for kind in ('png', 'webp')})
    (source / '5.png').write_bytes(b'damaged')
    found = []
    for jobs in (1, 3):
        run('create_from_images', tmp_path / str(jobs) / 'set', source, '--resolution=32', f'--store={store}',
            f'--jobs={jobs}')
        found.append(contents(tmp_path / str(jobs) / 'set'))
    assert found[0] == found[1] and 'set-r05.tfrecords' in found[0]


def test_zip_files_and_folders_give_the_same(tmp_path):
    source = awkward_images.write(tmp_path / 'photos', awkward_images.usable())
    with zipfile.ZipFile(tmp_path / 'photos.zip', 'w') as archive:
        for path in sorted(source.rglob('*')):
            archive.write(path, path.relative_to(source))
        archive.writestr('__MACOSX/._rgb.png', b'x')
    for path in (source, tmp_path / 'photos.zip'):
        run('create_from_images', tmp_path / path.suffix[1:] / 'set', path, '--resolution=24x16',
            '--channels=1')
    names = [f'set-r0{number}.tfrecords' for number in (2, 3, 4)]
    for name in names:
        assert (tmp_path / 'set' / name).read_bytes() == (tmp_path / 'zip' / 'set' / name).read_bytes()
    assert [records(tmp_path / 'set' / name)[0][0] for name in names] == [[1, 4, 6], [1, 8, 12], [1, 16, 24]]


def test_duplicates_are_named_and_dropped_if_wanted(tmp_path, capsys):
    source = write_numbered(tmp_path / 'photos', 3)
    (source / 'sub').mkdir()
    (source / 'sub' / 'copy.png').write_bytes((source / '001.png').read_bytes())
    run('create_from_images', tmp_path / 'set', source, '--shuffle=0')
    assert numbers_in(tmp_path / 'set') == [0, 1, 2, 1]
    assert '    sub/copy.png = 001.png\n' in capsys.readouterr().out
    run('create_from_images', tmp_path / 'set', source, '--shuffle=0', '--drop-duplicates')
    assert numbers_in(tmp_path / 'set') == [0, 1, 2]
    assert '    sub/copy.png: 001.png\n' in capsys.readouterr().out
    assert 'sub/copy.png: 001.png' in (tmp_path / 'set' / 'set-report.txt').read_text(encoding='utf-8')


def test_strict_stops_at_the_first_bad_file(tmp_path):
    source = write_numbered(tmp_path / 'photos', 3)
    (source / 'x.txt').write_text('no image')
    refused(tmp_path, 'x.txt: not an image; mend or remove', 'create_from_images', source, '--strict')
    refused(tmp_path, 'x.txt: not an image', 'create_from_images', source, '--strict', '--resolution=8')


def test_folders_without_a_usable_image_are_refused(tmp_path):
    source = awkward_images.write(tmp_path / 'photos', {
        'a.txt': b'no image', 'b.png': encoded(picture(), 'PNG')})
    refused(tmp_path, 'photos: none of the 2 files is a usable image: 1 not an image, such as a.txt, 1 too '
            'small, such as b.png: 64x64', 'create_from_images', source, '--resolution=128', '--shuffle=0')
    (source / 'b.png').unlink()
    refused(tmp_path, 'none of the 1 files is a usable image: 1 not an image, such as a.txt',
            'create_from_images', source)


@pytest.mark.skipif(os.geteuid() == 0, reason='root may read everything')
def test_folders_that_may_not_be_read_are_listed(tmp_path, capsys):
    source = write_numbered(tmp_path / 'photos', 2)
    (source / 'locked').mkdir(mode=0)
    run('create_from_images', tmp_path / 'set', source)
    assert 'locked/: Permission denied' in capsys.readouterr().out


def test_folders_that_cannot_be_read_are_listed(tmp_path, capsys, monkeypatch):
    source = write_numbered(tmp_path / 'photos', 2)
    image_sets.add_locked_folder(source, monkeypatch)
    run('create_from_images', tmp_path / 'set', source)
    assert 'locked/: Permission denied' in capsys.readouterr().out


def test_colours_can_be_converted_at_the_size_that_images_have(tmp_path):
    source = awkward_images.write(tmp_path / 'photos', {
        'a.png': encoded(picture(24, 40).convert('LA'), 'PNG'), 'b.jpg': encoded(picture(24, 40), 'JPEG')})
    run('create_from_images', tmp_path / 'set', source, '--channels=3')
    assert [shape for shape, _ in records(tmp_path / 'set' / 'set-r05.tfrecords')] == [[3, 40, 24]] * 2
    (source / 'c.png').write_bytes(encoded(picture(), 'PNG'))
    refused(tmp_path / 'other', 'c.png: has 64x64, and images keep their size without --resolution; 3 of 3 '
            'images are at least 16 pixels: --resolution=16', 'create_from_images', source, '--channels=3')


def test_images_taken_as_they_are_in_spite_of_their_orientation_are_counted(tmp_path, capsys):
    source = awkward_images.write(tmp_path / 'photos', {
        'a.jpg': awkward_images.turned(6), 'b.jpg': awkward_images.turned(1)})
    run('create_from_images', tmp_path / 'set', source)
    shown = capsys.readouterr().out
    assert '1 images with an EXIF orientation or a colour profile were taken as they are; --reso' in shown


def headers(*sizes, mode='RGB'):
    return [Header(size, size, mode) for size in sizes]


@pytest.mark.parametrize('found, expected', [
    (headers(*[(4000, 3000), (3000, 4000), (600, 700)] * 2 + [(300, 300)]),
     '6 of 7 images are at least 512 pixels: --resolution=512'),
    (headers(*[(2000, 3000)] * 9, (600, 700)),
     '9 of 10 images are at least 512x768 pixels, and most have about these proportions: '
     '--resolution=512x768'),
    (headers((160, 120)), '1 of 1 images are at least 128x96 pixels, .*: --resolution=128x96'),
    (headers((640, 360), (640, 362)), '2 of 2 images are at least 448x256 pixels, .*: --resolution=448x256'),
    (headers((100, 100), mode='L'), '1 of 1 images are at least 64 pixels: --resolution=64 --channels=1'),
    (headers((3, 3), (2, 9)), '0 of 2 images are at least 4 pixels')])
def test_advice_names_the_resolution_that_most_images_have(found, expected):
    assert re.match(expected, advice.suggestion(found))


def test_a_worker_that_is_killed_is_one_line(tmp_path):
    with pytest.raises(UserError, match='a worker process has died, .*--jobs=N'), \
            pool.Pool(awkward_images.die, 100, jobs=2) as processes:
        list(processes.results(['a', 'b', 'c']))


def test_few_files_are_not_worth_processes(tmp_path, monkeypatch):
    monkeypatch.setattr(create, 'Pool', None)
    run('create_from_images', tmp_path / 'set', write_numbered(tmp_path / 'photos', 9))


def start(tmp_path, count):
    """Start the tool with two processes on many images, and wait until it writes. -> process."""
    image = encoded(PIL.Image.effect_noise([600, 600], 90).convert('RGB'), 'JPEG', quality=95)
    source = awkward_images.write(tmp_path / 'photos', {f'{idx}.jpg': image for idx in range(count)})
    process = subprocess.Popen(
        [sys.executable, ROOT / 'dataset_tool.py', 'create_from_images', tmp_path / 'set', source,
         '--resolution=512', '--jobs=2'], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True)
    end = time.monotonic() + 60
    while not list(tmp_path.glob('set/incomplete-*/*r09*')) and time.monotonic() < end:
        time.sleep(0.05)
    return process


def test_ctrl_c_ends_all_processes_with_one_line(tmp_path):
    process = start(tmp_path, count=1500)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == 'Interrupted.' and 'Traceback' not in errors
    assert not (tmp_path / 'set').exists()
    _wait_for_end_of_group(process.pid)


def test_worker_processes_end_with_a_killed_parent(tmp_path):
    process = start(tmp_path, count=1500)
    process.kill()
    process.communicate(timeout=60)
    _wait_for_end_of_group(process.pid)


def _wait_for_end_of_group(group):
    end = time.monotonic() + 20
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < end:
            os.killpg(group, 0)
            time.sleep(0.05)
        pytest.fail('a worker process is left')
