"""Write image files as people have them: every mode, format and kind of damage. All show the same picture."""

import io
import os
import signal
import struct
import zlib

import numpy as np
import PIL.Image
import PIL.ImageCms

SIDE = 64


def picture(width=SIDE, height=SIDE, seed=0):
    """Return a smooth picture whose corners differ, RGB: red grows to the right, green downwards."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    blue = np.full([height, width], 40 * seed % 256)
    return PIL.Image.fromarray(np.stack([x, y, blue], axis=-1).astype(np.uint8))


def encoded(image, kind, **options):
    """Return the bytes of an image file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _with_alpha(mode):
    image = picture().convert('L' if mode == 'LA' else 'RGB').convert(mode)
    image.putalpha(PIL.Image.linear_gradient('L').resize([SIDE, SIDE]))
    return image


def _grey16():
    return np.asarray(picture().convert('L')).astype(np.uint16) * 257


def _rgb16_png():
    """Return a PNG of 16 bits per channel, which Pillow cannot write."""
    pixels = (np.asarray(picture()).astype('>u2') * 257).astype('>u2')
    rows = b''.join(b'\0' + row.tobytes() for row in pixels)
    chunks = [(b'IHDR', struct.pack('>IIBBBBB', SIDE, SIDE, 16, 2, 0, 0, 0)), (b'IDAT', zlib.compress(rows)),
              (b'IEND', b'')]
    return b'\x89PNG\r\n\x1a\n' + b''.join(
        struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data))
        for name, data in chunks)


def _transparent_palette():
    image = picture().convert('P', palette=PIL.Image.Palette.ADAPTIVE)
    return encoded(image, 'PNG', transparency=bytes(range(256)))


def turned(orientation):
    """Return a JPEG that looks like the picture once its EXIF orientation is applied."""
    undo = {2: 'FLIP_LEFT_RIGHT', 3: 'ROTATE_180', 4: 'FLIP_TOP_BOTTOM', 5: 'TRANSPOSE', 6: 'ROTATE_90',
            7: 'TRANSVERSE', 8: 'ROTATE_270'}
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    image = picture()
    if orientation in undo:
        image = image.transpose(PIL.Image.Transpose[undo[orientation]])
    return encoded(image, 'JPEG', quality=98, subsampling=0, exif=exif)


def bomb():
    """Return a small PNG that claims to be 30000 pixels wide and high."""
    ihdr = struct.pack('>IIBBBBB', 30000, 30000, 1, 0, 0, 0, 0)
    return (b'\x89PNG\r\n\x1a\n' + struct.pack('>I', 13) + b'IHDR' + ihdr
            + struct.pack('>I', zlib.crc32(b'IHDR' + ihdr)) + encoded(picture(), 'PNG')[33:])


def usable():
    """Return {name: content} of files that show the picture, or the picture in grey or few colours."""
    image, grey = picture(), picture().convert('L')
    high = PIL.Image.fromarray(_grey16())
    icc = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile('sRGB')).tobytes()
    adaptive = image.convert('P', palette=PIL.Image.Palette.ADAPTIVE)
    files = {
        'rgb.png': encoded(image, 'PNG'), 'rgb.jpg': encoded(image, 'JPEG', quality=95),
        'rgb.webp': encoded(image, 'WEBP', lossless=True), 'rgb.bmp': encoded(image, 'BMP'),
        'rgb.tif': encoded(image, 'TIFF'), 'lzw.tiff': encoded(image, 'TIFF', compression='tiff_lzw'),
        'progressive.jpeg': encoded(image, 'JPEG', quality=95, progressive=True),
        'rgb.ppm': encoded(image, 'PPM'), 'palette.gif': encoded(adaptive, 'GIF'),
        'animated.gif': encoded(image, 'GIF', save_all=True, append_images=[picture(seed=3)] * 2),
        'animated.webp': encoded(image, 'WEBP', lossless=True, save_all=True,
                                 append_images=[picture(seed=3)]),
        'pages.tif': encoded(image, 'TIFF', save_all=True, append_images=[picture(seed=3)]),
        'palette.png': encoded(adaptive, 'PNG'), 'palette_alpha.png': _transparent_palette(),
        'rgba.png': encoded(_with_alpha('RGBA'), 'PNG'), 'la.png': encoded(_with_alpha('LA'), 'PNG'),
        'rgba.webp': encoded(_with_alpha('RGBA'), 'WEBP', lossless=True),
        'rgba.tif': encoded(_with_alpha('RGBA'), 'TIFF'),
        'key.png': encoded(image, 'PNG', transparency=(0, 0, 0)),
        'cmyk.jpg': encoded(image.convert('CMYK'), 'JPEG', quality=95),
        'cmyk.tif': encoded(image.convert('CMYK'), 'TIFF'),
        'ycbcr.tif': encoded(image.convert('YCbCr'), 'TIFF'),
        'grey.png': encoded(grey, 'PNG'), 'grey.jpg': encoded(grey, 'JPEG', quality=95),
        'grey16.png': encoded(high, 'PNG'), 'grey16.tif': encoded(high, 'TIFF'),
        'grey16_big_endian.tif': encoded(PIL.Image.fromarray(_grey16().astype('>u2')), 'TIFF'),
        'grey32.tif': encoded(PIL.Image.fromarray(_grey16().astype(np.int32)), 'TIFF'),
        'float.tif': encoded(PIL.Image.fromarray((_grey16() / 65535).astype(np.float32)), 'TIFF'),
        'float255.tif': encoded(PIL.Image.fromarray((_grey16() / 257).astype(np.float32)), 'TIFF'),
        'rgb16.png': _rgb16_png(), 'one_bit.png': encoded(image.convert('1'), 'PNG'),
        'one_bit.tif': encoded(image.convert('1'), 'TIFF', compression='group4'),
        'srgb.png': encoded(image, 'PNG', icc_profile=icc),
        'broken_profile.png': encoded(image, 'PNG', icc_profile=b'no profile'),
        'grey_with_rgb_profile.png': encoded(grey, 'PNG', icc_profile=icc),
        'broken_exif.jpg': encoded(image, 'JPEG', quality=95, exif=b'Exif\0\0II*\0junk' + bytes(20)),
        'jpeg_named.png': encoded(image, 'JPEG', quality=95), 'no_extension': encoded(image, 'PNG'),
        'ümläut ☃.PNG': encoded(image, 'PNG'), 'sub/deeper/rgb.JPG': encoded(image, 'JPEG', quality=95),
    }
    return files | {f'turned{idx}.jpg': turned(idx) for idx in range(1, 9)}


