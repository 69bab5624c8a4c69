"""Serve small networks as explorer.py does, for the tests of the server and of the page."""

import contextlib
import threading
import time

import numpy as np

import dnnlib.tflib as tflib
import explorer as script
from latents.explorer import server, uploads
from tests.golden_figures import set_golden_values
from training import misc
from training.data import class_names

SHAPE = dict(fmap_base=64, fmap_max=8)
SIZES = dict(latent_size=8, dlatent_size=8, mapping_fmaps=8, mapping_layers=2, **SHAPE)
NETWORKS = {
    'stylegan2': dict(func_name='training.networks_stylegan2.G_main', resolution=16, num_channels=3, **SIZES),
    'labels': dict(func_name='training.networks_stylegan2_ada.G_main', resolution=16, num_channels=1,
                   base_shape=[4, 6], label_size=3, **SIZES),
    'stylegan': dict(func_name='training.networks_stylegan.G_style', resolution=16, num_channels=3,
                     truncation_cutoff=2, **SIZES),
    'progan': dict(func_name='training.networks_progan.G_paper', resolution=16, num_channels=3, latent_size=8,
                   **SHAPE),
}
CLASS_NAMES = ['cat', 'dog', 'bird']


def network_files(tmp_path_factory, *names):
    """Return {name: path} of network files, which the first module that asks for them writes."""
    folder = tmp_path_factory.getbasetemp() / 'explorer-networks'
    for name in names:
        if not (folder / name).exists():
            write_network(folder / name, name)
    return {name: str(folder / name / 'network.pkl') for name in names}


def write_network(folder, name):
    """Write a network whose pictures depend on styles and noise, with the names of the classes."""
    G = tflib.Network('Gs', **NETWORKS[name])
    set_golden_values(G)
    strengths = {var: np.float32(0.3) for key, var in G.vars.items() if key.endswith('noise_strength')}
    if strengths:
        tflib.set_vars(strengths)
    folder.mkdir(parents=True)
    misc.save_pkl(G, str(folder / 'network.pkl'))
    if NETWORKS[name].get('label_size'):
        class_names.write(str(folder / 'classes.json'), CLASS_NAMES)


@contextlib.contextmanager
def served(network_pkls):
    """Serve network files in a thread -> server.Explorer."""
    files = uploads.Files()
    studios, session = script.load(network_pkls, False, files)
    with script.listening_socket(0) as listener:
        explorer = server.Explorer(studios, session, files, listener.getsockname()[1])
        uvicorn_server = explorer.server()
        thread = threading.Thread(target=uvicorn_server.run, kwargs={'sockets': [listener]}, daemon=True)
        thread.start()
        while not uvicorn_server.started:
            time.sleep(0.01)
        try:
            yield explorer
        finally:
            uvicorn_server.should_exit = True
            thread.join()
            explorer.close()
