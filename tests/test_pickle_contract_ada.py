"""Test that StyleGAN2-ADA and the PyTorch versions read snapshots of its networks, and compute the same."""

import pickle

import numpy as np
import pytest

import dnnlib.tflib as tflib
from dnnlib.pickles import inspection, source_text
from tests import pytorch_modules, pytorch_readers
from tests.golden_figures import QUICK, assert_close, fresh_session, one_hot, set_golden_values
from tests.golden_recipe import golden_input
from tests.test_tf1_source import executed
from training import misc

HALF = dict(num_fp16_res=4, conv_clamp=256)
SMALL = dict(fmap_base=64, fmap_max=8)
DATA = dict(num_channels=3, resolution=16)
Z = golden_input('z', [4, 6])
FIELDS = ['version', 'name', 'static_kwargs', 'components', 'build_module_src', 'build_func_name',
          'variables', 'input_shapes', 'output_shapes', 'input_names', 'output_names']

# What train.py gives to G and D beside the data and the number of feature maps, and sizes for the tests.
CFGS = {
    'auto': (dict(mapping_layers=2, **HALF), dict(mbstd_group_size=4, **HALF)),
    'stylegan2': (dict(mapping_layers=8, **HALF), dict(mbstd_group_size=4, freeze_layers=3, **HALF)),
    'paper256': (dict(mapping_layers=8, **HALF), dict(mbstd_group_size=8, **HALF)),
    'cifar': (dict(mapping_layers=2, style_mixing_prob=None, **HALF),
              dict(mbstd_group_size=32, architecture='orig', **HALF)),
    'clamped': (dict(mapping_layers=2, num_fp16_res=0, conv_clamp=0.3),
                dict(mbstd_group_size=4, num_fp16_res=0, conv_clamp=0.3)),
    'no-half': (dict(mapping_layers=2, num_fp16_res=0, conv_clamp=None),
                dict(mbstd_group_size=2, num_fp16_res=0, conv_clamp=None)),
}


def write(path, cfg, label_size=0, **D_args):
    """Write a snapshot as the training loop does. -> (G, D, Gs), labels [N,L] or None."""
    (G_args, own_D_args), data = CFGS[cfg], dict(DATA, label_size=label_size)
    G = tflib.Network('G', func_name='training.networks.G_main', **data, **G_args, **SMALL, latent_size=6,
                      dlatent_size=6)
    D = tflib.Network('D', func_name='training.networks.D_main', **data, **{**own_D_args, **D_args}, **SMALL)
    networks = G, D, G.clone('Gs')
    for net in networks:
        set_golden_values(net, prefix=net.name + ':')
    misc.save_pkl(networks, path)
    return networks, one_hot(len(Z), label_size) if label_size else None


@pytest.fixture(scope='module')
def shared(module_session, tmp_path_factory):
    """Write the snapshot of labelled networks that several tests read. -> path, labels, `expected_of`."""
    path = tmp_path_factory.mktemp('snapshot') / 'network-snapshot-000000.pkl'
    networks, labels = write(path, 'auto', label_size=3)
    return path, labels, expected_of(networks, labels)


def expected_of(networks, labels):
    """Return images, those that G and Gs draw, and scores, all in single precision."""
    G, D, Gs = networks
    images = golden_input('images', [4, 3, 16, 16])
    drawn = [net.run(Z, labels, truncation_psi=1, randomize_noise=False, num_fp16_res=0) for net in (G, Gs)]
    return images, drawn, D.run(images, labels, num_fp16_res=0)


@pytest.mark.parametrize('cfg, label_size', [
    ('auto', 3), ('stylegan2', 0), ('paper256', 0), ('cifar', 3), ('clamped', 0), ('no-half', 2)])
def test_pytorch_readers_fill_every_parameter_and_compute_the_same(cfg, label_size, tmp_path, session):
    networks, labels = write(tmp_path / 'net.pkl', cfg, label_size)
    G, D, Gs = pytorch_readers.read(tmp_path / 'net.pkl')
    for net in (G, D, Gs):
        assert net.version == 5
        filled = pytorch_modules.filled(net, is_generator=net is not D)
        assert all(value.dtype == np.float32 for value in filled.values())
    images, drawn, scores = expected_of(networks, labels)
    for stub, expected in zip((G, Gs), drawn, strict=True):
        assert_close(pytorch_readers.generate(stub, Z, labels), expected, cfg, tolerance=1e-5)
    assert_close(pytorch_readers.scores(D, images, labels), scores, cfg, tolerance=1e-5)


@pytest.mark.parametrize('architecture', ['skip', 'resnet', 'orig'])
def test_pytorch_readers_fill_every_architecture(architecture, tmp_path, session):
    sizes = dict(DATA, label_size=2, architecture=architecture, **SMALL)
    G = tflib.Network('G', func_name='training.networks.G_main', latent_size=6, dlatent_size=6, **sizes)
    D = tflib.Network('D', func_name='training.networks.D_main', mapping_layers=2, mapping_fmaps=5, **sizes)
    misc.save_pkl((G, D, G), tmp_path / 'net.pkl')
    G, D, _ = pytorch_readers.read(tmp_path / 'net.pkl')
    pytorch_modules.filled(G, is_generator=True)
    pytorch_modules.filled(D, is_generator=False)


