"""Images from seeds by onnxruntime, without TensorFlow once the network has been converted."""

import os

import numpy as np

from bridges import onnx, onnx_sessions
from dnnlib import util
from dnnlib.files import atomic_write, sha256
from dnnlib.pickles.source_text import VERSION
from training.misc.pickles import find_file, load_generator
from training.settings import picture_requests


def images_of_seeds(network_pkl, seeds, truncation_psi, class_idx):
    """Yield (`seed<NNNN>.png`, uint8 [1,C,H,W]) of every seed, as `generation.images_of_seeds` does."""
    session = _session(network_pkl)
    shapes = {value.name: value.shape for value in session.get_inputs()}
    noise_shapes = {value.name: value.shape for value in session.get_overridable_initializers()}
    for idx, seed in enumerate(seeds):
        print('Generating image for seed %d (%d/%d) ...' % (seed, idx, len(seeds)))
        rnd = np.random.RandomState(seed)
        feed = {'latents': rnd.randn(1, shapes['latents'][1])}
        feed.update({name: rnd.randn(*shape) for name, shape in noise_shapes.items()})
        if 'labels' in shapes:
            feed['labels'] = _label(shapes['labels'][1], class_idx)
        if 'truncation_psi' in shapes:
            feed['truncation_psi'] = truncation_psi
        images, = session.run(None, {name: np.asarray(value, np.float32) for name, value in feed.items()})
        yield 'seed%04d.png' % seed, _uint8(images)


def _label(label_size, class_idx):
    picture_requests.check_class(class_idx, label_size)
    return np.arange(label_size)[np.newaxis] == (-1 if class_idx is None else class_idx)


def _uint8(images):
    """Map [-1, 1] to the levels 0 ... 255, as `tflib.convert_images_to_uint8` does."""
    return np.clip(images * np.float32(127.5) + np.float32(128), 0, 255).astype(np.uint8)


def _session(network_pkl):
    """Return a session for the ONNX model of a network file, which is converted once and kept in the cache.
    A damaged model there is replaced."""
    digest = sha256(find_file(network_pkl))
    path = os.path.join(util.cache_dir(), 'onnx', f'{digest}-{VERSION}.onnx')
    if os.path.isfile(path):
        try:
            return onnx_sessions.opened(path)
        except Exception as error:  # onnxruntime has a class for each code, without a common one
            print(f'{path}: not readable ({type(error).__name__}); it is written anew.')
    _convert(network_pkl, path)
    return onnx_sessions.opened(path)


def _convert(network_pkl, path):
    """Write the ONNX model of a network file."""
    print(f'Converting "{network_pkl}" to ONNX, which takes 10 to 30 seconds...')
    Gs = load_generator(network_pkl)
    data = onnx.converted(Gs, noise='inputs').SerializeToString()
    onnx.check_images(Gs, data)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with atomic_write(path) as file:
        file.write(data)
