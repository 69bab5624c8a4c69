"""List everything that is measured."""

from dataclasses import dataclass, field

from benchmarks import machine, memory_grid

PARTS = {
    'generation': 'images of config F',
    'engines': 'images of config F by onnxruntime and by TensorFlow',
    'training': 'training steps at 32x32',
    'augmentation': 'training with and without augmentation',
    'precision': 'training steps in float32, bfloat16 and float16',
    'startup': 'time to the first image and to the first tick',
    'data': 'dataset_tool.py, input pipeline, features for metrics',
    'memory': 'memory that trainings are planned to take, and that they take',
    'scaling': 'growth of the cost per image with resolution and minibatch',
}
STORES = {'raw': 'raw TFRecords', 'png': 'TFRecords of PNG', 'jpeg': 'TFRecords of JPEG',
          'folder': 'folder of PNG', 'zip': 'zip file of PNG'}
QUICK_GENERATION = [(32, 1), (64, 1), (64, 4), (256, 1)]
GOALS = dict(large=0.72, wide=0.72, narrow=0.30) if machine.has_avx512() else dict(
    large=0.78, wide=0.72, narrow=0.40)  # shares of the matrix product's speed in generation and training
AUGMENTATION_GOAL = 0.15  # share of an iteration that augmentation adds
PHOTOS_GOAL = 0.8  # share of the speed of Pillow alone
MEMORY_GOALS = {'generate 1024x1024, minibatch 1': 2.5e9}  # bytes


@dataclass(frozen=True)
class Piece:
    """One measurement, which runs in a separate process."""
    name: str
    parts: tuple                 # It belongs to each of these parts.
    function: str                # module.function in this package.
    arguments: dict              # Arguments of the function.
    inputs: dict = field(default_factory=dict)  # Further arguments: {name: attribute of `inputs.Inputs`}.
    goal: float | None = None    # Share of the matrix product's speed to reach.


def pieces(quick):
    """Return all measurements in order. `quick`: fewer and shorter ones."""
    return [*_training(quick), *_augmentation(quick), *_precision(quick), *_generation(quick),
            *_engines(quick), *_startup(quick), *_data(quick), *_memory(quick)]


def _pace(quick, seconds):
    return dict(seconds=0 if quick else seconds, min_rounds=2 if quick else 3)


def _training(quick):
    for fmap_base, fmap_max, width in [(4096, 128, 'wide'), (1024, 32, 'narrow')]:
        if not quick or fmap_max == 32:
            yield Piece(
                f'train 32x32, fmap_base={fmap_base}, fmap_max={fmap_max}, minibatch 16', ('training',),
                'training.train', dict(fmap_base=fmap_base, fmap_max=fmap_max, with_profile=True,
                                       **_pace(quick, 15)),
                inputs={'data_dir': 'mnist'}, goal=GOALS[width])


def _augmentation(quick):
    """Yield networks of StyleGAN2-ADA's width for small images (8192, 512), and narrow ones."""
    for resolution, num_channels, fmap_base, fmap_max, minibatch in [
            (32, 1, 1024, 32, 16), (32, 3, 8192, 512, 8), (128, 3, 1024, 64, 8), (128, 3, 8192, 512, 8)]:
        if not quick or (resolution, fmap_max) == (32, 32):
            yield Piece(
                f'{resolution}x{resolution}x{num_channels}, fmap_base={fmap_base}, fmap_max={fmap_max}, '
                f'minibatch {minibatch}', ('augmentation',), 'augmentation.compare',
                dict(resolution=resolution, num_channels=num_channels, fmap_base=fmap_base,
                     fmap_max=fmap_max, minibatch=minibatch, **_pace(quick, 15)), goal=AUGMENTATION_GOAL)