@pytest.mark.parametrize('cmethod', [
    dict(use_pagan=True), dict(score_max=5), dict(use_spectral_norm=True), dict(adaptive_dropout=1)], ids=str)
def test_pytorch_readers_refuse_the_discriminators_of_comparison_methods(cmethod, tmp_path, session):
    D = tflib.Network('D', func_name='training.networks.D_main', resolution=8, **SMALL, **cmethod)
    misc.save_pkl((D, D, D), tmp_path / 'net.pkl')
    with pytest.raises(ValueError, match='Unknown TensorFlow kwarg'):
        pytorch_readers.read(tmp_path / 'net.pkl', kinds='DDD')
    with fresh_session(QUICK):
        assert misc.load_networks(tmp_path / 'net.pkl')[1].static_kwargs == D.static_kwargs


class PublishedNetwork:
    """A network as StyleGAN2-ADA reads it: the state first; the text is run and the graph built later."""

    def __setstate__(self, state):
        assert state['version'] in (2, 3, 4, 5)
        vars(self).update(state)

    def built(self, folder, monkeypatch):
        """Run the source text and return the network that it builds, with the stored values."""
        module = executed(self.build_module_src, folder, monkeypatch)
        net = tflib.Network(self.name, func_name=getattr(module, self.build_func_name), **self.static_kwargs)
        self.set_values(net)
        return net

    def set_values(self, net):
        assert [name for name, _ in self.variables] == list(net.own_vars)
        assert (self.input_shapes, self.output_shapes) == (net.input_shapes, net.output_shapes)
        assert (self.input_names, self.output_names) == (net.input_names, net.output_names)
        tflib.set_vars({net.own_vars[name]: value for name, value in self.variables})
        assert list(self.components) == list(net.components)
        for key, component in self.components.items():
            component.set_values(net.components[key])


class PublishedReader(pytorch_readers.Reader):
    """Looks up names as StyleGAN2-ADA with NumPy 1 does."""

    def find_class(self, module, name):
        found = super().find_class(module, name)
        return PublishedNetwork if found is pytorch_readers.Stub else found


def test_published_stylegan2_ada_reads_snapshots_as_they_are(shared, tmp_path, monkeypatch, session):
    path, labels, (images, drawn, scores) = shared
    with open(path, 'rb') as file:
        found = PublishedReader(file).load()
    assert [list(vars(net)) for net in found] == [FIELDS] * 3
    assert [net.version for net in found] == [5] * 3
    assert all(type(net.static_kwargs) is type(net.components) is dict for net in found)
    assert found[0].build_module_src is found[1].build_module_src
    G, D, Gs = (net.built(tmp_path, monkeypatch) for net in found)
    for net, expected in zip((G, Gs), drawn, strict=True):
        actual = net.run(Z, labels, truncation_psi=1, randomize_noise=False, num_fp16_res=0)
        assert_close(actual, expected, net.name, tolerance=1e-5)
    assert_close(D.run(images, labels, num_fp16_res=0), scores, 'scores', tolerance=1e-5)


def test_the_file_holds_published_arguments_and_one_self_contained_text(shared):
    path = shared[0]
    data = path.read_bytes()
    assert b'numpy._core' not in data and data.count(b'def D_main(') == 1
    with open(path, 'rb') as file:
        G, D, _ = PublishedReader(file).load()
    common = {*DATA, *SMALL, *HALF, 'label_size'}
    assert set(G.static_kwargs) == common | {'mapping_layers', 'latent_size', 'dlatent_size'}
    assert set(D.static_kwargs) == common | {'mbstd_group_size'}
    assert G.build_module_src == source_text.self_contained('training.networks_stylegan2_ada')
    assert {net.source for net in inspection.inspect(str(path)).all_networks()} == {inspection.CURRENT}
    for name, value in [*G.variables, *G.components['synthesis'].variables]:
        assert isinstance(value, (np.ndarray, np.float32)) and value.dtype == np.float32, name


def test_a_snapshot_comes_back_and_is_written_again_unchanged(shared, tmp_path):
    with fresh_session(QUICK):
        misc.save_pkl(misc.load_networks(shared[0]), tmp_path / 'again.pkl')
    assert (tmp_path / 'again.pkl').read_bytes() == shared[0].read_bytes()


def test_networks_of_other_code_bases_keep_version_4(session):
    D = tflib.Network('D', func_name='training.networks_stylegan2.D_stylegan2', resolution=8, fmap_max=4)
    state = pickle.loads(pickle.dumps(D.__getstate__()))
    assert state['version'] == 4 and 'input_names' not in state
