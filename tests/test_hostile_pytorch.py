"""Test that hostile, damaged and unsuitable files of PyTorch code are refused in one line."""

import collections
import pickle
import tracemalloc
import warnings
import zipfile

import numpy as np
import pytest

import pretrained_networks
from dnnlib.pickles import inspection
from dnnlib.util import UserError
from tests.hostile_files import MAX_MEGABYTES, fired, name, text, watched
from tests.pytorch_files import Call, Storage, at, changed, legacy, parameter, plain, setting, tensor, zipped
from tests.test_pytorch_files import SMALLEST, numbers

META = ('torch_utils.persistence', '_reconstruct_persistent_obj')
BIG = Storage(np.zeros(1000, np.uint16))
CYCLE = (  # A module whose dictionary of modules holds itself.
    b'\x80\2' + name(*META) + b'}(' + text('type') + text('class')
    + text('class_name') + text('Generator') + text('state') + b'}(' + text('_parameters') + b'}'
    + text('_buffers') + b'}' + text('_modules') + b'}q\2uu\x85Rq\3h\2' + text('mapping') + b'h\3s0.')


def renamed(key, path, old, new, class_name=None):
    def change(found):
        modules = at(found[key], path)['_modules']
        modules[new] = modules.pop(old)
        modules[new].class_name = class_name or modules[new].class_name
    return change


def every_layer(key, name, value):
    def change(found):
        for block in ('b4.conv1', 'b8.conv0', 'b8.conv1', 'b16.conv0', 'b16.conv1'):
            at(found[key], f'synthesis.{block}')[name] = value
    return change


@pytest.mark.parametrize('change, expected', [
    (renamed('G_ema', 'synthesis', 'b4', 'input', 'SynthesisInput'), r'StyleGAN3 \(alias-free layers\)'),
    (renamed('G_ema', 'synthesis', 'b8', 'L0_36_512'), r'StyleGAN3 \(alias-free layers\)'),
    (renamed('G_ema', 'synthesis.b8', 'conv1', 'attention', 'SelfAttention'), "is of class 'SelfAttention'"),
    (setting('G_ema', 'synthesis.b8.conv1', 'activation', 'sine'), "activation='sine' in synthesis.b8.conv1"),
    (setting('G_ema', 'synthesis.b8.conv1', 'conv_clamp', 8), 'conv_clamp=8 in synthesis.b8.conv1'),
    (setting('G_ema', 'synthesis.b8.conv1', 'use_noise', False), 'use_noise=False in synthesis.b8.conv1'),
    (setting('G_ema', 'mapping.fc0', 'bias_gain', 1), 'bias_gain=0.01 in mapping.fc1'),
    (setting('G_ema', 'mapping', 'num_layers', 10 ** 9), 'num_layers=1000000000'),
    (setting('G_ema', 'mapping', 'num_layers', 4), 'it has no mapping.fc3.weight'),
    (setting('G_ema', '', 'img_resolution', 1 << 40), 'img_resolution=1099511627776'),
    (setting('G_ema', '', 'img_resolution', 32), 'it has no synthesis.b32'),
    (setting('G_ema', '', 'img_resolution', 16.0), 'img_resolution=16.0'),
    (every_layer('G_ema', 'use_noise', 'x'), "use_noise='x'; expected True or False"),
    (setting('G_ema', '', 'img_channels', 'three'), "img_channels='three'"),
    (setting('G_ema', '', '_init_args', 5), 'no readable arguments'),
    (setting('G_ema', 'synthesis', '_modules', None), 'synthesis has no _modules'),
    (setting('G_ema', 'synthesis', '_modules', {'b4': 7}), "'b4' in synthesis is no module"),
    (setting('G_ema', 'synthesis.b8.conv1', 'act_gain', 7.0), 'synthesis.b8.conv1 has act_gain=7.0'),
    (setting('G_ema', 'synthesis.b8.conv1', 'up', 2), 'synthesis.b8.conv1 has up=2'),
    (setting('G_ema', 'mapping.fc1', 'weight_gain', 'x'), "mapping.fc1 has weight_gain='x'"),
    (setting('D', 'b16.conv1', 'act_gain', 1), 'b16.conv1 has act_gain=1'),
    (setting('G_ema', 'mapping', 'w_avg_beta', 'x'), "w_avg_beta='x'"),
    (lambda found: found.update(G_ema=found['D']), 'it is a Discriminator; expected a Generator'),
    (lambda found: found.update(D=found['G']), 'it is a Generator; expected a Discriminator'),
    (setting('D', 'b16.conv1', 'conv_clamp', 5), 'conv_clamp=.*one value for all layers'),
    (setting('D', 'b4.mbstd', 'group_size', 0), 'group_size=0'),
    (parameter('G_ema', 'synthesis.b8.conv1', 'weight', np.zeros([4, 4], np.float32)),
     r'has the shape \[4, 4\]'),
    (parameter('G_ema', 'synthesis.b8.conv1', 'bias', np.zeros([32], np.int64)), 'is no array of floats'),
    (parameter('G_ema', 'synthesis.b8.conv1', 'extra', np.zeros([3], np.float32)),
     "has no 'synthesis.b8.conv1.extra'"),
    (parameter('G_ema', 'synthesis.b8', 'resample_filter', np.ones([4, 4], np.float32), '_buffers'),
     'resampling filter of'),
])
def test_what_tensorflow_cannot_express_is_named(change, expected, tmp_path):
    path = tmp_path / 'net.pkl'
    path.write_bytes(changed(SMALLEST, change))
    with watched(), pytest.raises(UserError, match=expected) as caught:
        inspection.inspect(str(path))
    assert str(caught.value).isprintable() and len(str(caught.value)) < 400
    assert not fired


