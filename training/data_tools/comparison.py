"""Compares two data sets, image by image."""

import numpy as np

from dnnlib.progress import shown


def compare(images_a, images_b, ignore_labels):
    """Print which images and labels of two StoredImages differ."""
    count = min(len(images_a), len(images_b))
    identical_images = identical_labels = 0
    for index in shown(range(count), 'Comparing', 'images'):
        same_image = np.array_equal(images_a.image(index), images_b.image(index))
        same_label = np.array_equal(images_a.labels[index], images_b.labels[index])
        if not same_image:
            print(f'Image {index} is different')
        if not same_label and not ignore_labels:
            print(f'Label {index} is different')
        identical_images += same_image
        identical_labels += same_label
    if len(images_a) != len(images_b):
        print('Datasets contain different number of images')
    print(f'Identical images: {identical_images} / {count}')
    if not ignore_labels:
        print(f'Identical labels: {identical_labels} / {count}')