def _precision(quick):
    resolution, fmap_max = (16, 16) if quick else (64, 128)
    yield Piece(f'precisions, {resolution}x{resolution}, fmap_max={fmap_max}, minibatch 4', ('precision',),
                'precision.compare', dict(resolution=resolution, fmap_base=16384, fmap_max=fmap_max,
                                          minibatch=4, seconds=0 if quick else 120,
                                          min_rounds=2 if quick else 5))


def _generation(quick):
    """Yield measurements of generation: first those with a goal, some of which also belong to scaling."""
    goals = dict.fromkeys([(1024, 1), (1024, 4), (256, 1), (256, 4)], GOALS['large'])
    wanted = [*goals, *((resolution, 1) for resolution in (32, 64, 128, 512)),
              *((64, minibatch) for minibatch in (2, 4, 8, 16, 32))]
    for resolution, minibatch in wanted:
        if quick and (resolution, minibatch) not in QUICK_GENERATION:
            continue
        goal = goals.get((resolution, minibatch))
        parts = ['generation'] if goal else []
        parts += ['scaling'] if minibatch == 1 or resolution == 64 else []
        yield Piece(
            f'generate {resolution}x{resolution}, minibatch {minibatch}', tuple(parts), 'generation.generate',
            dict(resolution=resolution, minibatch=minibatch, with_profile=goal is not None and minibatch == 1,
                 **_pace(quick, 12 if goal else 6)),
            goal=goal)


def _engines(quick):
    for resolution, minibatch in [(64, 1)] if quick else [(256, 1), (256, 4), (256, 8), (1024, 1), (1024, 4)]:
        yield Piece(
            f'onnxruntime, {resolution}x{resolution}, minibatch {minibatch}', ('engines',), 'engines.compare',
            dict(resolution=resolution, minibatch=minibatch, **_pace(quick, 12)))


def _memory(quick):
    for arguments in memory_grid.TRAININGS[:1] if quick else memory_grid.TRAININGS:
        yield Piece(f'memory of {memory_grid.name_of(arguments)}', ('memory',), 'memory.compare', arguments)


def _startup(quick):
    yield Piece('first image', ('startup',), 'startup.first_image', dict(rounds=1 if quick else 3),
                inputs={'pickle_path': 'pickle'})
    yield Piece('first tick', ('startup',), 'startup.first_tick', dict(rounds=1 if quick else 2),
                inputs={'data_dir': 'mnist'})


def _data(quick):
    yield Piece('dataset_tool.py create_mnist', ('data',), 'data.convert', dict(command='create_mnist'),
                inputs={'source': 'mnist_files', 'num_images': 'num_mnist'})
    yield Piece('dataset_tool.py create_from_images', ('data',), 'data.convert',
                dict(command='create_from_images'), inputs={'source': 'images', 'num_images': 'num_images'})
    yield Piece('input pipeline, 32x32', ('data',), 'data.read',
                dict(minibatch=32, seconds=1 if quick else 5), inputs={'data_dir': 'mnist'})
    for resolution, images in [] if quick else [(256, 'images'), (1024, 'large_images')]:
        for store in STORES:
            yield Piece(f'input pipeline, {resolution}x{resolution}, {store}', ('data',), 'data.pipeline',
                        dict(store=store, minibatch=32, seconds=5), inputs={'images': images})
    works = [('PNG', [1024, 1024], 1024), ('JPEG', [4032, 3024], 1024), ('JPEG', [4032, 3024], 256)]
    for kind, size, resolution in works[2 if quick else 0:]:
        for jobs in [1, 2]:
            work = f'{kind} of {size[0]}x{size[1]} to {resolution}x{resolution}'
            yield Piece(
                f'create_from_images, {work}, {jobs} processes', ('data',), 'photos.convert',
                dict(kind=kind, size=size, resolution=resolution, jobs=jobs, rounds=1 if quick else 5,
                     num_images=8 if quick else 64 if size[0] > 1024 else 192), goal=PHOTOS_GOAL)
    yield Piece('features of the metrics', ('data',), 'data.features',
                dict(rounds=1 if quick else 3, minibatches=[32] if quick else [8, 32, 64]))
