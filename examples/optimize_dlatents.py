"""Find dlatents for given images with variables of one's own in place of the inputs of a network.

`Network.run(..., custom_inputs=...)` builds the graph on what a function returns, here a trainable variable,
as forks of StyleGAN have it. The loss compares pixels. Rows of the picture: targets, images of the average
dlatent, from which the search starts, and images that were found.
"""

import common
import numpy as np
import PIL.Image

from dnnlib.progress import shown
from dnnlib.util import UserError


def read_picture(path):
    """Return a picture in a file as a PIL image in RGB. Raises UserError if it cannot be read."""
    try:
        return PIL.Image.open(path).convert('RGB')
    except (OSError, PIL.Image.DecompressionBombError) as error:
        raise UserError(f'--targets: {path}: not a readable picture ({error})') from error


def targets_from(pictures, Gs):
    """Return PIL images in the size and the colours of the network: [N,C,H,W] with values in [-1,1]."""
    _, channels, height, width = Gs.output_shape
    images = []
    for picture in pictures:
        picture = picture.convert('L' if channels == 1 else 'RGB').resize((width, height))
        pixels = np.asarray(picture, np.float32).reshape(height, width, channels)
        images.append(pixels.transpose(2, 0, 1))  # [H,W,C] -> [C,H,W]
    return np.stack(images) / 127.5 - 1


class Search:
    """Dlatents of several images, and the graph that improves them."""

    def __init__(self, Gs, targets, learning_rate=0.05):
        """Build the graph for targets [N,C,H,W] with values in [-1,1]."""
        import tensorflow.compat.v1 as tf

        import dnnlib.tflib as tflib
        average = Gs.get_var('dlatent_avg')

        def learnable(batch_size, shape):
            return tf.Variable(np.broadcast_to(average, shape), name='learnable_dlatents')

        synthesis = Gs.components.synthesis
        rows = np.zeros([len(targets), *synthesis.input_shape[1:]])
        self.start = synthesis.run(rows, custom_inputs=[learnable], randomize_noise=False)
        self.variable = [var for var in tf.global_variables() if 'learnable_dlatents' in var.name][-1]
        outputs = [op for op in tf.get_default_graph().get_operations()
                   if op.name.startswith(f'{synthesis.scope}/_Run/concat')]  # one for each graph of `run`
        self.images = outputs[-1].outputs[0]
        self.loss = tf.reduce_mean(tf.square(self.images - targets))
        self._step = tf.train.AdamOptimizer(learning_rate).minimize(self.loss, var_list=[self.variable])
        tflib.init_uninitialized_vars()

    def run(self, num_steps):
        """Improve the dlatents, and print the loss ten times."""
        import dnnlib.tflib as tflib
        for step in shown(range(1, num_steps + 1), 'Searching', 'steps'):
            loss, _ = tflib.run([self.loss, self._step])
            if step % max(num_steps // 10, 1) == 0:
                print(f'Step {step} / {num_steps}: loss {loss:.4f}')


def main(argv=None):
    """Search dlatents for the targets and draw the picture."""
    parser = common.make_parser(__doc__, out='optimize_dlatents.png')
    parser.add_argument('--targets', nargs='+', metavar='FILE',
                        help='pictures to look for (default: images that the network draws)')
    common.add_count(parser, '--columns', 8, 'number of images without --targets')
    common.add_count(parser, '--steps', 300, 'steps of the search')
    args = common.parse(parser, argv)
    pictures = [read_picture(path) for path in args.targets or []]
    Gs = common.load(args.network, args.trust_source)
    if pictures:
        targets = targets_from(pictures, Gs)
    else:
        rnd = np.random.RandomState(args.seed)
        targets = common.draw(Gs, common.random_dlatents(Gs, args.columns, rnd, args.truncation_psi))
    search = Search(Gs, targets)
    search.run(args.steps)
    common.save([targets, search.start, search.images.eval()], args.out, args.scale)


if __name__ == '__main__':
    common.run(main)
