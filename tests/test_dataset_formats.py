"""Test the commands of dataset_tool.py that read data sets, on every format, and what they write."""

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import PIL.Image
import pytest

from dnnlib import cli
from dnnlib.util import UserError
from tests.dataset_files import contents, random_pixels, run, write_images, write_set
from tests.test_house import ROOT
from training.data_tools import checksums, info, overview

FORMATS = ['raw', 'png', 'jpeg', 'zip', 'folder']
PIXELS = random_pixels(7, 3, 12, 8)
CLASSES = [2, 0, 1, 1, 2, 1, 0]
NAMES = ['Äpfel', 'pears', 'plums']


def write(folder, images=PIXELS, labels=np.eye(3)[CLASSES], names=NAMES, store='raw'):
    return write_set(folder, images, labels, names, store)


@pytest.fixture(scope='module')
def data_sets(tmp_path_factory):
    """Write the same images in every format (but for the losses of JPEG). -> {format: path}."""
    root = tmp_path_factory.mktemp('sets')
    paths = {store: write(root / f'my {store}', store=store) for store in ('raw', 'png', 'jpeg')}
    paths |= {'zip': root / 'my.zip', 'folder': root / 'my folder'}
    for name in ('zip', 'folder'):
        run('export', paths['raw'], paths[name])
    return paths


@pytest.mark.parametrize('form', FORMATS)
def test_info_tells_the_same_of_every_format(data_sets, form, capsys):
    run('info', data_sets[form])
    shown = capsys.readouterr().out
    lines = shown.splitlines()
    assert lines[0] == f'{data_sets[form]}: 7 images of 8x12, RGB'
    assert lines[1].startswith('  stored as     ' + {
        'raw': 'TFRecords of raw images, 8x12, 4x6', 'png': 'TFRecords of png images',
        'jpeg': 'TFRecords of jpeg images', 'zip': 'zip file of images', 'folder': 'folder of images'}[form])
    assert '  images        uint8 [3, 12, 8], base 4x6, nominal resolution 8, levels ' in shown
    assert '  labels        float32 [7, 3], one-hot, 0 to 1, mean L2 norm 1.000' in shown
    assert '  classes       3, of 2 to 3 images' in shown
    assert [line.split()[1:3] for line in lines if line.endswith('#')] == [
        ['Äpfel', '2'], ['pears', '3'], ['plums', '2']]
    name = data_sets[form].name
    quoted = f"'{name}'" if ' ' in name else name
    assert lines[-1].endswith(f'--dataset={quoted} --config=config-f --labels=full')


WITHOUT_TENSORFLOW = """
import json, sys
sys.modules['tensorflow'] = None
import dataset_tool
for line in json.loads(sys.argv[1]):
    dataset_tool.main(line)
"""


