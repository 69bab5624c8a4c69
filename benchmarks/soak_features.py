"""python -m benchmarks.soak_features DATA_SET NUM_IMAGES PIXELS: features as a metric computes them.

Prints how far it is.

PIXELS: side of the images inside the feature network, whose own 224 take ten times as long as 64.
"""

import os
import sys

import numpy as np

RESOLUTION = 32
MINIBATCHES_PER_LINE = 8


def write_data_set(folder, num_images):
    """Write a data set of grey noise."""
    from training.data.export import TFRecordExporter
    rnd = np.random.RandomState(1)
    with TFRecordExporter(folder, num_images, print_progress=False) as exporter:
        for _ in range(num_images):
            exporter.add_image(rnd.randint(256, size=[1, RESOLUTION, RESOLUTION]).astype(np.uint8))


def main(data_set, num_images, pixels):
    """Summarize the real images of the data set as fd50k_lite0 does."""
    from metrics import lite0
    from metrics.features import efficientnet_lite0, feature_networks
    from metrics.metric_defaults import metric_defaults

    class RealFeatures(lite0.FrechetDistance):
        """The part of the metric that looks at real images."""
        minibatches = 0

        def _evaluate_images(self, num_gpus):
            self._summarize_reals(feature_networks.load(*self.network_names), num_gpus)

        def _report_progress(self, cur, max, status=''):
            if self.minibatches % MINIBATCHES_PER_LINE == 0 or cur == max:
                print(f'image {cur} of {max}', flush=True)
            self.minibatches += 1

    efficientnet_lite0.RESOLUTION = pixels
    args = {**metric_defaults['fd50k_lite0'], 'num_images': num_images}
    args.pop('func_name')
    RealFeatures(**args).run_on_images(
        None, data_dir=os.path.dirname(data_set), mirror_augment=False, log_results=False,
        dataset_args=dict(tfrecord_dir=os.path.basename(data_set), shuffle_mb=0, repeat=False))


if __name__ == '__main__':
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