def test_a_discriminator_that_cannot_be_expressed_leaves_the_generator_usable(tmp_path):
    path = tmp_path / 'net.pkl'
    path.write_bytes(changed(SMALLEST, setting('D', 'b16.conv1', 'activation', 'relu')))
    assert pretrained_networks.check_generator(str(path)).num_channels == 1
    with pytest.raises(UserError, match="network 'D' of PyTorch: activation='relu'"):
        inspection.inspect(str(path))


@pytest.mark.parametrize('obj, expected', [
    (Call('os', 'system', 'true'), 'the file asks for os.system'),
    (Call('torch', 'load', 'x'), 'asks for torch.load'),
    (Call('torch.nn.modules.linear', 'Linear', 1), 'asks for torch.nn.modules.linear.Linear'),
    (Call(*META, 7), 'a persistent object of type None'),
    (Call(*META, {'type': 'function', 'class_name': 'G', 'state': {}}),
     "a persistent object of type 'function'"),
    (Call(*META, {'type': 'class', 'class_name': 'G' * 10 ** 5, 'state': {}}), 'a persistent object'),
    (Call(*META, {'type': 'class', 'class_name': 'Generator', 'state': [1]}), 'a persistent object'),
    (Call(*META, {'type': 'class', 'class_name': 'Gan', 'state': {}}), "it is of class 'Gan'"),
    (Call(*META, {'type': 'class', 'class_name': 'Generator', 'state': {}}), 'has no _parameters'),
    (Call('torch.storage', '_load_from_bytes', b'\x80\x02}.'), 'not a readable network pickle'),
    (Call('torch.storage', '_load_from_bytes', bytes(9)), 'not a readable network pickle'),
    (Call('torch.storage', '_load_from_bytes', 'text'), 'not a readable network pickle'),
    (Call('torch.storage', '_load_from_bytes', legacy(Call('os', 'system', 'true'))),
     'the file asks for os.system'),
    (Call('torch._utils', '_rebuild_parameter', 'x', True, {}), 'a parameter that is not a tensor'),
    (tensor('storage', (2,), (1,)), 'instead of a storage'),
    ([tensor(BIG, (10 ** 4,), (0,)) for _ in range(10)], 'larger than the file'),
    (Call('torch', 'Size', range(1 << 40)), 'not a readable network pickle'),
    ({'G': Call('torch', 'device', 'cpu'), 'set': {1, 2}}, 'a set of anything but'),
    (Call('torch', 'device', 'cpu'), 'a file of PyTorch with'),
    ({'\x1b[2J\n': Call('torch', 'device', 'cpu')}, 'a dictionary of .*x1b'),
    ({f'layer{i}': tensor(Storage(numbers), (2,), (1,)) for i in range(9)}, 'a dictionary of layer0, layer1'),
])
def test_hostile_objects_are_refused_in_one_line(obj, expected, tmp_path):
    for write in (plain, legacy, zipped):
        path = tmp_path / 'net.pkl'
        path.write_bytes(write(obj))
        assert_refused(path, expected)


def assert_refused(path, expected):
    tracemalloc.start()
    try:
        with watched(), pytest.raises(UserError, match=expected) as caught:
            inspection.inspect(str(path))
        assert tracemalloc.get_traced_memory()[1] / 1e6 < MAX_MEGABYTES
    finally:
        tracemalloc.stop()
    assert str(caught.value).isprintable() and len(str(caught.value)) < 400
    assert not fired


@pytest.mark.parametrize('write', [plain, legacy, zipped], ids=['plain', 'legacy', 'zip'])
@pytest.mark.parametrize('shape, strides, offset', [
    ((24,), (1,), 1), ((2, 2), (24, 1), 0), ((2,), (-1,), 3), ((-1,), (1,), 0), ((2,), (1,), -1),
    ((2, 2), (1,), 0),
    ((2 ** 40,), (0,), 0), ((2 ** 62, 2 ** 62), (0, 0), 0), ((2.0,), (1,), 0), ((1,) * 99, (1,) * 99, 0)])
