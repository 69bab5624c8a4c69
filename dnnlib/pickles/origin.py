"""Which of our build functions a stored network belongs to. Stored source text is searched, never executed.

The code bases share names: there are three functions G_mapping. What a file says about a network therefore
speaks for or against each function of the stored name, and the strongest evidence that tells them apart
decides.
"""

import re
from dataclasses import dataclass, field

from dnnlib import util
from dnnlib.pickles.arrays import shown

PROGAN, STYLEGAN, STYLEGAN2, ADA = 'Progressive GAN', 'StyleGAN', 'StyleGAN2', 'StyleGAN2-ADA'

# Versions of a code base's networks. StyleGAN2 has StyleGAN's networks, too, as config A. Each reader writes
# networks again with its own version, StyleGAN2-ADA with 5. This project writes 5 for networks of that code
# base and 4 for all others.
VERSIONS = {PROGAN: (2, 3, 4, 5), STYLEGAN: (3, 4, 5), STYLEGAN2: (4, 5), ADA: (4, 5)}

SOURCE_MARKERS = {  # Text that is in the networks' modules of this code base only.
    PROGAN: ('def G_paper(',),
    STYLEGAN: ('def G_style(',),
    STYLEGAN2: ('def G_synthesis_stylegan2(',),
    ADA: ('def D_main(', 'def normalize_2nd_moment('),
}

KEYWORDS = {  # Keyword arguments, and the code bases that know them.
    **dict.fromkeys(['use_wscale', 'fused_scale'], (PROGAN, STYLEGAN)),
    **dict.fromkeys(['use_styles', 'const_input_layer', 'use_pixel_norm', 'use_instance_norm', 'blur_filter'],
                    (STYLEGAN,)),
    **dict.fromkeys(['architecture', 'resample_kernel', 'fused_modconv', 'fmap_min', 'num_fp16_res',
                     'half_dtype', 'conv_clamp'], (STYLEGAN2, ADA)),
    **dict.fromkeys(['fmap_const', 'label_fmaps'], (ADA,)),
}

@dataclass(frozen=True, eq=False)
class Candidate:
    """A build function of ours and how its networks can be recognized."""
    code: str
    module: str
    name: str
    has: tuple = ()                                  # Patterns of own variables that are always there...
    lacks: tuple = ()                                # ...and of those that never are.
    components: dict = field(default_factory=dict)   # {key: names of the functions of this sub-network}
    mapping_fmaps: int | None = None                 # Default width of the layers of a mapping network.

    @property
    def func(self):
        """Dotted name of the function."""
        return f'{self.module}.{self.name}'


def _candidates(code, module, **functions):
    return [Candidate(code, f'training.{module}', name, **facts) for name, facts in functions.items()]


_GROWING_G = dict(has=('lod', 'ToRGB_lod0/weight'), lacks=('.*/mod_weight',))
_GROWING_D = dict(has=('lod', 'FromRGB_lod0/weight'))
CANDIDATES = [
    *_candidates(PROGAN, 'networks_progan', G_paper=_GROWING_G, D_paper=_GROWING_D),
    *_candidates(
        STYLEGAN, 'networks_stylegan',
        G_style=dict(has=('lod', 'dlatent_avg'),
                     components={'synthesis': ('G_synthesis',), 'mapping': ('G_mapping',)}),
        G_mapping=dict(lacks=('LabelEmbed/.*',), mapping_fmaps=512),
        G_synthesis=_GROWING_G,
        D_basic=_GROWING_D),
    *_candidates(
        STYLEGAN2, 'networks_stylegan2',
        G_main=dict(has=('lod', 'dlatent_avg'),
                    components={'synthesis': ('G_synthesis_stylegan2', 'G_synthesis_stylegan_revised'),
                                'mapping': ('G_mapping',)}),
        G_mapping=dict(lacks=('LabelEmbed/.*',), mapping_fmaps=512),
        G_synthesis_stylegan2=dict(has=('.*/mod_weight',), lacks=('lod',)),
        G_synthesis_stylegan_revised=dict(has=('lod', '.*/mod_weight')),
        D_stylegan=_GROWING_D,
        D_stylegan2=dict(lacks=('lod',))),
    *_candidates(
        ADA, 'networks_stylegan2_ada',
        G_main=dict(has=('dlatent_avg',), lacks=('lod',),
                    components={'synthesis': ('G_synthesis',), 'mapping': ('G_mapping',)}),
        G_mapping=dict(lacks=('LabelConcat/.*',)),
        G_synthesis=dict(has=('.*/mod_weight',), lacks=('lod',)),
        D_main=dict(lacks=('lod',))),
]


class UnknownFunction(util.UserError):
    """A network was built by a function that is not ours."""


@dataclass(frozen=True)
class Origin:
    """The code base (None for a user's own function), the function, and the evidence against them."""
    code: str | None
    func: str
    doubts: tuple = ()


