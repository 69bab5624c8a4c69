"""Any network file as a pickle that this project would write of its networks."""

from bridges import tensor_output
from dnnlib.pickles import inspection
from dnnlib.progress import announced
from dnnlib.util import UserError

ABOUT = 'a network pickle, of any file that opens here'
FLAGS = {}
NEEDS = {}


def export(path: str, out_path: str, _args) -> str:
    """Open a file and save its networks. -> what was written, in words.

    Raises UserError if there is anything but networks, or one whose function is unknown.
    """
    report = inspection.inspect(path)
    tensor_output.check_networks(report)
    if report.needs_trust:
        raise UserError(report.problems[0])
    import dnnlib.tflib as tflib  # Only now: it takes time.
    from training import misc
    tflib.init_tf()
    with announced('Loading the networks...'):
        networks = misc.load_pkl(path)
    with announced('Writing them...'):
        misc.save_pkl(networks, out_path)
    names = [network.state['name'] for network in report.networks]
    return f'{", ".join(names)}, with all variables.'
