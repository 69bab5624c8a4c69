"""Loading networks from files and URLs, and the list of the published StyleGAN2 networks."""

import os
import weakref

import dnnlib
import dnnlib.tflib as tflib
from dnnlib.util import UserError
from training import misc

BASE_URL = 'https://nvlabs-fi-cdn.nvidia.com/stylegan2/networks/'

_CONFIGS = {'stylegan2-car': 'abcdef', 'stylegan2-cat': 'af', 'stylegan2-church': 'af',
            'stylegan2-ffhq': 'abcdef', 'stylegan2-horse': 'af'}
_TABLE2 = ('stylegan2-car', 'stylegan2-ffhq')
_ARCHITECTURES = ('orig', 'resnet', 'skip')
_FILES = [
    *(f'{name}-config-{config}.pkl' for name, configs in _CONFIGS.items() for config in configs),
    *(f'table2/{name}-config-e-G{G}-D{D}.pkl'
      for name in _TABLE2 for G in _ARCHITECTURES for D in _ARCHITECTURES),
]
gdrive_urls = {f'gdrive:networks/{file}': BASE_URL + file for file in _FILES}

_loaded = weakref.WeakKeyDictionary()  # {session: {path or URL: contents}}: networks live in one session


def get_path_or_url(path_or_gdrive_path: str) -> str:
    """URL of a published network given by its `gdrive:` key; anything else is returned as it is."""
    return gdrive_urls.get(path_or_gdrive_path, path_or_gdrive_path)


def check_path(path_or_gdrive_path: str) -> None:
    """Raise UserError for a file that does not exist or an unknown `gdrive:` key; URLs pass."""
    path = get_path_or_url(path_or_gdrive_path)
    if dnnlib.util.is_url(path, allow_file_urls=True) or os.path.isfile(path):
        return
    if path.startswith('gdrive:'):
        raise UserError(f'{path}: not among the published networks, such as {next(iter(gdrive_urls))}')
    raise UserError(f'{path}: no such file; expected a network pickle: a path, a URL or a gdrive: key')


def _load(path_or_gdrive_path, trust_source, check):
    """check(contents of the file, its name), the contents loaded once per session."""
    check_path(path_or_gdrive_path)
    path_or_url = get_path_or_url(path_or_gdrive_path)
    tflib.init_tf()
    cache = _loaded.setdefault(tflib.tfutil.default_session(), {})
    if path_or_url not in cache:
        cache[path_or_url] = misc.load_pkl(path_or_url, trust_source=trust_source)
    return check(cache[path_or_url], path_or_url)


def load_networks(path_or_gdrive_path: str, trust_source: bool = False):
    """(G, D, Gs) of a training snapshot or of a published network, loaded once per session.

    Installs a session if there is none. `trust_source`: run the source text inside for networks that are not
    known here. Raises UserError if the file is missing, damaged or another one.
    """
    return _load(path_or_gdrive_path, trust_source, misc.as_triple)


def load_generator(network_pkl, trust_source=False):
    """Gs of a network pickle, which may hold nothing else. Raises UserError if what it draws are not images.

    `trust_source`: as for `load_networks`.
    """
    print(f'Loading networks from "{network_pkl}"...')
    Gs = _load(network_pkl, trust_source, misc.as_generator)
    if len(Gs.output_shape) != 4 or Gs.output_shape[1] not in (1, 3):
        raise UserError(f'{network_pkl}: Gs returns {Gs.output_shape}, expected images of 1 or 3 channels')
    return Gs
