"""Measure create_from_images against Pillow's own decoding and resizing of the same files."""

import contextlib
import io
import pathlib
import tempfile
import time
from dataclasses import dataclass

import numpy as np
import PIL.Image

from benchmarks.spread import spread
from training.data.image_source import ImageSource
from training.data.photos import create, pool, worker
from training.data.photos.options import Options, Recipe
from training.data.photos.report import Report

PICTURES = 4  # Further ones are these, turned and mirrored.
LANCZOS, BICUBIC = PIL.Image.Resampling.LANCZOS, PIL.Image.Resampling.BICUBIC


def photograph(width, height, seed):
    """Return an image whose details fade as those of photographs do: a PNG of 1024x1024 takes 1.4 MB."""
    rnd = np.random.RandomState(seed)
    pixels = np.full([height, width, 3], 128, np.float32)
    side, amplitude = 4, 60.0
    while side < min(width, height):
        noise = rnd.normal(size=[side, side * width // height]).astype(np.float32)
        grey = np.asarray(PIL.Image.fromarray(noise).resize([width, height], BICUBIC))
        pixels += amplitude * grey[:, :, np.newaxis] * rnd.uniform(0.6, 1, size=3).astype(np.float32)
        side, amplitude = side * 2, amplitude / 1.4
    pixels += rnd.normal(size=pixels.shape).astype(np.float32)  # noise of the camera
    return PIL.Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _as_jpeg(image):
    """Return an image with what a camera's JPEG leaves of it."""
    file = io.BytesIO()
    image.save(file, 'JPEG', quality=90)
    return PIL.Image.open(file)


def write_photographs(folder, count, kind, size):
    """Write different images of a format and (width, height)."""
    folder.mkdir()
    turns = [None, 'FLIP_LEFT_RIGHT', 'FLIP_TOP_BOTTOM', 'ROTATE_180']
    options = {'quality': 90} if kind == 'JPEG' else {}
    for seed in range(-(-count // len(turns)) if count < PICTURES * len(turns) else PICTURES):
        if kind == 'JPEG':
            image = photograph(*size, seed)
        else:  # as in FFHQ: of a photograph that was a JPEG and larger
            image = _as_jpeg(photograph(*(2 * side for side in size), seed)).resize(size, LANCZOS)
        for index, turn in enumerate(turns):
            turned = image if turn is None else image.transpose(PIL.Image.Transpose[turn])
            turned.save(folder / f'{seed}-{index}.{kind.lower()}', kind, **options)
    paths = sorted(folder.iterdir())
    for index in range(count - len(paths)):
        (folder / f'again-{index}{paths[0].suffix}').write_bytes(paths[index % len(paths)].read_bytes())


@dataclass(frozen=True)
class PillowAlone:
    """Decodes a file and, unless it has the size wanted, resizes its centre."""
    source: object
    resolution: int

    def __call__(self, name):
        """Return a Result without an image."""
        with PIL.Image.open(self.source.file_path(name)) as image:
            image.load()
            if image.size != (self.resolution, self.resolution):
                side = min(image.size)
                left, top = (image.width - side) // 2, (image.height - side) // 2
                image.resize([self.resolution] * 2, LANCZOS, box=(left, top, left + side, top + side))
        return worker.Result()


def convert(kind, size, resolution, jobs, rounds, num_images):
    """Time both in turns, on files that are in memory after the first round. -> dict for JSON."""
    from training.data.export import TFRecordExporter
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        write_photographs(pathlib.Path(folder, 'photos'), num_images, kind, size)
        source = ImageSource(f'{folder}/photos')
        run_alone = _runner(PillowAlone(source, resolution), 1, jobs, stack)
        make = worker.Worker(source, Recipe(resolution, resolution))
        run_ours = _runner(make, 4 * resolution ** 2, jobs, stack)

        def alone():
            for _ in run_alone(source.names):
                pass

        def ours():
            with TFRecordExporter(f'{folder}/set', num_images, print_progress=False) as exporter:
                create.add_images(exporter, run_ours(source.names), num_images, Options(), Report(source))

        seconds = {alone: [], ours: []}
        for _ in range(rounds + 1):
            for function, times in seconds.items():
                start = time.perf_counter()
                function()
                times.append(time.perf_counter() - start)
        rates = {function: [num_images / jobs / second for second in times[1:]]
                 for function, times in seconds.items()}
    shares = [a / b for a, b in zip(rates[ours], rates[alone], strict=True)]
    return {'num_images': num_images, 'jobs': jobs, 'share_of_pillow': spread(shares),
            'images_per_second': {'create_from_images': float(np.median(rates[ours])) * jobs,
                                  'Pillow alone': float(np.median(rates[alone])) * jobs},
            'per_core': {'create_from_images': spread(rates[ours]), 'Pillow alone': spread(rates[alone])}}


def _runner(function, result_bytes, jobs, stack):
    """Return a function that yields (name, result) of names, as create_from_images does."""
    if jobs == 1:
        return lambda names: ((name, function(name)) for name in names)
    return stack.enter_context(pool.Pool(function, result_bytes, jobs)).results
