"""Pickles of networks and pictures of images, by their published names.

`pickles` goes from a path, a URL or a key to networks; `pictures` makes grids and image files. Scripts and
the loop use the names below.
"""

from training.misc.pickles import (
    as_triple,
    load_generator,
    load_networks,
    load_pkl,
    network_snapshots,
    open_file_or_url,
    parse_config_for_previous_run,
    save_pkl,
)
from training.misc.pictures import (
    adjust_dynamic_range,
    apply_mirror_augment,
    convert_to_pil_image,
    create_image_grid,
    save_image_grid,
    setup_snapshot_image_grid,
)

__all__ = [
    'adjust_dynamic_range', 'apply_mirror_augment', 'as_triple', 'convert_to_pil_image', 'create_image_grid',
    'load_generator', 'load_networks', 'load_pkl', 'network_snapshots', 'open_file_or_url',
    'parse_config_for_previous_run', 'save_image_grid', 'save_pkl', 'setup_snapshot_image_grid',
]
