"""Shows the images of a data set one by one in a window of OpenCV."""

import os
import sys

import numpy as np

from training.data import image_databases

WINDOW = 'dataset_tool'
ESC_KEY = 27


def opened():
    """Open a window and return OpenCV; None if it is not installed or there is no screen."""
    if sys.platform == 'linux' and not (os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')):
        return None
    cv2 = image_databases.import_opencv()
    if cv2 is None:
        return None
    try:
        cv2.namedWindow(WINDOW)
    except cv2.error:  # built without windows
        return None
    return cv2


def show(cv2, images):
    """Show images until ESC is pressed, and return how many."""
    for index in range(len(images)):
        print(f'idx = {index:<8d} label = {images.labels[index].tolist()}')
        bgr = images.image(index).transpose(1, 2, 0)[:, :, ::-1]  # RGB [C,H,W] -> BGR [H,W,C]
        cv2.imshow(WINDOW, np.ascontiguousarray(bgr))
        if cv2.waitKey() == ESC_KEY:
            return index + 1
    return len(images)
