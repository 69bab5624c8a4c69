"""Test what create_from_images makes of single files: every kind of image, damage, sizes, colours."""

import io
import os
import zipfile

import numpy as np
import PIL.Image
import PIL.ImageCms
import PIL.ImageOps
import pytest

from dnnlib.util import UserError
from tests import awkward_images
from tests.awkward_images import SIDE, encoded, picture
from training.data import encoding, sizes
from training.data.image_source import ImageSource
from training.data.photos import decoding, options, worker
from training.data.photos.options import Options, Recipe

USABLE, UNUSABLE = awkward_images.usable(), awkward_images.unusable()


def made(folder, name, recipe):
    """Return the image [C,H,W] of a file, and why there is none."""
    result = worker.Worker(ImageSource(str(folder)), recipe)(name)
    if result.reason is not None:
        return None, result.reason
    shape, data = result.parts[0]
    return np.frombuffer(data, np.uint8).reshape(shape).astype(int), None


def made_of(tmp_path, content, recipe):
    """Return the image [C,H,W] of the content of a file."""
    (tmp_path / 'file').write_bytes(content)
    image, reason = made(tmp_path, 'file', recipe)
    assert reason is None, reason
    return image


def chw(image):
    """Return a Pillow image as int [C,H,W]."""
    return np.asarray(image.convert('RGB')).transpose(2, 0, 1).astype(int)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = awkward_images.write(tmp_path_factory.mktemp('awkward'), USABLE)
    return awkward_images.write(folder, {name: content for name, (content, _) in UNUSABLE.items()})


@pytest.mark.parametrize('name', USABLE)
def test_every_kind_of_image_shows_the_same_picture(folder, name):
    image, reason = made(folder, name, Recipe(SIDE, SIDE, background=(0, 0, 255)))
    assert reason is None
    expected = chw(picture())
    is_grey = name.startswith(('grey', 'la', 'float', 'one_bit'))
    if is_grey:
        expected = chw(picture().convert('L'))
    if name.startswith(('rgba', 'la')):
        alpha = np.asarray(PIL.Image.linear_gradient('L').resize([SIDE, SIDE])) / 255
        expected = expected * alpha + np.array([0, 0, 255]).reshape(3, 1, 1) * (1 - alpha)
    if name.startswith('one_bit'):  # dithered
        assert set(image.flat) == {0, 255} and abs(image.mean() - expected.mean()) < 5
    elif name == 'palette_alpha.png':
        assert image[2].mean() > 100  # the background shines through
    elif name == 'key.png':
        assert image[:, 0, 0].tolist() == [0, 0, 255] and image[:, -1, -1].tolist() == [255, 255, 0]
    else:
        assert np.abs(image - expected).mean() < (7 if name.startswith(('palette', 'cmyk')) else 3)


@pytest.mark.parametrize('name', UNUSABLE)
def test_files_that_cannot_be_used_have_a_reason_and_print_nothing(folder, name, capfd):
    image, (kind, detail) = made(folder, name, Recipe(SIDE, SIDE))
    assert image is None
    assert kind == UNUSABLE[name][1]
    assert '\n' not in detail
    assert ''.join(capfd.readouterr()) == ''


def test_pipes_and_broken_links_are_not_waited_for(tmp_path):
    for name, kind in awkward_images.write_unreadable(tmp_path).items():
        assert made(tmp_path, name, Recipe(SIDE, SIDE))[1][0] == kind


def test_damaged_and_encrypted_entries_of_a_zip_have_a_reason(tmp_path):
    png = encoded(picture(), 'PNG')
    with zipfile.ZipFile(tmp_path / 'a.zip', 'w') as archive:
        for name in ('good.png', 'bad.png', 'locked.png'):
            archive.writestr(name, png)
    content = bytearray((tmp_path / 'a.zip').read_bytes())
    content[content.index(b'bad.png') + 60] ^= 255
    locked = content.rindex(b'PK\x01\x02')
    content[locked + 8] |= 1  # flag of encryption
    (tmp_path / 'a.zip').write_bytes(content)
    recipe = Recipe(SIDE, SIDE)
    assert made(tmp_path / 'a.zip', 'good.png', recipe)[1] is None
    for name in ('bad.png', 'locked.png'):
        assert made(tmp_path / 'a.zip', name, recipe)[1][0] == 'cannot be read'


def test_more_pixels_than_the_limit_are_not_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, 'MAX_PIXELS', 4095)
    (tmp_path / 'a.png').write_bytes(encoded(picture(), 'PNG'))
    assert made(tmp_path, 'a.png', Recipe(4, 4))[1] == ('too large', 'more than 4095 pixels')


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('recipe', [
    Recipe(32, 32), Recipe(24, 32), Recipe(48, 32, 'pad'), Recipe(5, 3, 'stretch')])
