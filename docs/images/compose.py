"""Compose the pictures of these pages from run directories: python docs/images/compose.py

They are made by `make demo`, with --snapshot-ticks=1 for its training, and by commands in docs/training.md,
docs/your-own-images.md, docs/figures-and-videos.md and docs/projection.md. contact-sheet.jpg is from
`dataset_tool.py display`, portraits.png from a training on images of Fashion-MNIST that were stretched to
32x48, and walk.gif from the second video of its page with --output=walk.gif --fps=10. examples-*.png are
from examples/README.md; explorer*.png and report.png are screenshots.
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


def figures(folder):
    """Copy the figures in the run directories of a folder."""
    for path in glob.glob(f'{folder}/*/*.png'):
        name = pathlib.Path(path).stem
        if name in ('uncurated', 'truncation', 'interpolation', 'mixing-regularization', 'noise-detail',
                    'noise-components', 'style-mixing-figure'):
            PIL.Image.open(path).quantize(64).save(HERE / f'figure-{name.removesuffix("-figure")}.png',
                                                   optimize=True)


def projections(run_dirs, names, num_images, scale, name):
    """Write targets, and below them what each run has found, with the name of the row on the left."""
    side, margin = 32 * scale, 80
    result = PIL.Image.new('L', (margin + num_images * side, (len(run_dirs) + 1) * side), 'white')
    draw = PIL.ImageDraw.Draw(result)
    for row, text in enumerate(['target', *names]):
        draw.text((8, row * side + side // 2 - 8), text, fill='black', font=PIL.ImageFont.load_default(16))
    for column in range(num_images):
        pairs = [PIL.Image.open(f'{run_dir}/image{column:04d}-comparison.png') for run_dir in run_dirs]
        cells = [pairs[0].crop((0, 0, 32, 32)), *(pair.crop((32, 0, 64, 32)) for pair in pairs)]
        for row, cell in enumerate(cells):
            result.paste(cell.resize((side, side), PIL.Image.Resampling.NEAREST),
                         (margin + column * side, row * side))
    result.save(HERE / name, optimize=True)


def animation(path, scale, step, name):
    """Write every `step`-th frame of a GIF, enlarged."""
    video = PIL.Image.open(path)
    frames = []
    for index in range(0, video.n_frames, step):
        video.seek(index)
        frames.append(video.convert('L').resize((video.width * scale, video.height * scale),
                                                PIL.Image.Resampling.NEAREST).quantize(8))
    frames[0].save(HERE / name, save_all=True, append_images=frames[1:], loop=0, optimize=True,
                   duration=step * video.info['duration'])


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
    strip(_run('demo/transfer'), [0, 4, 8, 12], columns=4, rows=4, scale=2, name='transfer.png')
    strip(_run('demo/transfer', 1), [0, 4, 8, 12], columns=4, rows=4, scale=2, name='transfer-without.png')
    figures('demo/figures')
    animation(glob.glob('demo/videos/*/walk.gif')[0], scale=2, step=2, name='walk.gif')
    projections(sorted(glob.glob('demo/projections/*-project-real-images'))[1:3], ['W', 'W+'], num_images=8,
                scale=2, name='projection.png')
