"""Networks as tensors by TensorFlow's names in a safetensors file, without code; such files open here."""

import os

from bridges import tensor_output
from dnnlib.pickles import inspection, tensor_files

ABOUT = "a .safetensors file with TensorFlow's names and no code, which opens here; its facts in a .json"
FLAGS = {}
NEEDS = tensor_output.NEEDS


def export(path: str, out_path: str, _args) -> str:
    """Write the networks of a file. -> what was written and what was left out, in words.

    Raises UserError if there is anything else, or a network whose function is unknown.
    """
    report = inspection.inspect(path, with_data=True)
    tensor_output.check_networks(report)
    names = [network.state['name'] for network in report.networks]
    if len(set(names)) < len(names):
        names = list(map(str, range(len(names))))
    tensors, text = tensor_files.described(dict(zip(names, report.networks, strict=True)))
    tensor_output.write(out_path, tensors, {tensor_files.KEY: text}, text)
    beside = os.path.basename(tensor_output.json_path(out_path))
    return (f'{len(tensors)} tensors of {", ".join(names)}; {beside} shows what else the file holds. Left '
            'out: source texts; the file opens with those of this project.')
