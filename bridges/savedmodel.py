"""Generators for TensorFlow 2 alone: folders for `tf.saved_model.load`, which does not need this project."""

from bridges import generators
from dnnlib.files import atomic_folder
from dnnlib.progress import announced

ABOUT = 'a folder for tf.saved_model.load, without this project'
FLAGS = {}
NEEDS = {}
_NOISE = 'A negative noise_seed stands for the stored noise. '
_LEFT_OUT = 'Left out: style mixing, the moving average of w, noise images as inputs, gradients.'


def export(path: str, out_path: str, _args) -> str:
    """Write the generator of a network file as a SavedModel. -> its signatures and what was left out, in
    words.

    Raises UserError for a file without a generator whose structure is known, before TensorFlow loads.
    """
    generators.check(path)
    import tensorflow.compat.v1 as tf

    from bridges import generator_graph
    from training import misc
    with announced('Loading the network...'):
        Gs = misc.load_generator(path)
    with atomic_folder(out_path) as folder, announced('Writing variables and graph...'):
        seed = {}
        with generator_graph.alone(Gs, 'NHWC', lambda *layer: _noise(seed, *layer)) as graph:
            signatures = _signatures(graph, seed)
            builder = tf.saved_model.Builder(folder)
            definitions = {name: tf.saved_model.predict_signature_def(*tensors)
                           for name, tensors in signatures.items()}
            builder.add_meta_graph_and_variables(
                tf.get_default_session(), [tf.saved_model.tag_constants.SERVING], definitions,
                strip_default_attrs=True)
            builder.save()
    return _described(signatures)


def _noise(inputs, layer, stored, dlatents):
    """Return noise [N,1,H,W] of a layer: the stored one for a negative seed. inputs: gets the seed."""
    import tensorflow.compat.v1 as tf

    from dnnlib.tflib import random
    if not inputs:
        inputs['noise_seed'] = tf.placeholder(tf.int32, [], 'noise_seed')
    seed = inputs['noise_seed']
    drawn = random.normal_of_seed([tf.shape(dlatents)[0], *stored.shape[1:]], seed, layer)
    return tf.where_v2(seed < 0, stored, drawn)


def _signatures(graph, seed):
    """Return {signature: (inputs, outputs)}, both {name: tensor}."""
    from dnnlib import tflib
    images = {'images': graph.images}
    pixels = {'images': tflib.convert_images_to_uint8(graph.images, nchw_to_nhwc=True)}
    inputs = {**graph.inputs, **seed}
    signatures = {'serving_default': (inputs, images), 'uint8': (inputs, pixels)}
    if graph.dlatents is None:
        return signatures
    dlatents = {'dlatents': graph.dlatents}
    return {**signatures, 'mapping': (graph.inputs, dlatents), 'synthesis': ({**dlatents, **seed}, images),
            'synthesis_uint8': ({**dlatents, **seed}, pixels)}


def _described(signatures):
    lines = [f'  {name}: {_shapes(inputs)} -> {_shapes(outputs)}'
             for name, (inputs, outputs) in signatures.items()]
    noise = _NOISE if 'noise_seed' in signatures['uint8'][0] else ''
    return '\n'.join(['a SavedModel with these signatures', *lines, noise + _LEFT_OUT])


def _shapes(tensors):
    return ', '.join(f'{name} {tensor.shape}' for name, tensor in tensors.items())
