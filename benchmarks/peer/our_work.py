"""Run this project's side and measure on request: python -m benchmarks.peer.our_work WORK ARGUMENTS.

Each kind of work is a function that prepares it and returns the function to measure. `folder`: an empty
folder.
"""

import json
import os
import sys
import tempfile

from benchmarks import processes
from benchmarks.peer import worker


def generate(folder, resolution, minibatch):
    """Prepare the generation of uint8 images with psi 0.5 and fresh noise."""
    from benchmarks import generation
    return generation.drawing(generation.network('G', resolution), minibatch)


def train(folder, mnist_dir, fmap_base, fmap_max):
    """Prepare 16 iterations, in which the regularizers run 4 times for G and once for D."""
    import dnnlib.tflib as tflib
    from benchmarks import training
    tflib.init_tf({'rnd.np_random_seed': 1})
    data_dir = os.path.join(folder, 'datasets', 'mnist')
    os.mkdir(os.path.dirname(data_dir))
    processes.run(processes.python('dataset_tool.py', 'create_mnist', data_dir, mnist_dir))
    _, _, graph, feed = training.build(data_dir, fmap_base, fmap_max)
    steps = training.steps_of(graph).values()

    def iterations():
        for idx in range(training.D_REG_INTERVAL):
            for ops, runs_per_minibatch in steps:
                if idx % round(1 / runs_per_minibatch) == 0:
                    tflib.run(ops, feed)

    return iterations


def first_image(folder, resolution):
    """Prepare a process that opens a network file and writes one image, measured from start to end."""
    path = os.path.join(folder, 'network.pkl')
    processes.call('generation.write_pickle', dict(path=path, resolution=resolution))

    def draw():
        with tempfile.TemporaryDirectory(dir=folder) as results:
            processes.run(processes.python('run_generator.py', 'generate-images', f'--network={path}',
                                           '--seeds=1', f'--result-dir={results}'))

    return draw


WORK = {function.__name__: function for function in (generate, train, first_image)}


def main(work, arguments):
    """Prepare the work and serve measurements. `arguments`: in JSON."""
    worker.serve(lambda: WORK[work](**json.loads(arguments)))


if __name__ == '__main__':
    main(*sys.argv[1:])
