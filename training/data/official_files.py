"""Keys and URLs of the files that NVIDIA has published for StyleGAN, StyleGAN2 and StyleGAN2-ADA.

Those of stylegan2-ada-pytorch and stylegan3 are for PyTorch, and open like the others.
"""

import dnnlib
from dnnlib.downloading import downloads
from dnnlib.util import DownloadError

CDN = 'https://nvlabs-fi-cdn.nvidia.com/'
NGC = 'https://api.ngc.nvidia.com/v2/models/nvidia/'
DRIVE = 'https://drive.google.com/uc?id='

_ARCHITECTURES = ('orig', 'resnet', 'skip')
_STYLEGAN2_CONFIGS = {'stylegan2-car': 'abcdef', 'stylegan2-cat': 'af', 'stylegan2-church': 'af',
                      'stylegan2-ffhq': 'abcdef', 'stylegan2-horse': 'af'}
_STYLEGAN2 = [
    *(f'{name}-config-{config}.pkl' for name, configs in _STYLEGAN2_CONFIGS.items() for config in configs),
    *(f'table2/{name}-config-e-G{G}-D{D}.pkl'
      for name in ('stylegan2-car', 'stylegan2-ffhq') for G in _ARCHITECTURES for D in _ARCHITECTURES),
]

# Files of StyleGAN and their ids at Google Drive.
_STYLEGAN = {
    'karras2019stylegan-ffhq-1024x1024.pkl': '1MEGjdvVpUsu1jB4zrXZN7Y4kBBOzizDQ',
    'karras2019stylegan-celebahq-1024x1024.pkl': '1MGqJl28pN4t7SAtSrPdSRJSQJqahkzUf',
    'karras2019stylegan-bedrooms-256x256.pkl': '1MOSKeGF0FJcivpBI7s63V9YHloUTORiF',
    'karras2019stylegan-cars-512x384.pkl': '1MJ6iCfNtMIRicihwRorsM3b7mmtmK9c3',
    'karras2019stylegan-cats-256x256.pkl': '1MQywl0FNt6lHu8E_EUqnRbviagS7fbiJ',
    'inception_v3_features.pkl': '1MzTY44rLToO5APn8TZmfR7_ENSe5aZUn',
    'vgg16_zhang_perceptual.pkl': '1N2-m9qszOeVC9Tq77WxsLnuWwOedQiD2',
}