_HINT = ('If you trust the origin of the file, load it with trust_source=True (--trust-source), which runs '
         'the source text inside; or register an import_handler (dnnlib.tflib.network) that changes '
         'build_func_name to a function of your own')


def find(state: dict, parent: str | None = None, tell=print) -> Origin:
    """Return the origin of a network from its state, as `stored_state.imported` returned it.

    `parent`: code base of the network that it is a component of, if known. `tell` is called with a line where
    pieces of evidence disagree. Raises UnknownFunction if the function is not ours or the evidence does not
    tell several apart, and UserError if the sub-networks are not those of the function.
    """
    if state['own_func'] is not None:
        return Origin(None, state['own_func'])
    net, name = f'network {shown(state["name"])}', state['build_func_name']
    evidence = {each: _evidence(each, state, parent) for each in CANDIDATES if each.name == name}
    if not evidence:
        raise UnknownFunction(f'{net} is built by {shown(name)}, which is not among the functions that are '
                              f'known here (version {state["version"]}). {_HINT}')
    strongest = max(tuple(each.values()) for each in evidence.values())
    best, *others = (each for each in evidence if tuple(evidence[each].values()) == strongest)
    if others:
        codes = ' or '.join(each.code for each in (best, *others))
        raise UnknownFunction(f'{net}: its {name} may be that of {codes}; nothing in the file decides '
                              f'(version {state["version"]}). {_HINT}')
    _check_components(state, best)
    reasons = [kind for kind, sign in evidence[best].items() if sign > 0]
    doubts = [kind for kind, sign in evidence[best].items() if sign < 0]
    if doubts:
        tell(f'{net}: taken for {name} of {best.code} because of {", ".join(reasons) or "its name"}; not as '
             f'expected: {", ".join(doubts)}')
    return Origin(best.code, best.func, tuple(doubts))


def code_of(func) -> str | None:
    """Return the code base of a build function; None if it is not ours."""
    name = f'{getattr(func, "__module__", "")}.{getattr(func, "__qualname__", "")}'
    return next((each.code for each in CANDIDATES if each.func == name), None)


def _check_components(state, candidate):
    """Raise UserError unless exactly these sub-networks are stored: the build function would create missing
    ones, as large as the file says."""
    missing = sorted(set(candidate.components) - set(state['components']))
    surplus = sorted(set(state['components']) - set(candidate.components))
    if missing or surplus:
        surplus = shown(surplus) if surplus else 'none'
        raise util.UserError(f'network {shown(state["name"])}: the stored components do not fit '
                             f'{candidate.name}: missing {missing or "none"}, surplus {surplus}')


def _evidence(candidate, state, parent):
    """Return {kind of evidence: 1 for, -1 against, 0 neither}, the strongest first."""
    return {
        'its variables': _of_variables(candidate, state),
        'their shapes': _of_shapes(candidate, state),
        'the network around it': 0 if parent is None else _sign(candidate.code == parent),
        'its source text': _of_source(candidate, state),
        'its sub-networks': _of_components(candidate, state),
        'its keyword arguments': -any(candidate.code not in KEYWORDS.get(key, candidate.code)
                                      for key in state['static_kwargs']),
        'its version': -(state['version'] not in VERSIONS[candidate.code]),
    }


def _sign(fits):
    return 1 if fits else -1


def _of_variables(candidate, state):
    """Look for variables of the candidate and of others. That some are missing is damage, which building
    finds."""
    names = [name for name, _ in state['variables']]
    if not names or not (candidate.has or candidate.lacks):
        return 0
    has, lacks = ([any(re.fullmatch(pattern, name) for name in names) for pattern in patterns]
                  for patterns in (candidate.has, candidate.lacks))
    return _sign((any(has) or not has) and not any(lacks))


def _of_shapes(candidate, state):
    """Compare the width of a mapping network that does not state it with the default of the code base."""
    kwargs, shapes = state['static_kwargs'], {name: getattr(value, 'shape', ())
                                              for name, value in state['variables']}
    width, inner = shapes.get('Dense0/weight', ())[1:], 'Dense1/weight' in shapes
    if candidate.name != 'G_mapping' or 'mapping_fmaps' in kwargs or not width or not inner:
        return 0
    return _sign(width[0] == (candidate.mapping_fmaps or kwargs.get('dlatent_size', 512)))


def _of_source(candidate, state):
    marked = [code for code, markers in SOURCE_MARKERS.items()
              if any(marker in state['build_module_src'] for marker in markers)]
    return _sign(candidate.code in marked) if marked else 0


def _of_components(candidate, state):
    if not candidate.components or not state['components']:
        return 0
    functions = {key: getattr(net, '_build_func_name', None) for key, net in state['components'].items()}
    return _sign(all(functions.get(key) in names for key, names in candidate.components.items()))
