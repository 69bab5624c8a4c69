"""Loading networks from files, URLs and the keys of published ones."""

import difflib
import os
import weakref

import dnnlib
import dnnlib.tflib as tflib
from dnnlib.util import UserError
from training import misc
from training.official_files import KEY_PREFIXES, OFFICIAL_URLS

gdrive_urls = {key: url for key, url in OFFICIAL_URLS.items() if key.startswith('gdrive:')}

_loaded = weakref.WeakKeyDictionary()  # {session: {path or URL: see _found}}: networks live in one session


def get_path_or_url(path_or_gdrive_path: str) -> str:
    """URL of a published file given by its key (`gdrive:networks/...`, `stylegan:...`, `stylegan2:...`,
    `stylegan2-ada:...`); anything else is returned as it is."""
    return OFFICIAL_URLS.get(path_or_gdrive_path, path_or_gdrive_path)


def check_path(path_or_gdrive_path: str) -> None:
    """Raise UserError for a file that does not exist or an unknown key; URLs pass."""
    path = get_path_or_url(path_or_gdrive_path)
    if dnnlib.util.is_url(path, allow_file_urls=True) or os.path.isfile(path):
        return
    if path.startswith(KEY_PREFIXES):
        near = difflib.get_close_matches(path, OFFICIAL_URLS, n=3, cutoff=0.0)
        raise UserError(f'{path}: not among the published files, such as {", ".join(near)}')
    raise UserError(f'{path}: no such file; expected a network pickle: a path, a URL or a key such as '
                    f'{next(iter(gdrive_urls))}')


def _found(path_or_gdrive_path):
    """-> path or URL of an existing file, {'networks' and 'generator': what was loaded from it before}"""
    check_path(path_or_gdrive_path)
    path_or_url = get_path_or_url(path_or_gdrive_path)
    tflib.init_tf()
    files = _loaded.setdefault(tflib.tfutil.default_session(), {})
    return path_or_url, files.setdefault(path_or_url, {})


def load_networks(path_or_gdrive_path: str, trust_source: bool = False):
    """(G, D, Gs) of a training snapshot or of a published network, loaded once per session.

    Installs a session if there is none. `trust_source`: run the source text inside for networks that are not
    known here. Raises UserError if the file is missing, damaged or another one.
    """
    path_or_url, found = _found(path_or_gdrive_path)
    if 'networks' not in found:
        found['networks'] = misc.load_networks(path_or_url, trust_source=trust_source)
    return found['networks']


def load_generator(network_pkl, trust_source=False):
    """Gs of a network pickle, which may hold nothing else: that of `load_networks` where it has loaded the
    file, otherwise alone and once per session. Raises UserError if what it draws are not images.

    `trust_source`: as for `load_networks`.
    """
    print(f'Loading networks from "{network_pkl}"...')
    path_or_url, found = _found(network_pkl)
    if 'networks' in found:
        found['generator'] = found['networks'][2]
    elif 'generator' not in found:
        found['generator'] = misc.load_generator(path_or_url, trust_source=trust_source)
    Gs = found['generator']
    if len(Gs.output_shape) != 4 or Gs.output_shape[1] not in (1, 3):
        raise UserError(f'{network_pkl}: Gs returns {Gs.output_shape}, expected images of 1 or 3 channels')
    return Gs