def test_tensors_outside_their_storage_are_refused(write, shape, strides, offset, tmp_path):
    path = tmp_path / 'net.pkl'
    path.write_bytes(write({'a': tensor(Storage(numbers), shape, strides, offset)}))
    assert_refused(path, 'not a readable network pickle|larger than the file')


@pytest.mark.parametrize('write', [plain, legacy, zipped], ids=['plain', 'legacy', 'zip'])
@pytest.mark.parametrize('length', [2 ** 50, 23, 25, -1])
def test_storages_of_another_length_than_they_say_are_refused(write, length, tmp_path):
    path = tmp_path / 'net.pkl'
    path.write_bytes(write({'a': tensor(Storage(numbers, length=length), (2,), (1,))}))
    assert_refused(path, 'not a readable network pickle|larger than the file')


def with_two_files_of_one_name():
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        return zipped({}, extra=[('net/version', b'4')])


@pytest.mark.parametrize('data, expected', [
    (zipped({}, order='middle'), 'the byte order'),
    (zipped({'a': tensor(Storage(numbers), (2,), (1,))}, method=zipfile.ZIP_DEFLATED),
     'is compressed or encrypted'),
    (zipped({}, method=zipfile.ZIP_DEFLATED, extra=[('net/zeros', bytes(10 ** 6))]),
     'files are larger than itself'),
    (zipped({}, extra=[('other/data.pkl', b'N.')]), 'a zip archive that PyTorch did not write'),
    (with_two_files_of_one_name(), 'two files of one name'),
    (legacy({}, little_endian=False), 'big-endian'),
    (zipped({})[:-30], 'a damaged zip archive')], ids=range(7))
def test_archives_that_pytorch_does_not_write_are_refused(data, expected, tmp_path):
    path = tmp_path / 'net.pkl'
    path.write_bytes(data)
    assert_refused(path, expected)


@pytest.mark.parametrize('write', [plain, legacy, zipped], ids=['plain', 'legacy', 'zip'])
def test_a_file_cut_off_anywhere_is_refused(write, tmp_path):
    data = write({'G': Call(*META, {'type': 'class', 'class_name': 'Generator', 'state': {
        '_parameters': {'a': tensor(Storage(numbers), (2,), (1,))}, '_buffers': {}, '_modules': {}}})})
    path = tmp_path / 'net.pkl'
    for length in range(1, len(data), 7):
        path.write_bytes(data[:length])
        with pytest.raises(UserError) as caught:
            inspection.inspect(str(path))
        assert str(caught.value).isprintable()


def test_storages_that_are_read_again_and_again_are_refused(tmp_path):
    path = tmp_path / 'net.pkl'
    for stored in (zipped(BIG), legacy(Storage(np.zeros(10 ** 6, np.float32)))):
        calls = (name('torch.storage', '_load_from_bytes') + b'h\0\x85R') * 10_000
        path.write_bytes(b'\x80\4B' + len(stored).to_bytes(4, 'little') + stored + b'\x940(' + calls + b'l.')
        assert_refused(path, 'larger than the file')


@pytest.mark.parametrize('kind', [name('collections', 'OrderedDict'), name('builtins', 'set')],
                         ids=['dictionary', 'set'])
def test_collections_that_are_copied_again_and_again_are_refused(kind, tmp_path):
    texts = [b'X' + len(text).to_bytes(4, 'little') + text for text in (b'%d' % i for i in range(3_000))]
    items = texts if b'set' in kind else [text + b'N\x86' for text in texts]
    path = tmp_path / 'net.pkl'
    path.write_bytes(b'\x80\4' + name('torch', 'float32') + b'0(' + b''.join(items) + b'l\x940'
                     + kind + b'\x940(' + b'h\1h\0\x85R' * 20_000 + b'l.')
    assert_refused(path, 'more than 1000000 pieces')


def test_dictionaries_that_share_their_parts_are_shown_in_time(tmp_path):
    found = 'text'
    for _ in range(40):
        found = collections.OrderedDict(a=found, b=found)
    path = tmp_path / 'net.pkl'
    path.write_bytes(plain(Call(*META, {'type': 'class', 'class_name': found, 'state': {}})))
    assert_refused(path, 'a persistent object of type .class. and class {')


@pytest.mark.parametrize('keys', [b'))' + b'\x85' * 200_000 + b'l.', b'K\1.'], ids=['tuples', 'number'])
def test_keys_of_storages_that_are_not_texts_are_refused(keys, tmp_path):
    path = tmp_path / 'net.pkl'
    path.write_bytes(legacy({}).removesuffix(pickle.dumps([], 2)) + b'\x80\2(' + keys)
    assert_refused(path, 'keys of storages that are not a list of texts')


def test_a_module_that_contains_itself_is_refused(tmp_path):
    path = tmp_path / 'net.pkl'
    path.write_bytes(CYCLE)
    assert_refused(path, "mapping is of class 'Generator'")
