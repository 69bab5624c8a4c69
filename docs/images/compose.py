"""Compose the pictures of these pages from run directories: python docs/images/compose.py

They are made by `make demo`, with --snapshot-ticks=1 for its training, and by commands in docs/training.md
and docs/your-own-images.md. contact-sheet.jpg is from `dataset_tool.py display`, and portraits.png from a
training on images of Fashion-MNIST that were stretched to 32x48.
"""

import glob
import pathlib

import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

HERE = pathlib.Path(__file__).parent
GAP, CAPTION = 12, 24  # pixels


def strip(run_dir, kimgs, columns, rows, scale, name, side=32, mode='L'):
    """Write the upper left samples of a run's pictures side by side, each with its kimg above.

    side: of a sample. mode: 'L' or 'RGB'.
    """
    width, height = columns * side * scale, rows * side * scale
    size = len(kimgs) * (width + GAP) - GAP, height + CAPTION
    result = PIL.Image.new(mode, size, 'white')
    draw = PIL.ImageDraw.Draw(result)
    for number, kimg in enumerate(kimgs):
        path, = glob.glob(f'{run_dir}/fakes{kimg:06d}.png')
        samples = PIL.Image.open(path).crop((0, 0, columns * side, rows * side))
        x = number * (width + GAP)
        result.paste(samples.resize((width, height), PIL.Image.Resampling.NEAREST), (x, CAPTION))
        draw.text((x, 0), f'{kimg} kimg', fill='black', font=PIL.ImageFont.load_default(16))
    result.save(HERE / name, optimize=True)


def enlarged(path, scale, name):
    """Write a picture with each pixel as a square."""
    image = PIL.Image.open(path)
    image.resize((image.width * scale, image.height * scale), PIL.Image.Resampling.NEAREST).save(
        HERE / name, optimize=True)


def _run(folder, number=0):
    return sorted(glob.glob(f'{folder}/{number:05d}-*'))[0]


if __name__ == '__main__':
    strip(_run('demo/training'), [0, 5, 10, 20, 40, 60], columns=4, rows=4, scale=2, name='demo-progress.png')
    enlarged(f'{_run("demo/pictures")}/grid.png', 3, 'demo-grid.png')
    enlarged(glob.glob('demo/pictures/*-style-mixing-example/grid.png')[0], 2, 'demo-mixing.png')
    strip(_run('demo/labels'), [10, 20, 40], columns=5, rows=10, scale=2, name='labels.png')
    strip(_run('demo/growing'), [4, 12, 20, 32, 41, 53, 72], columns=3, rows=4, scale=2, name='growing.png')
    strip(_run('results', 2), [10, 20, 40], columns=5, rows=4, scale=1, name='photos.jpg',
          side=64, mode='RGB')
