"""The narrow trainings whose memory is planned and measured: arguments of `memory.compare`."""

_NARROW = dict(fmap_base=1024, fmap_max=32)
TRAININGS = [
    dict(config='config-f', resolution=64, minibatch_gpu=8, fmap_base=2048, fmap_max=64),
    dict(config='config-f', resolution=128, minibatch_gpu=4, **_NARROW),
    dict(config='config-f', resolution=128, minibatch_gpu=16, fmap_base=2048, fmap_max=64),
    dict(config='config-f', resolution=256, minibatch_gpu=4, **_NARROW),
    dict(config='config-f', resolution=64, minibatch_gpu=16, lazy=False, **_NARROW),
    dict(config='config-f', resolution=64, minibatch_gpu=4, rounds=2, **_NARROW),
    dict(config='config-f', resolution=64, minibatch_gpu=8, num_gpus=2, **_NARROW),
    dict(config='config-e', resolution=128, minibatch_gpu=8, **_NARROW),
    dict(config='config-a', resolution=128, minibatch_gpu=8, **_NARROW),
    dict(config='stylegan', resolution=64, minibatch_gpu=16, **_NARROW),
    dict(config='progan', resolution=128, minibatch_gpu=8, **_NARROW),
    dict(config='auto', resolution=128, minibatch_gpu=8, **_NARROW),
    dict(config='cifar', resolution=64, minibatch_gpu=16, **_NARROW),
    dict(config='paper256', resolution=256, minibatch_gpu=8, **_NARROW),
]


def name_of(arguments):
    """Return the name of a training in a report."""
    side, extra = arguments['resolution'], {'num_gpus': 'devices', 'rounds': 'rounds'}
    words = [f'{arguments["config"]} {side}x{side}', f'fmap_base={arguments["fmap_base"]}',
             f'fmap_max={arguments["fmap_max"]}', f'minibatch {arguments["minibatch_gpu"]}',
             *(f'{arguments[key]} {word}' for key, word in extra.items() if key in arguments)]
    return ', '.join([*words, *(['regularizers in every step'] if arguments.get('lazy') is False else [])])
