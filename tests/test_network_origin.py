"""Test dnnlib.pickles.origin, which finds the build function of a stored network."""

import types

import numpy as np
import pytest

from dnnlib.pickles import origin as network_origin
from dnnlib.pickles.origin import ADA, PROGAN, STYLEGAN, STYLEGAN2, UnknownFunction
from dnnlib.util import UserError

MODULES = {PROGAN: 'networks_progan', STYLEGAN: 'networks_stylegan', STYLEGAN2: 'networks_stylegan2',
           ADA: 'networks_stylegan2_ada'}
SOURCES = {
    PROGAN: 'import numpy as np\ndef G_paper(latents_in):\n',
    STYLEGAN: 'import dnnlib\ndef G_style(latents_in):\ndef G_mapping(latents_in):\n',
    STYLEGAN2: 'import dnnlib\ndef G_main(latents_in):\ndef G_synthesis_stylegan2(dlatents_in):\n',
    ADA: 'import dnnlib\ndef normalize_2nd_moment(x):\ndef G_main(latents_in):\ndef D_main(images_in):\n',
}
VERSIONS = {PROGAN: 2, STYLEGAN: 3, STYLEGAN2: 4, ADA: 5}
GROWING = ('lod', '4x4/Const/const', '4x4/Const/StyleMod/weight', 'ToRGB_lod0/weight')
MODULATED = ('noise0', '4x4/Const/const', '4x4/Conv/mod_weight', '8x8/ToRGB/weight')
VARIABLES = {
    'G_style': ('lod', 'dlatent_avg'), 'G_paper': ('lod', '4x4/Dense/weight', 'ToRGB_lod0/weight'),
    'D_basic': ('lod', 'FromRGB_lod0/weight'), 'D_paper': ('lod', 'FromRGB_lod0/weight'),
    'G_synthesis_stylegan2': MODULATED, 'G_synthesis_stylegan_revised': ('lod', *MODULATED),
    'D_stylegan': ('lod', 'FromRGB_lod0/weight'), 'D_stylegan2': ('8x8/FromRGB/weight',),
    'D_main': ('8x8/FromRGB/weight',), 'G_mapping': ('Dense0/weight', 'Dense0/bias'),
}
COMPONENTS = {
    (STYLEGAN, 'G_style'): {'synthesis': 'G_synthesis', 'mapping': 'G_mapping'},
    (STYLEGAN2, 'G_main'): {'synthesis': 'G_synthesis_stylegan2', 'mapping': 'G_mapping'},
    (ADA, 'G_main'): {'synthesis': 'G_synthesis', 'mapping': 'G_mapping'},
}
OF_TWO = {(STYLEGAN, 'G_synthesis'): GROWING, (ADA, 'G_synthesis'): MODULATED,
          (STYLEGAN2, 'G_main'): ('lod', 'dlatent_avg'), (ADA, 'G_main'): ('dlatent_avg',)}
ALL = [(candidate.code, candidate.name) for candidate in network_origin.CANDIDATES]


def make_state(code, name, **changes):
    """Return the complete state of a network of this code base, with `changes`."""
    variables = OF_TWO[code, name] if (code, name) in OF_TWO else VARIABLES[name]
    components = {key: types.SimpleNamespace(_build_func_name=func)
                  for key, func in COMPONENTS.get((code, name), {}).items()}
    return {'name': 'net', 'version': VERSIONS[code], 'static_kwargs': {}, 'components': components,
            'build_module_src': SOURCES[code], 'build_func_name': name, 'own_func': None,
            'variables': [(variable, np.float32(0)) for variable in variables], **changes}


def with_shapes(**shapes):
    return [(name.replace('_', '/'), np.zeros(shape)) for name, shape in shapes.items()]


def is_found(state, code, parent=None):
    origin = network_origin.find(state, parent)
    return (origin.code, origin.func) == (code, f'training.{MODULES[code]}.{state["build_func_name"]}')


@pytest.mark.parametrize('code, name', ALL)
def test_networks_as_published_are_found_without_doubts(code, name, capsys):
    assert is_found(make_state(code, name), code)
    assert is_found(make_state(code, name, version=4), code)
    assert capsys.readouterr().out == ''


@pytest.mark.parametrize('code, name', ALL)
def test_the_source_text_is_not_needed(code, name, capsys):
    state = make_state(code, name, build_module_src='')
    assert is_found(state, code, parent=code if name == 'G_mapping' else None)
    assert capsys.readouterr().out == ''


@pytest.mark.parametrize('code, name', ALL)
def test_a_network_that_somebody_else_wrote_again_is_found(code, name, capsys):
    """StyleGAN2-ADA writes every network as version 5."""
    assert is_found(make_state(code, name, version=5), code)
    assert capsys.readouterr().out == ''


def test_there_are_modules_for_all_candidates():
    assert {f'training.{module}' for module in MODULES.values()} == {
        candidate.module for candidate in network_origin.CANDIDATES}


@pytest.mark.parametrize('code', [STYLEGAN, STYLEGAN2, ADA])
def test_a_mapping_network_is_decided_by_the_network_around_it(code, capsys):
    assert is_found(make_state(code, 'G_mapping', version=5, build_module_src=''), code, parent=code)
    assert capsys.readouterr().out == ''