def test_turning_after_resizing_is_the_same_as_before(tmp_path, orientation, recipe):
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    image = picture(70, 101)
    content = encoded(image, 'PNG', exif=exif)
    upright = PIL.ImageOps.exif_transpose(PIL.Image.open(io.BytesIO(content)))
    expected = made_of(tmp_path, encoded(upright, 'PNG'), recipe)
    assert np.abs(made_of(tmp_path, content, recipe) - expected).max() <= 1


@pytest.mark.parametrize('name', options.FILTERS)
def test_the_centre_is_resized_as_pillow_does(tmp_path, name):
    image = picture(200, 100)
    result = made_of(tmp_path, encoded(image, 'PNG'), Recipe(32, 32, filter=name))
    expected = PIL.ImageOps.fit(image, (32, 32), PIL.Image.Resampling[name.upper()])
    np.testing.assert_array_equal(result, chw(expected))


def test_an_image_of_the_size_wanted_is_not_touched(tmp_path):
    pixels = np.random.RandomState(1).randint(0, 256, [32, 48, 3]).astype(np.uint8)
    content = encoded(PIL.Image.fromarray(pixels), 'PNG')
    np.testing.assert_array_equal(made_of(tmp_path, content, Recipe(48, 32)), pixels.transpose(2, 0, 1))
    np.testing.assert_array_equal(made_of(tmp_path, content, Recipe(32, 32)),
                                  pixels.transpose(2, 0, 1)[:, :, 8:40])


def test_padding_keeps_the_whole_image_on_the_background(tmp_path):
    image = made_of(tmp_path, encoded(picture(128, 64), 'PNG'), Recipe(64, 64, 'pad', background=(9, 8, 7)))
    assert (image[:, :16] == np.array([9, 8, 7]).reshape(3, 1, 1)).all()
    assert (image[:, 48:] == np.array([9, 8, 7]).reshape(3, 1, 1)).all()
    assert image[0, 30, 0] < 5 and image[0, 30, 63] > 250 and image[1, 16, 30] < 5 and image[1, 47, 30] > 250


def test_stretching_keeps_the_corners(tmp_path):
    image = made_of(tmp_path, encoded(picture(128, 64), 'PNG'), Recipe(64, 64, 'stretch'))
    assert image[:2, 0, 0].max() < 5 and image[:2, 63, 63].min() > 250


def test_wide_images_lie_between_black_bars(tmp_path):
    image = made_of(tmp_path, encoded(picture(128, 128), 'PNG'), Recipe(64, 48, 'center-wide'))
    assert image.shape == (3, 64, 64)
    assert image[:, :8].max() == image[:, 56:].max() == 0
    assert image[0, 30, 0] < 5 and image[0, 30, 63] > 250  # the whole width
    assert 25 < image[1, 8, 30] < 40  # an eighth of the rows is cut off above


@pytest.mark.parametrize('recipe, size, detail', [
    (Recipe(64, 64), (63, 200), '63x200, expected at least 64x64'),
    (Recipe(64, 96), (64, 95), '64x95, expected at least 64x96'),
    (Recipe(64, 64, 'pad'), (63, 20), '63x20'), (Recipe(64, 64, 'stretch'), (640, 63), '640x63'),
    (Recipe(64, 48, 'center-wide'), (63, 64), '63x64')])
def test_images_are_not_enlarged(tmp_path, recipe, size, detail):
    (tmp_path / 'a.png').write_bytes(encoded(picture(*size), 'PNG'))
    kind, reason = made(tmp_path, 'a.png', recipe)[1]
    assert kind == 'too small' and reason.startswith(detail)


def test_images_that_are_too_wide_for_center_wide_are_left_out(tmp_path):
    (tmp_path / 'a.png').write_bytes(encoded(picture(200, 64), 'PNG'))
    assert made(tmp_path, 'a.png', Recipe(64, 48, 'center-wide'))[1][0] == 'too wide or too high'


def _swapped_profile():
    """Return an RGB profile in which red and green have changed places."""
    profile = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile('sRGB')).tobytes()
    return profile.replace(b'rXYZ', b'?').replace(b'gXYZ', b'rXYZ').replace(b'?', b'gXYZ')


@pytest.mark.parametrize('kind', ['PNG', 'JPEG', 'TIFF', 'WEBP'])
def test_profiles_are_converted_to_srgb(tmp_path, kind):
    content = encoded(picture(), kind, icc_profile=_swapped_profile(), **(
        {'lossless': True} if kind == 'WEBP' else {'quality': 95} if kind == 'JPEG' else {}))
    image = made_of(tmp_path, content, Recipe(SIDE, SIDE))
    assert np.abs(image - chw(picture())[[1, 0, 2]]).mean() < 3