# CelebA-HQ classifiers, in the order of their attributes, and the ids of StyleGAN's copies at Google Drive.
_CLASSIFIERS = {
    '00-male': '1Q5-AI6TwWhCVM7Muu4tBM7rp5nG_gmCX',
    '01-smiling': '1Q5c6HE__ReW2W8qYAXpao68V1ryuisGo',
    '02-attractive': '1Q7738mgWTljPOJQrZtSMLxzShEhrvVsU',
    '03-wavy-hair': '1QBv2Mxe7ZLvOv1YBTLq-T4DS3HjmXV0o',
    '04-young': '1QIvKTrkYpUrdA45nf7pspwAqXDwWOLhV',
    '05-5-o-clock-shadow': '1QJPH5rW7MbIjFUdZT7vRYfyUjNYDl4_L',
    '06-arched-eyebrows': '1QPZXSYf6cptQnApWS_T83sqFMun3rULY',
    '07-bags-under-eyes': '1QPgoAZRqINXk_PFoQ6NwMmiJfxc5d2Pg',
    '08-bald': '1QQPQgxgI6wrMWNyxFyTLSgMVZmRr1oO7',
    '09-bangs': '1QcSphAmV62UrCIqhMGgcIlZfoe8hfWaF',
    '10-big-lips': '1QdWTVwljClTFrrrcZnPuPOR4mEuz7jGh',
    '11-big-nose': '1QgvEWEtr2mS4yj1b_Y3WKe6cLWL3LYmK',
    '12-black-hair': '1QidfMk9FOKgmUUIziTCeo8t-kTGwcT18',
    '13-blond-hair': '1QthrJt-wY31GPtV8SbnZQZ0_UEdhasHO',
    '14-blurry': '1QvCAkXxdYT4sIwCzYDnCL9Nb5TDYUxGW',
    '15-brown-hair': '1QvLWuwSuWI9Ln8cpxSGHIciUsnmaw8L0',
    '16-bushy-eyebrows': '1QxW6THPI2fqDoiFEMaV6pWWHhKI_OoA7',
    '17-chubby': '1R71xKw8oTW2IHyqmRDChhTBkW9wq4N9v',
    '18-double-chin': '1RDn_fiLfEGbTc7JjazRXuAxJpr-4Pl67',
    '19-eyeglasses': '1RGBuwXbaz5052bM4VFvaSJaqNvVM4_cI',
    '20-goatee': '1RIxOiWxDpUwhB-9HzDkbkLegkd7euRU9',
    '21-gray-hair': '1RPaNiEnJODdr-fwXhUFdoSQLFFZC7rC-',
    '22-heavy-makeup': '1RQH8lPSwOI2K_9XQCZ2Ktz7xm46o80ep',
    '23-high-cheekbones': '1RXZM61xCzlwUZKq-X7QhxOg0D2telPow',
    '24-mouth-slightly-open': '1RgASVHW8EWMyOCiRb5fsUijFu-HfxONM',
    '25-mustache': '1RkC8JLqLosWMaRne3DARRgolhbtg_wnr',
    '26-narrow-eyes': '1RqtbtFT2EuwpGTqsTYJDyXdnDsFCPtLO',
    '27-no-beard': '1Rs7hU-re8bBMeRHR-fKgMbjPh-RIbrsh',
    '28-oval-face': '1RynDJQWdGOAGffmkPVCrLJqy_fciPF9E',
    '29-pale-skin': '1S0TZ_Hdv5cb06NDaCD8NqVfKy7MuXZsN',
    '30-pointy-nose': '1S3JPhZH2B4gVZZYCWkxoRP11q09PjCkA',
    '31-receding-hairline': '1S3pQuUz-Jiywq_euhsfezWfGkfzLZ87W',
    '32-rosy-cheeks': '1S6nyIl_SEI3M4l748xEdTV2vymB_-lrY',
    '33-sideburns': '1S9P5WCi3GYIBPVYiPTWygrYIUSIKGxbU',
    '34-straight-hair': '1SANviG-pp08n7AFpE9wrARzozPIlbfCH',
    '35-wearing-earrings': '1SArgyMl6_z7P7coAuArqUC2zbmckecEY',
    '36-wearing-hat': '1SC5JjS5J-J4zXFO9Vk2ZU2DT82TZUza_',
    '37-wearing-lipstick': '1SDAQWz03HGiu0MSOKyn7gvrp3wdIGoj-',
    '38-wearing-necklace': '1SEtrVK-TQUC0XeGkBE9y7L8VXfbchyKX',
    '39-wearing-necktie': '1SF_mJIdyGINXoV-I6IAxHB_k5dxiF6M-',
}

_METRIC_NETWORKS = [
    'inception_v3_features.pkl', 'inception_v3_softmax.pkl', 'vgg16.pkl', 'vgg16_zhang_perceptual.pkl',
    *(f'celebahq-classifier-{attribute}.pkl' for attribute in _CLASSIFIERS),
]

_ADA_FILES = ['metfaces.pkl', 'brecahad.pkl', 'afhqcat.pkl', 'afhqdog.pkl', 'afhqwild.pkl', 'cifar10.pkl',
              'ffhq.pkl']  # For TensorFlow and for PyTorch.
