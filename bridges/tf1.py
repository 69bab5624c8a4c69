"""Network files that the published code for TensorFlow 1.14 runs."""

from dnnlib.files import atomic_write
from dnnlib.pickles import inspection, source_text, writing
from dnnlib.util import UserError

ABOUT = 'source texts that hold all layers, for the published code and TensorFlow 1.14'
FLAGS = {}
NEEDS = {}


def export(path: str, out_path: str, _args=None) -> str:
    """Write a network file again, with self-contained texts in place of those of this project.

    -> number of networks with such a text, in words, including sub-networks; all others keep theirs. Raises
    UserError if there are none, or if the file holds anything but networks.
    """
    report = inspection.inspect(path, with_data=True)
    if report.other is not None:
        raise UserError(f'expected a file of networks only; found {report.other}')
    if report.is_damaged:
        raise UserError(report.problems[0])
    kept = (inspection.MARKED, inspection.UNKNOWN)
    ours = [network for network in report.all_networks() if network.code is not None
            and network.source not in kept and not network.state['from_tfutil']]
    if not ours:
        raise UserError('none of its source texts is of this project, and others stay as they are; there is '
                        'nothing to export')
    for network in ours:
        network.stored['build_module_src'] = source_text.self_contained(network.func.rpartition('.')[0])
    with atomic_write(out_path) as file:
        writing.dump(report.found, file)
    return f'{len(ours)} networks exported, including sub-networks.'
