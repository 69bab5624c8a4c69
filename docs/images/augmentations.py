"""Draw images of Fashion-MNIST as the named pipelines augment them: python docs/images/augmentations.py

Each row is a pipeline with strength 0.8, each column an image; the first row shows the images themselves.
They are tinted, so that what happens to colours is seen.
"""

import gzip
import pathlib
import sys

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

STRENGTH, COLUMNS, SCALE, MARGIN, SEED = 0.8, 8, 2, 72, 6
DARK, LIGHT = [(40, 44, 70), (66, 40, 40), (36, 60, 48)], [(240, 200, 150), (150, 215, 235), (225, 235, 140)]


def tinted_images():
    """Return images as float32 [N,3,32,32] in [-1, 1]: two tints each, a dark and a light one."""
    path = ROOT / 'data/fashion-mnist/train-images-idx3-ubyte.gz'
    grey = np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=16).reshape(-1, 28, 28)
    grey = np.pad(grey[:COLUMNS], [[0, 0], [2, 2], [2, 2]])[:, np.newaxis] / 255  # [N,1,32,32]
    dark, light = (np.resize(tints, [COLUMNS, 3])[..., np.newaxis, np.newaxis] for tints in (DARK, LIGHT))
    return np.float32((dark + (light - dark) * grey) / 127.5 - 1)


def augmented(images):
    """Return {name: images} for each named pipeline."""
    import tensorflow.compat.v1 as tf

    import dnnlib.tflib as tflib
    from training.augment import augment_pipeline
    from training.augmentation.named_pipelines import PIPELINES, multipliers
    tflib.init_tf()
    rows = {}
    for name in PIPELINES:
        with tflib.random.counted(SEED, tf.constant(0, tf.int64)):
            rows[name], _ = augment_pipeline(tf.constant(images), None, STRENGTH, **multipliers(name))
    return tflib.run(rows)


def draw(rows, path):
    """Write rows {name: images [N,3,H,W]} as one picture with their names on the left."""
    side = 32 * SCALE
    result = PIL.Image.new('RGB', (MARGIN + COLUMNS * side, len(rows) * side), 'white')
    text, font = PIL.ImageDraw.Draw(result), PIL.ImageFont.load_default(14)
    for row, (name, images) in enumerate(rows.items()):
        text.text((6, row * side + side // 2 - 9), name, fill='black', font=font)
        pixels = np.uint8(np.clip(images * 127.5 + 128, 0, 255)).transpose(0, 2, 3, 1)  # [N,H,W,3]
        for column, image in enumerate(pixels):
            image = PIL.Image.fromarray(image).resize((side, side), PIL.Image.Resampling.NEAREST)
            result.paste(image, (MARGIN + column * side, row * side))
    result.save(path, optimize=True)


if __name__ == '__main__':
    originals = tinted_images()
    draw({'original': originals, **augmented(originals)}, pathlib.Path(__file__).parent / 'augmentations.png')