_ADA = [
    *_ADA_FILES,
    'paper-fig7c-training-set-sweeps/ffhq10k-paper256-ada-bcr.pkl',
    'paper-fig11a-small-datasets/afhqdog-mirror-paper512-ada.pkl',
    'paper-fig11a-small-datasets/metfaces-mirror-paper1024-ada-resumeffhq1024.pkl',
    'paper-fig11b-cifar10/cifar10c-cifar-ada-best-fid.pkl',
]

# Sources for transfer learning by the short names of StyleGAN2-ADA.
_ADA_SOURCES = {
    'ffhq256': 'ffhq-res256-mirror-paper256-noaug.pkl',
    'ffhq512': 'ffhq-res512-mirror-stylegan2-noaug.pkl',
    'ffhq1024': 'ffhq-res1024-mirror-stylegan2-noaug.pkl',
    'celebahq256': 'celebahq-res256-mirror-paper256-kimg100000-ada-target0.5.pkl',
    'lsundog256': 'lsundog-res256-paper256-kimg100000-noaug.pkl',
}

# Networks of StyleGAN2 that were trained with the code of StyleGAN3.
_STYLEGAN3 = [f'stylegan2-{name}.pkl' for name in (
    'ffhq-1024x1024', 'ffhq-512x512', 'ffhq-256x256', 'ffhqu-1024x1024', 'ffhqu-256x256',
    'metfaces-1024x1024', 'metfacesu-1024x1024', 'afhqv2-512x512', 'afhqcat-512x512', 'afhqdog-512x512',
    'afhqwild-512x512', 'brecahad-512x512', 'cifar10-32x32', 'celebahq-256x256', 'lsundog-256x256')]

TRANSFER_SOURCES = {name: f'stylegan2-ada:{name}' for name in _ADA_SOURCES}  # Their keys.

_ADA_PATHS = {name: f'transfer-learning-source-nets/{file}' for name, file in _ADA_SOURCES.items()}
_PYTORCH_PATHS = _ADA_PATHS | {path: path for path in [*_ADA_FILES, *_ADA_PATHS.values()]}
_ADA_PATHS |= {path: path for path in [
    *_ADA, *_ADA_PATHS.values(), *(f'metrics/{file}' for file in _METRIC_NETWORKS)]}

# Networks of StyleGAN2 have the keys of its own code; other keys are the code base and the file.
OFFICIAL_URLS = {
    **{f'gdrive:networks/{file}': f'{CDN}stylegan2/networks/{file}' for file in _STYLEGAN2},
    **{f'stylegan:{file}': DRIVE + drive_id for file, drive_id in _STYLEGAN.items()},
    **{f'stylegan:celebahq-classifier-{attribute}.pkl': DRIVE + drive_id
       for attribute, drive_id in _CLASSIFIERS.items()},
    **{f'stylegan2:metrics/{file}': f'{CDN}stylegan/networks/metrics/{file}' for file in _METRIC_NETWORKS},
    **{f'stylegan2-ada:{name}': f'{CDN}stylegan2-ada/pretrained/{path}' for name, path in _ADA_PATHS.items()},
    **{f'stylegan2-ada-pytorch:{name}': f'{CDN}stylegan2-ada-pytorch/pretrained/{path}'
       for name, path in _PYTORCH_PATHS.items()},
    **{f'stylegan3:{file}': f'{NGC}research/stylegan2/versions/1/files/{file}' for file in _STYLEGAN3},
}
KEY_PREFIXES = tuple(sorted({key.split(':')[0] + ':' for key in OFFICIAL_URLS}))
_NAMES = {url: key.partition(':')[2].rpartition('/')[2] for key, url in OFFICIAL_URLS.items()}  # of files


def open_url(url):
    """Open a URL through the download cache as a binary stream. Raises DownloadError, naming the file."""
    cache_dir = dnnlib.util.cache_dir()
    try:
        return dnnlib.util.open_url(url, cache_dir=cache_dir)
    except DownloadError as error:
        if not error.reason or url not in _NAMES:
            raise
        raise downloads.failure(url, cache_dir, error.reason, _NAMES[url]) from error
