"""Train an encoder, a network from images to dlatents, in a graph of one's own around the generator.

`Gs.components.synthesis.get_output_for` builds the generator on the dlatents that the encoder finds. It sees
generated images only, and learns from gradients through the generator, whose weights stay as they are. Rows
of the picture: images that it has not seen, and what the generator draws from its dlatents.
"""

import time

import common
import numpy as np

LEARNING_RATE = 0.002
MINIBATCH_SIZE = 16


def encode(images, dlatent_avg, num_layers, fmaps=32):
    """Build the encoder. images [N,C,H,W] -> dlatents [N,num_layers,dlatent_size], the same vector for all
    layers, and its variables."""
    import tensorflow.compat.v1 as tf
    x = tf.transpose(images, [0, 2, 3, 1])  # NCHW -> NHWC: CPUs convolve nothing else
    with tf.variable_scope(None, default_name='Encoder') as scope:
        while min(x.shape.as_list()[1:3]) > 4:
            fmaps = min(fmaps * 2, 256)
            kernel = _weight(f'conv{x.shape[1]}', [3, 3, x.shape[3], fmaps])
            x = tf.nn.leaky_relu(tf.nn.conv2d(x, kernel, strides=2, padding='SAME'))
        x = tf.reshape(x, [-1, np.prod(x.shape.as_list()[1:])])  # [N,H,W,C] -> [N,H*W*C]
        x = tf.nn.leaky_relu(tf.matmul(x, _weight('dense', [x.shape[1], 512])))
        x = dlatent_avg + tf.matmul(x, _weight('output', [512, len(dlatent_avg)]))
    return tf.tile(x[:, tf.newaxis], [1, num_layers, 1]), tf.trainable_variables(f'{scope.name}/')


def _weight(name, shape):
    import tensorflow.compat.v1 as tf
    return tf.get_variable(name, shape, initializer=tf.initializers.he_normal())


class Training:
    """The graph: random images, the encoder, and its images."""

    def __init__(self, Gs, psi):
        """Build the graph for random images that are truncated by psi."""
        import tensorflow.compat.v1 as tf

        import dnnlib.tflib as tflib
        self.Gs, self.psi = Gs, psi
        synthesis = Gs.components.synthesis
        self.real = tf.placeholder(tf.float32, Gs.output_shape)
        self.dlatents = tf.placeholder(tf.float32, synthesis.input_shape)
        found, self.variables = encode(self.real, Gs.get_var('dlatent_avg'), synthesis.input_shape[1])
        self.images = synthesis.get_output_for(found, randomize_noise=False, num_fp16_res=0)
        self.loss = (tf.reduce_mean(tf.square(self.images - self.real))
                     + 0.1 * tf.reduce_mean(tf.square(found - self.dlatents)))
        self._step = tf.train.AdamOptimizer(LEARNING_RATE).minimize(self.loss, var_list=self.variables)
        tflib.init_uninitialized_vars()

    def draw(self, count, rnd):
        """Return dlatents and images of the generator."""
        dlatents = common.random_dlatents(self.Gs, count, rnd, self.psi)
        return dlatents, common.draw(self.Gs, dlatents)

    def step(self, rnd):
        """Train with one minibatch. -> loss before the step."""
        import dnnlib.tflib as tflib
        dlatents, images = self.draw(MINIBATCH_SIZE, rnd)
        return tflib.run([self.loss, self._step], {self.real: images, self.dlatents: dlatents})[0]

    def reconstruct(self, images):
        """Return the images of the dlatents that the encoder finds for images [N,C,H,W]."""
        import dnnlib.tflib as tflib
        return tflib.run(self.images, {self.real: images})


def train(training, rnd, seconds):
    """Train for some time, and print the mean loss every two seconds. -> losses of all steps."""
    begin, losses, num_printed = time.time(), [], 0
    while time.time() < begin + seconds:
        losses.append(training.step(rnd))
        if time.time() > begin + 2 * (num_printed + 1):
            print(f'Step {len(losses)}: loss {np.mean(losses[-100:]):.4f}', flush=True)
            num_printed += 1
    return losses


def main(argv=None):
    """Train the encoder and draw the picture."""
    parser = common.make_parser(__doc__, out='train_encoder.png')
    common.add_count(parser, '--columns', 12, 'number of images')
    common.add_count(parser, '--seconds', 60, 'time to train')
    args = common.parse(parser, argv)
    training = Training(common.load(args.network, args.trust_source), args.truncation_psi)
    rnd = np.random.RandomState(args.seed)
    _, images = training.draw(args.columns, rnd)
    train(training, rnd, args.seconds)
    common.save([images, training.reconstruct(images)], args.out, args.scale)


if __name__ == '__main__':
    common.run(main)