def unusable():
    """Return {name: (content, kind of reason)} of files that cannot be used."""
    png, noise = encoded(picture(), 'PNG'), np.random.RandomState(1).bytes(SIDE * SIDE * 3)
    jpeg = encoded(PIL.Image.frombytes('RGB', [SIDE, SIDE], noise), 'JPEG', quality=95)
    lzw = encoded(PIL.Image.frombytes('RGB', [SIDE, SIDE], noise), 'TIFF', compression='tiff_lzw')
    nan = np.full([SIDE, SIDE], np.nan, np.float32)
    return {
        'notes.txt': (b'no image', 'not an image'), 'empty.jpg': (b'', 'not an image'),
        'video.mp4': (b'\0\0\0\x20ftypisom' + bytes(99), 'not an image'),
        'phone.heic': (b'\0\0\0\x18ftypheic' + bytes(99), 'an image in a format that is not read'),
        'icon.ico': (encoded(picture(), 'ICO'), 'an image in a format that is not read'),
        'scan.pcx': (encoded(picture(), 'PCX'), 'an image in a format that is not read'),
        'page.png': (b'<html>not found</html>', 'damaged'), 'header.png': (png[:20], 'damaged'),
        'cut.png': (png[:len(png) // 2], 'damaged'), 'cut.jpg': (jpeg[:len(jpeg) // 2], 'damaged'),
        'cut.tif': (lzw[:len(lzw) // 2], 'damaged'), 'zeros.jpg': (bytes(5000), 'damaged'),
        'cut.gif': (encoded(picture(), 'GIF')[:200], 'damaged'),
        'cut.bmp': (encoded(picture(), 'BMP')[:900], 'damaged'),
        'cut.webp': (encoded(picture(), 'WEBP', lossless=True)[:60], 'damaged'),
        'flipped.png': (png[:60] + bytes(b ^ 255 for b in png[60:90]) + png[90:], 'damaged'),
        'bomb.png': (bomb(), 'too large'), 'tiny.png': (encoded(picture(63, 200), 'PNG'), 'too small'),
        'nan.tif': (encoded(PIL.Image.fromarray(nan), 'TIFF'), 'pixels of an unknown range'),
        'script.eps': (b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n',
                       'an image in a format that is not read'),
        'drawing.svg': (b'<svg xmlns="http://www.w3.org/2000/svg"/>', 'not an image'),
    }


def die(name):
    """End this process as if it had run out of memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def write(folder, files):
    """Write {name: content} below a folder. -> folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def write_unreadable(folder):
    """Write what can be found in a folder besides files. -> {name: kind of reason}."""
    os.symlink('nowhere', folder / 'broken_link.png')
    os.mkfifo(folder / 'pipe.png')
    return {'broken_link.png': 'cannot be read', 'pipe.png': 'cannot be read'}
