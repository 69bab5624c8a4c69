"""Networks for PyTorch: tensors in a safetensors file, and the arguments of their classes in JSON."""

import json
import os

from bridges import pytorch_form, tensor_output
from dnnlib.pickles import inspection
from dnnlib.util import UserError

ABOUT = 'a .safetensors file for stylegan2-ada-pytorch, and the arguments of its classes in a .json beside it'
FLAGS = {'--names': dict(choices=('stylegan2-ada', 'rosinality'),
                         help="whose names the tensors get (default: stylegan2-ada)")}
NEEDS = tensor_output.NEEDS
_NAMES = ('G', 'D', 'G_ema')


def export(path: str, out_path: str, args) -> str:
    """Write the networks of a file. -> what was written and what was left out, in words.

    (G, D, Gs) become G, D and G_ema; a generator alone becomes G_ema, a discriminator D. Raises UserError if
    there is any other network, or one that PyTorch's code does not have.
    """
    json_path = tensor_output.check_out(out_path)
    found = networks(inspection.inspect(path, with_data=True))
    tensors, init = _FORMS[args.names or 'stylegan2-ada'](found)
    text = json.dumps(init, indent=1)
    tensor_output.write(out_path, tensors, {'format': 'pt'}, json_path, text)
    return (f'{len(tensors)} tensors of {", ".join(found)}; the arguments of their classes are in '
            f'{os.path.basename(json_path)}. Left out: truncation_psi, an argument of the call there and '
            '1 by default, and what only training needs, such as style mixing.')


def networks(report) -> dict:
    """Return {'G', 'D', 'G_ema': blueprint} of those that a file has. Raises UserError for anything else."""
    if report.other is not None:
        raise UserError(f'expected a file of networks only; found {report.other}')
    if report.is_damaged:
        raise UserError(report.problems[0])
    if report.is_triple:
        return dict(zip(_NAMES, report.networks, strict=True))
    if len(report.networks) != 1:
        raise UserError(f'expected (G, D, Gs) or one network; found {len(report.networks)} networks')
    network = report.networks[0]
    return {'D' if network.func in pytorch_form.DISCRIMINATORS else 'G_ema': network}


def _stylegan2_ada(found):
    """Return {name: tensor} with the names of networks as prefixes, and {network: class and arguments}."""
    converted = {name: pytorch_form.converted(network) for name, network in found.items()}
    tensors = {f'{name}.{key}': value for name, each in converted.items()
               for key, value in each.tensors.items()}
    return tensors, {name: {'class_name': each.class_name, 'init_kwargs': each.init_kwargs}
                     for name, each in converted.items()}


def _rosinality(found):
    from bridges import rosinality  # Only here: most exports do without.
    return rosinality.converted(found)


_FORMS = {'stylegan2-ada': _stylegan2_ada, 'rosinality': _rosinality}
