"""Compose the pictures of these pages from run directories: python docs/images/compose.py

They are made by `make demo`, with --snapshot-ticks=1 for its training, and by commands in docs/training.md.
"""

import glob
import pathlib

import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

HERE = pathlib.Path(__file__).parent
SIDE, GAP, CAPTION = 32, 12, 24  # pixels


def strip(run_dir, kimgs, columns, rows, scale, name):
    """Write the upper left samples of a run's pictures side by side, each with its kimg above."""
    width, height = columns * SIDE * scale, rows * SIDE * scale
    result = PIL.Image.new('L', (len(kimgs) * (width + GAP) - GAP, height + CAPTION), 255)
    draw = PIL.ImageDraw.Draw(result)
    for number, kimg in enumerate(kimgs):
        path, = glob.glob(f'{run_dir}/fakes{kimg:06d}.png')
        samples = PIL.Image.open(path).crop((0, 0, columns * SIDE, rows * SIDE))
        x = number * (width + GAP)
        result.paste(samples.resize((width, height), PIL.Image.Resampling.NEAREST), (x, CAPTION))
        draw.text((x, 0), f'{kimg} kimg', fill=0, font=PIL.ImageFont.load_default(16))
    result.save(HERE / name, optimize=True)


def enlarged(path, scale, name):
    """Write a picture with each pixel as a square."""
    image = PIL.Image.open(path)
    image.resize((image.width * scale, image.height * scale), PIL.Image.Resampling.NEAREST).save(
        HERE / name, optimize=True)


def _run(folder):
    return sorted(glob.glob(f'{folder}/00000-*'))[0]


if __name__ == '__main__':
    strip(_run('demo/training'), [0, 5, 10, 20, 40, 60], columns=4, rows=4, scale=2, name='demo-progress.png')
    enlarged(f'{_run("demo/pictures")}/grid.png', 3, 'demo-grid.png')
    enlarged(glob.glob('demo/pictures/*-style-mixing-example/grid.png')[0], 2, 'demo-mixing.png')
    strip(_run('demo/labels'), [10, 20, 40], columns=5, rows=10, scale=2, name='labels.png')
    strip(_run('demo/growing'), [4, 12, 20, 32, 41, 53, 72], columns=3, rows=4, scale=2, name='growing.png')
