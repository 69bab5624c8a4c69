"""The published names for pickles and pictures, from `training.pickles` and `training.pictures`."""

from training.pickles import (
    as_triple,
    load_generator,
    load_networks,
    load_pkl,
    network_snapshots,
    open_file_or_url,
    parse_config_for_previous_run,
    save_pkl,
)
from training.pictures import (
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