def test_profiles_apply_behind_transparency_and_to_grey(tmp_path):
    image = picture()
    image.putalpha(128)
    content = encoded(image, 'PNG', icc_profile=_swapped_profile())
    expected = (chw(picture())[[1, 0, 2]] + 255) / 2
    assert np.abs(made_of(tmp_path, content, Recipe(SIDE, SIDE)) - expected).mean() < 3
    grey = made_of(tmp_path, content, Recipe(SIDE, SIDE, channels=1))
    assert grey.shape == (1, SIDE, SIDE)
    assert abs(grey.mean() - (0.299 * expected[0] + 0.587 * expected[1] + 0.114 * expected[2]).mean()) < 3


def test_the_profile_of_srgb_changes_nothing(folder):
    for name in ('srgb.png', 'broken_profile.png'):
        np.testing.assert_array_equal(made(folder, name, Recipe(SIDE, SIDE))[0], chw(picture()))


def test_16_bits_are_rounded_to_8(tmp_path):
    values = np.arange(65536).reshape(256, 256).astype(np.uint16)
    image = made_of(tmp_path, encoded(PIL.Image.fromarray(values), 'PNG'), Recipe(256, 256, channels=1))
    np.testing.assert_array_equal(image[0], np.floor(values / 257 + 0.5))


def published_levels(image):
    """Yield the resolutions of an image in float32, as published: the slow twin of `encoding.levels`."""
    for _ in range(sizes.split(*image.shape[1:])[1] + 1):
        yield image if image.dtype == np.uint8 else np.rint(image).clip(0, 255).astype(np.uint8)
        image = encoding.halved(image)


@pytest.mark.parametrize('shape', [
    [3, 64, 64], [1, 4, 4], [1, 2048, 1024], [3, 96, 64], [3, 6, 10], [3, 5, 3]])
@pytest.mark.parametrize('dtype', [np.uint8, np.float32])
def test_integer_sums_and_float32_averages_agree(shape, dtype):
    rnd = np.random.RandomState(2)
    for image in (rnd.randint(0, 256, shape), np.full(shape, 255), rnd.randint(0, 2, shape)):
        image = image.astype(dtype)
        for level, expected in zip(encoding.levels(image), published_levels(image), strict=True):
            assert level.dtype == np.uint8
            np.testing.assert_array_equal(level, expected)


@pytest.mark.parametrize('shape', [[1, 4, 4], [3, 128, 128], [3, 320, 192]])
def test_fingerprints_tell_images_apart(shape):
    image = np.random.RandomState(3).randint(0, 256, shape).astype(np.uint8)
    others = [image.copy() for _ in range(4)]
    others[1][0, 0, 0] ^= 128
    others[2][-1, -1, -1] ^= 1
    others[3] = others[3][:, ::-1]
    prints = [worker.fingerprint(other) for other in [image, *others]]
    assert prints[0] == prints[1] and len(set(prints)) == 4


@pytest.mark.parametrize('chosen, way', [
    ({}, 'center'), ({'fit': 'pad'}, 'pad'), ({'fit': 'stretch'}, 'stretch'), ({'fit': 'crop'}, 'center'),
    ({'crop': 'none'}, 'pad'), ({'crop': 'none', 'fit': 'stretch'}, 'stretch'),
    ({'crop': 'none', 'fit': 'crop'}, 'center'), ({'crop': 'center', 'fit': 'crop'}, 'center'),
    ({'crop': 'center-wide'}, 'center-wide')])
def test_crop_and_fit_amount_to_one_of_four_ways(chosen, way):
    assert options.recipe(Options(resolution=(64, 48), **chosen)).way == way


@pytest.mark.parametrize('chosen, match', [
    (dict(resolution=(64, 64), crop='center', fit='pad'), '--fit=pad: --crop=center leaves nothing to pad'),
    (dict(resolution=(64, 48), crop='center-wide', fit='stretch'),
     '--fit=stretch: --crop=center-wide leaves'),
    (dict(resolution=(64, 64), crop='center-wide'), 'expected a --resolution that is wider than high'),
    (dict(resolution=(100, 37)), '--resolution=100x37: 100x37 is not a size to train on'),
    (dict(fit='pad'), '--fit=pad: expected --resolution, too'),
    (dict(filter='box'), '--filter=box: expected')])
def test_contradictions_are_one_line(chosen, match):
    with pytest.raises(UserError, match=match) as info:
        options.check(Options(**chosen))
    assert '\n' not in str(info.value)


def test_links_to_folders_are_followed_without_going_in_circles(tmp_path):
    awkward_images.write(tmp_path, {'real/a.png': b'', '.hidden/b.png': b'', '.c.png': b''})
    os.symlink(tmp_path / 'real', tmp_path / 'link')
    os.symlink(tmp_path, tmp_path / 'real' / 'circle')
    names = ImageSource(str(tmp_path)).names
    assert names == ['real/a.png']
