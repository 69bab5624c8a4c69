"""Generators as ONNX files, for onnxruntime and other runtimes."""

import logging
import os

import numpy as np

from bridges import generators, onnx_sessions
from dnnlib import cli
from dnnlib.files import atomic_write
from dnnlib.progress import Progress, announced
from dnnlib.util import UserError
from latents import styles

ABOUT = 'an ONNX file, for onnxruntime and others'
OPSET = 18
PARTS = {'generator': 'images', 'mapping': 'dlatents', 'synthesis': 'images'}
FLAGS = {
    '--opset': dict(type=cli.int_between(13, 18), metavar='N',
                    help=f'version of the ONNX operators (default: {OPSET})'),
    '--what': dict(choices=PARTS, help='latents to images, latents to dlatents, or dlatents to images '
                                       '(default: generator)'),
    '--noise': dict(choices=('stored', 'inputs'),
                    help='keep the stored noise, or let inputs noise<layer> [1,1,H,W] replace it; not all '
                         'runtimes know inputs that have defaults (default: stored)')}
NEEDS = {'tf2onnx': 'tf2onnx>=1.17', 'onnx': 'onnx>=1.19', 'onnxruntime': 'onnxruntime>=1.23'}
TOLERANCE = 1e-4            # of the largest value
CHECKED_MINIBATCHES = (1, 2, 5)
_NOISE = {'stored': 'Noise is the stored one. ',
          'inputs': 'Inputs noise0, noise1, ... [1,1,H,W] take the place of the stored noise. '}
_LEFT_OUT = 'Left out: style mixing, the moving average of w, random noise.'


def export(path: str, out_path: str, args) -> str:
    """Write a generator, or a part of it, as an ONNX file. -> its inputs and outputs, and what was left out.

    Raises UserError for a file without a generator whose structure is known, before TensorFlow loads, and if
    onnxruntime computes anything else than `Network.run`.
    """
    what = args.what or 'generator'
    found = generators.check(path)
    if not found.num_styles and what != 'generator':
        raise UserError(f'--what={what}: this generator has no dlatents; expected generator')
    from training import misc
    with announced('Loading the network...'):
        Gs = misc.load_generator(path)
    noise = args.noise or 'stored'
    with announced('Converting, which takes 10 to 30 seconds...'):
        model = converted(Gs, what, args.opset or OPSET, noise)
    data = model.SerializeToString()
    error = check_images(Gs, data)
    with atomic_write(out_path) as file:
        file.write(data)
    has_noise = found.has_noise and what != 'mapping'
    return _described(model, error) + (_NOISE[noise] if has_noise else '') + _LEFT_OUT


def converted(Gs, what='generator', opset=OPSET, noise='stored'):
    """Return a generator or a part of it as an ONNX model. Arguments: as the flags."""
    import onnx
    import tensorflow.compat.v1 as tf

    from bridges import generator_graph
    defaults = {}

    def noise_of(layer, stored, _dlatents):
        if noise == 'stored' or what == 'mapping':
            return stored
        defaults[f'noise{layer}'] = stored
        return tf.placeholder(tf.float32, stored.shape, f'noise{layer}')

    with generator_graph.alone(Gs, 'NCHW', noise_of) as graph:
        session = tf.get_default_session()
        defaults = session.run(defaults)
        frozen = tf.graph_util.convert_variables_to_constants(
            session, session.graph.as_graph_def(), [PARTS[what]])
        inputs = ['dlatents'] if what == 'synthesis' else list(graph.inputs)
    for node in frozen.node:
        if node.op == 'PlaceholderWithDefault':
            _replace_default(node, is_input=node.name in inputs)
    model = _convert(frozen, [*inputs, *defaults], [PARTS[what]], opset)
    model.graph.initializer.extend(
        onnx.numpy_helper.from_array(image, name) for name, image in defaults.items())
    onnx.checker.check_model(model)
    return model


def _replace_default(node, is_input):
    """Make a placeholder with a default value one without, or the value itself."""
    dtype = node.attr['dtype'].type
    if is_input:
        del node.input[:]
        node.op = 'Placeholder'
    else:
        node.op = 'Identity'
        node.attr['T'].type = dtype
        del node.attr['dtype'], node.attr['shape']


