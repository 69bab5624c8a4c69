"""Networks for PyTorch: tensors in a safetensors file, and the arguments of their classes in JSON."""

import json
import os

from bridges import pytorch_form, rosinality, tensor_output
from dnnlib.pickles import inspection
from dnnlib.util import UserError

ABOUT = 'a .safetensors file for stylegan2-ada-pytorch, and the arguments of its classes in a .json beside it'
FLAGS = {'--names': dict(choices=('stylegan2-ada', 'rosinality'),
                         help="whose names the tensors get (default: stylegan2-ada)")}
NEEDS = tensor_output.NEEDS


def export(path: str, out_path: str, args) -> str:
    """Write the networks of a file. -> what was written and what was left out, in words.

    (G, D, Gs) become G, D and G_ema; a generator alone becomes G_ema, a discriminator D. Raises UserError if
    there is any other network, or one that PyTorch's code does not have.
    """
    report = inspection.inspect(path, with_data=True)
    tensor_output.check_networks(report)
    tensors, classes, left_out = _NAMES[args.names or 'stylegan2-ada'](report)
    tensor_output.write(out_path, tensors, {'format': 'pt'}, json.dumps(classes, indent=1))
    left_out = ['what only training needs, such as style mixing', *left_out]
    beside = os.path.basename(tensor_output.json_path(out_path))
    return (f'{len(tensors)} tensors of {", ".join(classes)}; {beside} has the arguments of their classes. '
            f'Left out: {"; ".join(left_out)}.')


def _stylegan2_ada(report):
    """Return {name: tensor} with the names of networks as prefixes, {network: class and arguments}, and what
    else is left out."""
    tensors, classes = {}, {}
    for name, network in _named(report).items():
        converted = pytorch_form.converted(network)
        tensors |= {f'{name}.{key}': value for key, value in converted.tensors.items()}
        classes[name] = {'class_name': converted.class_name, 'init_kwargs': converted.init_kwargs}
    return tensors, classes, ['truncation_psi, an argument of the call there and 1 by default']


def _named(report):
    """Return the networks of a file by their names there."""
    if report.is_triple:
        return dict(zip(('G', 'D', 'G_ema'), report.networks, strict=True))
    if len(report.networks) != 1:
        raise UserError(f'expected (G, D, Gs) or one network; found {len(report.networks)} networks')
    network = report.networks[0]
    return {'D' if network.func in pytorch_form.DISCRIMINATORS else 'G_ema': network}


_NAMES = {'stylegan2-ada': _stylegan2_ada, 'rosinality': rosinality.checkpoint}