def test_looking_at_data_sets_does_not_wait_for_tensorflow(data_sets, tmp_path):
    lines = [['info', data_sets['raw']], ['compare', data_sets['png'], data_sets['zip']],
             ['display', data_sets['jpeg'], f'--output={tmp_path}/x.png'],
             ['extract', data_sets['folder'], tmp_path / 'out'],
             ['export', data_sets['zip'], tmp_path / 'again.zip']]
    subprocess.run([sys.executable, '-c', WITHOUT_TENSORFLOW, json.dumps(lines, default=str)], cwd=ROOT,
                   check=True, capture_output=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['again.zip', 'out', 'x.png']


def test_info_describes_numbers_and_data_sets_without_labels(tmp_path, capsys):
    numbers = np.array([[3, 4], [0, 0]])
    run('info', write(tmp_path / 'numbers', PIXELS[:2], numbers, names=['left', 'right']))
    shown = capsys.readouterr().out
    assert 'float32 [2, 2], numbers, 0 to 4, mean L2 norm 2.500\n' in shown
    assert '  names         2: left, right\n' in shown
    run('info', write(tmp_path / 'none', random_pixels(2, 1, 4, 4), labels=None))
    shown = capsys.readouterr().out
    assert 'none: 2 images of 4x4, grey\n' in shown
    assert '  labels        none\n' in shown
    assert shown.endswith('--dataset=none --config=config-f\n')


def test_info_lists_the_largest_and_smallest_of_many_classes(tmp_path, capsys):
    classes = [*range(50), *range(49), 7]
    run('info', write(tmp_path / 'set', random_pixels(100, 1, 4, 4), np.eye(51)[classes], names=None))
    lines = capsys.readouterr().out.splitlines()
    assert '  classes       51, of 1 to 3 images; 1 has no images' in lines
    bars = [line.split() for line in lines if re.match(' {4}[ 0-9]{5}  [0-9]', line)]
    assert len(bars) == 40
    assert bars[0][::2] == ['7', '3'] and bars[-1] == ['50', '50', '0']
    assert '         (11 classes between these)' in lines


def test_checksums_are_those_of_sha256sum(tmp_path, monkeypatch, capsys):
    folder = write(tmp_path / 'set')
    expected = [f'{hashlib.sha256(content).hexdigest()}  {name}'
                for name, content in sorted(contents(folder).items())]
    run('info', folder)
    assert [line.strip() for line in capsys.readouterr().out.splitlines() if 'set-r' in line][-3:] == [
        line for line in expected if 'set-r' in line]
    monkeypatch.setattr(checksums, 'MAX_FILES', 1)
    run('info', folder)
    together = hashlib.sha256(''.join(f'{line}\n' for line in expected).encode()).hexdigest()
    assert f'sha256sum prints for all files, sorted by name\n    {together}\n' in capsys.readouterr().out


def test_large_files_are_read_completely_only_when_asked_for(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(checksums, 'SMALL', 1000)
    monkeypatch.setattr(checksums, 'BLOCK_BYTES', 8)
    monkeypatch.setattr(info, 'LEVEL_IMAGES', 1)  # the others may be damaged
    folder = write(tmp_path / 'set')

    def changes(byte, *flags):
        path = folder / 'set-r03.tfrecords'
        content = path.read_bytes()
        found = []
        for each in (content, content[:byte] + bytes([content[byte] ^ 1]) + content[byte + 1:]):
            path.write_bytes(each)
            run('info', folder, *flags)
            found.append(capsys.readouterr().out)
        path.write_bytes(content)
        return found[0] != found[1]

    size = len((folder / 'set-r03.tfrecords').read_bytes())
    assert changes(size - 5)  # in the last sample
    between = next(byte for byte in range(size // 2, size) if not changes(byte))
    assert changes(between, '--checksums')


def test_info_shows_the_files_of_what_cannot_be_trained_on(tmp_path, capsys):
    folder = write_images(tmp_path / 'photos', [random_pixels(5, 7, 3), random_pixels(9, 9, 3)])
    with pytest.raises(SystemExit) as ended:
        cli.run_script(lambda: run('info', folder))
    assert ended.value.code == 2
    output = capsys.readouterr()
    assert output.out.startswith(f'{folder}: cannot be trained on\n  files         2, ')
    assert len(output.err.splitlines()) == 1 and 'create_from_images' in output.err


def make_pipe(path):
    os.mkfifo(path)


def make_broken_link(path):
    os.symlink('nowhere', path)


@pytest.mark.parametrize('make, reason', [
    (make_pipe, 'is not a regular file; remove it'),
    (make_broken_link, 'cannot be read (No such file or directory); restore or remove it')])
def test_info_names_what_only_looks_like_an_image(tmp_path, capsys, make, reason):
    folder = write_images(tmp_path / 'photos', [random_pixels(8, 8, 3)])
    make(folder / 'x.png')
    with pytest.raises(UserError, match=f'x.png: {re.escape(reason)}'):
        run('info', folder)
    assert capsys.readouterr().out.startswith(f'{folder}: cannot be trained on\n  files         1, ')


def test_info_counts_only_files_whatever_their_names(tmp_path, capsys):
    folder = write_images(tmp_path / 'photos', [random_pixels(8, 8, 3)] * 2)
    os.symlink('nowhere', tmp_path / 'photos' / 'lost.png')
    (tmp_path / 'photos' / os.fsdecode(b'caf\xe9')).write_bytes(b'')
    os.mkfifo(tmp_path / 'photos' / 'pipe.png')
    for idx in range(40):
        (tmp_path / 'photos' / f'{idx}.txt').touch()
    with pytest.raises(UserError, match='lost.png: cannot be read'):
        run('info', folder)
    assert '  files         43, ' in capsys.readouterr().out


def test_names_of_classes_are_drawn_in_one_line():
    assert overview._drawable('a\nb\x1b é\udce9') == 'a b e'


def test_display_draws_a_row_for_each_class(data_sets, tmp_path, capsys):
    run('display', data_sets['zip'], '--output', tmp_path / 'x.png')
    assert capsys.readouterr().out.splitlines()[1:] == [
        f'Wrote up to 3 images of each of 3 classes to "{tmp_path / "x.png"}".', 'Displayed 7 images.']
    with PIL.Image.open(tmp_path / 'x.png') as picture:
        pixels = np.asarray(picture)
    # Tiles of 8x12 are enlarged 4 times; the names are to the left of three columns.
    left = pixels.shape[1] - 3 * (32 + overview.GAP)
    assert pixels.shape[0] == 3 * (48 + overview.GAP) and left > 30
    tile = pixels[50:98:4, left:left + 32:4].transpose(2, 0, 1)
    np.testing.assert_array_equal(tile, PIXELS[CLASSES.index(1)])
    assert (pixels[:48, left + 2 * (32 + overview.GAP):] == 255).all()  # two images of this class
    assert (pixels[:48, :left] < 255).any()            # its name


def test_display_takes_the_number_of_columns(data_sets, tmp_path):
    run('display', data_sets['png'], '--output', tmp_path / 'x.png', '--columns=1')
    with PIL.Image.open(tmp_path / 'x.png') as picture:
        assert picture.width < 150
    run('display', write(tmp_path / 'set', labels=None), '--output', tmp_path / 'x.png', '--columns=5')
    with PIL.Image.open(tmp_path / 'x.png') as picture:
        assert picture.size == (5 * 8, 2 * 12)


def test_display_reduces_large_images_and_shortens_long_names(tmp_path, monkeypatch):
    monkeypatch.setattr(overview, 'MAX_CELL', 8)
    folder = write(tmp_path / 'set', PIXELS[:2], np.eye(2), names=['a' * 200, 'b'])
    run('display', folder, '--output', tmp_path / 'x.png')
    with PIL.Image.open(tmp_path / 'x.png') as picture:
        # 8x12 -> 4x6, enlarged to rows of 48 pixels
        assert picture.height == 2 * (48 + overview.GAP)
        assert picture.width < overview.MAX_NAME + 20 + 32 + overview.GAP


def test_display_draws_the_first_of_many_classes(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(overview, 'MAX_CLASSES', 2)
    run('display', write(tmp_path / 'set'), '--output', tmp_path / 'x.png', '--num_images=2')
    assert 'Wrote up to 1 images of each of the first 2 of 3 classes' in capsys.readouterr().out


@pytest.mark.parametrize('form', FORMATS)
def test_extract_writes_every_format_as_png(data_sets, form, tmp_path):
    run('extract', data_sets[form], tmp_path / 'out')
    files = contents(tmp_path / 'out')
    assert list(files) and sorted(files) == [f'img0000000{idx}.png' for idx in range(7)]
    for idx, pixels in enumerate(PIXELS):
        with PIL.Image.open(io.BytesIO(files[f'img0000000{idx}.png'])) as image:
            assert image.format == 'PNG'
            if form != 'jpeg':
                np.testing.assert_array_equal(np.asarray(image), pixels.transpose(1, 2, 0))


def test_extract_does_not_mix_images_of_two_data_sets(data_sets, tmp_path):
    (tmp_path / 'out').mkdir()
    run('extract', data_sets['raw'], tmp_path / 'out')
    before = contents(tmp_path)
    with pytest.raises(UserError, match='out: is not an empty folder; choose a new one'):
        run('extract', data_sets['png'], tmp_path / 'out')
    assert contents(tmp_path) == before


def test_compare_reads_different_formats(data_sets, capsys):
    run('compare', data_sets['zip'], data_sets['png'])
    assert capsys.readouterr().out.splitlines()[2:] == ['Identical images: 7 / 7', 'Identical labels: 7 / 7']
    run('compare', data_sets['raw'], data_sets['jpeg'])
    assert 'Identical images: 0 / 7\nIdentical labels: 7 / 7' in capsys.readouterr().out


def read_as_peers(path):
    """Read a zip file as stylegan2-ada-pytorch and stylegan3 do -> images uint8 [N,C,H,W], labels [N,L]."""
    PIL.Image.init()
    with zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist()
                       if '.' + name.rsplit('.')[-1].lower() in PIL.Image.EXTENSION)
        images = []
        for name in names:
            with archive.open(name) as file:
                image = np.array(PIL.Image.open(file))
            images.append((image[:, :, np.newaxis] if image.ndim == 2 else image).transpose(2, 0, 1))
        labels = dict(json.loads(archive.read('dataset.json'))['labels'])
    labels = np.array([labels[name] for name in names])
    labels = labels.astype({1: np.int64, 2: np.float32}[labels.ndim])
    return np.stack(images), np.eye(labels.max() + 1)[labels] if labels.ndim == 1 else labels


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('labels', [np.eye(3)[CLASSES], np.eye(4)[CLASSES], random_pixels(7, 2) / 255])
def test_peers_read_what_export_writes(tmp_path, channels, labels):
    images = PIXELS[:, :channels]
    folder = write(tmp_path / 'set', images, labels, names=None)
    run('export', folder, tmp_path / 'x.zip')
    read_images, read_labels = read_as_peers(tmp_path / 'x.zip')
    np.testing.assert_array_equal(read_images, images)
    np.testing.assert_array_equal(np.float32(read_labels), np.float32(labels))
    with zipfile.ZipFile(tmp_path / 'x.zip') as archive:
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        assert archive.namelist()[0] == '00000/img00000000.png'


def test_classes_are_numbers_with_names_beside_them(data_sets):
    with zipfile.ZipFile(data_sets['zip']) as archive:
        content = json.loads(archive.read('dataset.json'))
    assert content['labels'][0] == ['00000/img00000000.png', 2]
    assert content['classes'] == NAMES


def test_export_copies_files_and_encodes_when_told(data_sets, tmp_path):
    run('export', data_sets['png'], tmp_path / 'png')
    run('export', data_sets['jpeg'], tmp_path / 'jpeg', '--max_images=2')
    assert sorted(contents(tmp_path / 'jpeg')) == [
        '00000/img00000000.jpg', '00000/img00000001.jpg', 'dataset.json']
    stored = (data_sets['jpeg'] / 'my jpeg-r03.tfrecords').read_bytes()
    assert all(content in stored for name, content in contents(tmp_path / 'jpeg').items() if '.jpg' in name)
    run('export', tmp_path / 'jpeg', tmp_path / 'as png', '--format=png')
    assert all(content.startswith(b'\x89PNG') for name, content in contents(tmp_path / 'as png').items()
               if name != 'dataset.json')
    run('export', data_sets['png'], tmp_path / 'as jpeg', '--format=jpeg')
    assert contents(tmp_path / 'as jpeg')['00000/img00000000.jpg'].startswith(b'\xff\xd8')


def test_the_same_images_give_the_same_zip_file(data_sets, tmp_path):
    run('export', data_sets['raw'], tmp_path / 'again.zip')
    assert (tmp_path / 'again.zip').read_bytes() == data_sets['zip'].read_bytes()


@pytest.mark.parametrize('form', ['zip', 'folder'])
def test_an_image_that_is_damaged_is_named_and_nothing_is_written(data_sets, form, tmp_path):
    damaged = tmp_path / 'in' / data_sets[form].name
    shutil.copytree(data_sets['folder'], tmp_path / 'in' / 'my folder')
    image = tmp_path / 'in' / 'my folder' / '00000' / 'img00000003.png'
    image.write_bytes(image.read_bytes()[:-30])
    if form == 'zip':
        with zipfile.ZipFile(damaged, 'w') as archive:
            for name in sorted(contents(tmp_path / 'in' / 'my folder')):
                archive.write(tmp_path / 'in' / 'my folder' / name, name)
    (tmp_path / 'out').mkdir()
    for command in (['extract', damaged, tmp_path / 'out' / 'images'], ['compare', damaged, data_sets['raw']],
                    ['display', damaged, '--output', tmp_path / 'out' / 'x.png'],
                    ['export', damaged, tmp_path / 'out' / 'x.zip', '--format=jpeg']):
        with pytest.raises(UserError, match=f'{damaged.name}/00000/img00000003.png: .*cannot be decoded'):
            run(*command)
    assert contents(tmp_path / 'out') == {}


def test_export_does_not_write_over_its_source_or_a_folder_in_use(data_sets, tmp_path):
    before = data_sets['zip'].read_bytes()
    with pytest.raises(UserError, match='my.zip: this is the data set itself; choose another place'):
        run('export', data_sets['zip'], data_sets['zip'])
    with pytest.raises(UserError, match='is not an empty folder'):
        run('export', data_sets['zip'], data_sets['folder'])
    for command in ('export', 'extract'):
        with pytest.raises(UserError, match='new: is inside the data set; choose another place'):
            run(command, data_sets['folder'], data_sets['folder'] / 'new')
    with pytest.raises(UserError, match='gone/x.zip: cannot be written: No such file'):
        run('export', data_sets['zip'], tmp_path / 'gone' / 'x.zip')
    assert data_sets['zip'].read_bytes() == before
