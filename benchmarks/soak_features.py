"""Compute features as a metric does, and print the progress.

Usage: python -m benchmarks.soak_features DATA_SET NUM_IMAGES PIXELS. PIXELS is the side of the images inside
the feature network. Its default of 224 takes ten times as long as 64.
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
    """Compute statistics of the real images of the data set as fd50k_lite0 does."""
    from metrics.feature_metric import FeatureMetric
    from metrics.features import efficientnet_lite0
    from metrics.figures import statistics

    def shown(batches):
        count = 0
        for number, batch in enumerate(batches):
            count += len(batch)
            if number % MINIBATCHES_PER_LINE == 0 or count == num_images:
                print(f'image {count} of {num_images}', flush=True)
            yield batch

    class RealFeatures(FeatureMetric):
        """The part of the metric that processes real images."""

        def measure(self, evaluation):
            statistics.moments(shown(evaluation.reals(num_images, self.minibatch_per_gpu, self.network_name)))

    efficientnet_lite0.RESOLUTION = pixels
    folder, name = os.path.split(data_set)
    metric = RealFeatures(name='fd_lite0', num_images=num_images, minibatch_per_gpu=32,
                          network_name='efficientnet_lite0_features')
    metric.run_on_images(name, data_dir=folder, mirror_augment=False, log_results=False,
                         dataset_args=dict(tfrecord_dir=name, shuffle_mb=0, repeat=False))


if __name__ == '__main__':
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
