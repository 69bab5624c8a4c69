"""The published way to networks in files, at URLs and by the keys of published ones."""

from training.data.official_files import OFFICIAL_URLS
from training.misc.pickles import (
    check_generator,
    check_path,
    find_file,
    get_path_or_url,
    load_generator,
    load_networks,
)

gdrive_urls = {key: url for key, url in OFFICIAL_URLS.items() if key.startswith('gdrive:')}

__all__ = ['check_generator', 'check_path', 'find_file', 'gdrive_urls', 'get_path_or_url', 'load_generator',
           'load_networks']
