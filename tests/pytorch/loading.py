"""The lines that docs/ shows for loading what `export.py --to=pytorch` wrote. A checkout is on the path."""

import json
import pathlib

from safetensors.torch import load_file

from training import networks

tensors = load_file('network.safetensors')
classes = json.loads(pathlib.Path('network.json').read_text())


def load(name):  # 'G_ema', 'G' or 'D'
    net = getattr(networks, classes[name]['class_name'])(**classes[name]['init_kwargs'])
    net.load_state_dict({key[len(name) + 1:]: value for key, value in tensors.items()
                         if key.startswith(name + '.')})
    return net.eval()
