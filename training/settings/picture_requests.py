"""What is asked of a generator: can it draw that? Without TensorFlow."""

from dnnlib.util import UserError

MOST_PIXELS = 1 << 30  # of a grid: 3 GB in memory


def check_class(class_idx, label_size):
    """Raise UserError for a class (None = none) that a network with labels of this size lacks."""
    if class_idx is not None and class_idx >= label_size:
        known = f'this network has the classes 0 to {label_size - 1}' if label_size else (
            'this network has no classes')
        raise UserError(f'--class={class_idx}: {known}')


def check_layers(col_styles, num_layers):
    """Raise UserError for layers (None = the default) that a network with so many lacks."""
    absent = [layer for layer in col_styles or [] if not 0 <= layer < num_layers]
    if absent:
        raise UserError(f'--col-styles: there is no layer {absent[0]}; this network has 0-{num_layers - 1}')


def check_grid(columns, rows, resolution):
    """Raise UserError for a grid of images of this resolution that is too large a picture."""
    width, height = columns * resolution, rows * resolution
    if width * height > MOST_PIXELS:
        raise UserError(f'--grid={columns}x{rows}: a picture of {width} x {height} pixels is too large; '
                        f'choose a grid of at most {MOST_PIXELS // resolution ** 2} images')