def test_a_mapping_network_alone_and_without_source_cannot_be_decided():
    for version, codes in ((4, 'StyleGAN or StyleGAN2 or StyleGAN2-ADA'), (5, 'StyleGAN or StyleGAN2 or')):
        state = make_state(STYLEGAN2, 'G_mapping', build_module_src='', version=version)
        with pytest.raises(UnknownFunction, match=f"network 'net': its G_mapping may be that of {codes}"):
            network_origin.find(state)


def test_only_stylegan_writes_mapping_networks_of_version_3():
    assert is_found(make_state(STYLEGAN, 'G_mapping', build_module_src=''), STYLEGAN)


@pytest.mark.parametrize('layer, code', [('LabelEmbed', ADA), ('LabelConcat', STYLEGAN)])
def test_labels_tell_mapping_networks_apart(layer, code):
    variables = [(name, np.float32(0)) for name in (f'{layer}/weight', 'Dense0/weight', 'Dense0/bias')]
    state = make_state(code, 'G_mapping', build_module_src='', variables=variables)
    assert is_found(state, code)


@pytest.mark.parametrize('width, kwargs, codes', [
    (64, dict(dlatent_size=64), ADA), (512, dict(dlatent_size=64), 'StyleGAN or StyleGAN2;'),
    (64, dict(dlatent_size=64, mapping_fmaps=64), 'StyleGAN or StyleGAN2 or StyleGAN2-ADA;'),
    (512, {}, 'StyleGAN or StyleGAN2 or StyleGAN2-ADA;')])
def test_the_default_width_tells_mapping_networks_apart(width, kwargs, codes):
    variables = with_shapes(Dense0_weight=[512, width], Dense1_weight=[width, 64])
    state = make_state(STYLEGAN, 'G_mapping', build_module_src='', static_kwargs=kwargs, version=5,
                       variables=variables)
    if codes == ADA:
        assert is_found(state, ADA)
    else:
        with pytest.raises(UnknownFunction, match=f'may be that of {codes}'):
            network_origin.find(state)


@pytest.mark.parametrize('key, code', [('label_fmaps', ADA), ('use_instance_norm', STYLEGAN)])
def test_keyword_arguments_tell_mapping_networks_apart(key, code):
    state = make_state(code, 'G_mapping', build_module_src='', version=5, static_kwargs={key: 1})
    assert is_found(state, code)


@pytest.mark.parametrize('state, parent, code, line', [
    (make_state(ADA, 'G_synthesis', build_module_src=SOURCES[STYLEGAN]), None, ADA,
     "network 'net': taken for G_synthesis of StyleGAN2-ADA because of its variables; not as expected: "
     'its source text\n'),
    (make_state(STYLEGAN2, 'G_main', version=3), None, STYLEGAN2,
     "network 'net': taken for G_main of StyleGAN2 because of its variables, its source text, its "
     'sub-networks; not as expected: its version\n'),
    (make_state(STYLEGAN2, 'G_mapping', build_module_src=SOURCES[STYLEGAN]), STYLEGAN2, STYLEGAN2,
     "network 'net': taken for G_mapping of StyleGAN2 because of its variables, the network around it; not "
     'as expected: its source text\n'),
    (make_state(STYLEGAN2, 'G_main', components=make_state(ADA, 'G_main')['components']), None, STYLEGAN2,
     "network 'net': taken for G_main of StyleGAN2 because of its variables, its source text; not as "
     'expected: its sub-networks\n'),
    (make_state(STYLEGAN, 'D_basic', static_kwargs={'resample_kernel': [1]}), None, STYLEGAN,
     "network 'net': taken for D_basic of StyleGAN because of its variables, its source text; not as "
     'expected: its keyword arguments\n')])
def test_evidence_that_disagrees_is_told_in_one_line(state, parent, code, line, capsys):
    assert is_found(state, code, parent)
    assert capsys.readouterr().out == line


def test_weaker_pieces_of_evidence_do_not_outvote_a_stronger_one():
    """The variables are from one code base, and everything else from the other."""
    variables = make_state(STYLEGAN2, 'G_main')['variables']
    assert is_found(make_state(ADA, 'G_main', variables=variables), STYLEGAN2, parent=ADA)


def test_a_network_that_has_lost_a_variable_is_not_taken_for_another_one():
    state = make_state(STYLEGAN2, 'G_main', variables=[('dlatent_avg', np.float32(0))])
    assert is_found(state, STYLEGAN2)


def test_an_unknown_function_is_an_error_with_the_ways_on():
    state = make_state(ADA, 'D_main', build_func_name='D_mine')
    with pytest.raises(UnknownFunction) as caught:
        network_origin.find(state)
    for text in ("'net'", "'D_mine'", 'version 5', 'trust_source=True', '--trust-source', 'import_handler'):
        assert text in str(caught.value)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('components, message', [
    ({}, r"missing \['mapping', 'synthesis'\], surplus none"),
    ({'synthesis': None, 'mapping': None, '../x': None}, r"missing none, surplus \['../x'\]")])
def test_sub_networks_are_those_of_the_function(components, message):
    """The build function would otherwise create the missing ones."""
    with pytest.raises(UserError, match=f"network 'net': the stored components do not fit G_main: {message}"):
        network_origin.find(make_state(STYLEGAN2, 'G_main', components=components))


def test_a_function_of_ones_own_is_taken_as_it_is(capsys):
    state = make_state(STYLEGAN2, 'G_main', own_func='my_networks.G_main')
    assert network_origin.find(state) == network_origin.Origin(None, 'my_networks.G_main')