def _convert(graph_def, inputs, outputs, opset):
    """Convert a graph without variables, given the names of its tensors. -> ONNX model with these names."""
    os.environ['TF2ONNX_CATCH_ERRORS'] = 'FALSE'  # Otherwise each step of its optimizer copies all weights.
    import tf2onnx
    logging.getLogger('tf2onnx').setLevel(logging.ERROR)
    try:
        model, _ = tf2onnx.convert.from_graph_def(
            graph_def, input_names=[f'{name}:0' for name in inputs],
            output_names=[f'{name}:0' for name in outputs], opset=opset,
            tensors_to_rename={f'{name}:0': name for name in [*inputs, *outputs]})
    except Exception as error:  # of any type, in another package
        raise UserError(f'tf2onnx cannot convert this generator with --opset={opset}: {error}') from error
    for value in [*model.graph.input, *model.graph.output]:
        dims = value.type.tensor_type.shape.dim
        if dims and not dims[0].HasField('dim_value'):
            dims[0].dim_param = 'N'
    return model


def check_images(Gs, data: bytes) -> float:
    """Compare onnxruntime with TensorFlow on random inputs. -> the largest difference relative to the largest
    value. Raises UserError if it exceeds TOLERANCE."""
    session = onnx_sessions.opened(data)
    progress = Progress(sum(CHECKED_MINIBATCHES), 'samples', title='Comparing with TensorFlow')
    rnd = np.random.RandomState(1)
    worst = 0
    for count, minibatch in enumerate(CHECKED_MINIBATCHES):
        progress.show(sum(CHECKED_MINIBATCHES[:count]))
        feed = {each.name: _random_input(rnd, each, minibatch) for each in session.get_inputs()}
        actual, = session.run(None, feed)
        expected = _expected(Gs, feed, actual.ndim)
        scale = max(np.abs(expected).max(), np.finfo(np.float32).tiny)
        worst = np.maximum(worst, np.abs(actual - expected).max() / scale)  # NaN remains
    progress.clear()
    if not worst <= TOLERANCE:
        raise UserError(f'onnxruntime differs from TensorFlow by {worst:.1e} of the largest value; expected '
                        f'at most {TOLERANCE:.0e}; nothing was written')
    return worst


def _random_input(rnd, value, minibatch):
    if not value.shape:
        return np.array(0.7, np.float32)  # truncation_psi
    return rnd.randn(minibatch, *value.shape[1:]).astype(np.float32)


def _expected(Gs, feed, rank):
    """Return what TensorFlow computes, of this rank, for the inputs of an ONNX model."""
    from bridges import generator_graph
    options = dict(randomize_noise=False, num_fp16_res=0)
    if 'dlatents' in feed:
        return Gs.components.synthesis.run(feed['dlatents'], **options)
    inputs = [feed['latents'], feed.get('labels')]
    if rank == 4:
        return Gs.run(*inputs, truncation_psi=feed.get('truncation_psi'), **options)
    return styles.truncate(Gs.components.mapping.run(*inputs), Gs.get_var('dlatent_avg'),
                           feed['truncation_psi'], generator_graph.truncation_cutoff(Gs))


def _described(model, error):
    inputs, outputs = ([value for value in values if not value.name.startswith('noise')]
                       for values in (model.graph.input, model.graph.output))
    minibatches = ', '.join(map(str, CHECKED_MINIBATCHES))
    return (f'opset {model.opset_import[0].version}, {_shapes(inputs)} -> {_shapes(outputs)}, float32.\n'
            f'Checked: onnxruntime differs from TensorFlow by {error:.1e} of the largest value, for '
            f'minibatches of {minibatches}.\n')


def _shapes(values):
    return ', '.join(f'{value.name} [{",".join(_dims(value))}]' for value in values)


def _dims(value):
    return [dim.dim_param or str(dim.dim_value) for dim in value.type.tensor_type.shape.dim]
