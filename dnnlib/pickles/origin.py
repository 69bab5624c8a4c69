"""Which of our build functions a stored network belongs to. Stored source text is compared and not executed.

The code bases share names: there are three functions G_mapping. Everything that a file says about a network
therefore speaks for or against each function of the stored name, and the one with the most weight is taken.
"""

import re
from dataclasses import dataclass, field

from dnnlib import util
from dnnlib.pickles.arrays import shown

PROGAN, STYLEGAN, STYLEGAN2, ADA = 'Progressive GAN', 'StyleGAN', 'StyleGAN2', 'StyleGAN2-ADA'

# Versions that networks of a code base come with. StyleGAN2 has StyleGAN's networks, too, as config A. Who
# reads a network writes it again with a version of its own, StyleGAN2-ADA with 5 and this code with 4.
VERSIONS = {PROGAN: (2, 3, 4, 5), STYLEGAN: (3, 4, 5), STYLEGAN2: (4, 5), ADA: (4, 5)}

SOURCE_MARKERS = {  # text that is in the module of a network, and in no module of another code base
    PROGAN: ('def G_paper(',),
    STYLEGAN: ('def G_style(',),
    STYLEGAN2: ('def G_synthesis_stylegan2(',),
    ADA: ('def D_main(', 'def normalize_2nd_moment('),
}

KEYWORDS = {  # keyword arguments, and the code bases that know them
    **dict.fromkeys(['use_wscale', 'fused_scale'], (PROGAN, STYLEGAN)),
    **dict.fromkeys(['use_styles', 'const_input_layer', 'use_pixel_norm', 'use_instance_norm', 'blur_filter'],
                    (STYLEGAN,)),
    **dict.fromkeys(['architecture', 'resample_kernel', 'fused_modconv', 'fmap_min'], (STYLEGAN2, ADA)),
    **dict.fromkeys(['num_fp16_res', 'conv_clamp', 'fmap_const', 'label_fmaps'], (ADA,)),
}

WEIGHTS = {  # of what speaks for or against a function
    'its variables': 8,
    'their shapes': 6,
    'the network around it': 6,
    'its source text': 5,
    'its sub-networks': 4,
    'its keyword arguments': 2,
    'its version': 2,
}


@dataclass(frozen=True, eq=False)
class Candidate:
    """A build function of ours and how its networks can be recognized."""
    code: str
    func: str                                        # Dotted name.
    has: tuple = ()                                  # Patterns of own variables that are always there...
    lacks: tuple = ()                                # ...and of those that never are.
    components: dict = field(default_factory=dict)   # {key: names of the functions of this sub-network}
    mapping_fmaps: int | None = None                 # Default width of the layers of a mapping network.

    @property
    def name(self):
        """Name of the function in its module."""
        return self.func.rpartition('.')[2]


def _candidates(code, module, **functions):
    return [Candidate(code, f'training.{module}.{name}', **facts) for name, facts in functions.items()]


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
    """None of our build functions is the one that a network was built with."""


@dataclass(frozen=True)
class Origin:
    """What was found: the code base (None for a function of the user's own), its function, and in which
    respects the network looks like one of another."""
    code: str | None
    func: str
    doubts: tuple = ()


def find(state: dict, parent: str | None = None, tell=print) -> Origin:
    """The build function for a state that `stored_state.imported` returned.

    `parent`: code base of the network that this one is a component of, if that is known. Raises
    UnknownFunction if there is none or more than one, and UserError if its sub-networks are not those in the
    state. Hands `tell` a line where pieces of evidence disagree.
    """
    if state['own_func'] is not None:
        return Origin(None, state['own_func'])
    name = state['build_func_name']
    votes = {each: _votes(each, state, parent) for each in CANDIDATES if each.name == name}
    if not votes:
        raise UnknownFunction(
            f'network {shown(state["name"])} is built by {shown(name)}, which is not among the functions '
            f'that are known here (version {state["version"]}). {_WAYS_ON}')
    chosen = _best(state, {each: _sum(kinds) for each, kinds in votes.items()})
    _check_components(state, chosen)
    doubts = tuple(kind for kind, vote in votes[chosen].items() if vote < 0)
    origin = Origin(chosen.code, chosen.func, doubts)
    if doubts:
        tell(_doubts(state, origin, [kind for kind, vote in votes[chosen].items() if vote > 0]))
    return origin


_WAYS_ON = ('If you know and trust where the file comes from, load it with trust_source=True '
            '(--trust-source), which runs the source text inside; or give it a function of your own, by an '
            'import_handler (dnnlib.tflib.network) that renames build_func_name')


def _sum(votes):
    return sum(WEIGHTS[kind] * vote for kind, vote in votes.items())


def _best(state, sums):
    """The candidate with the largest sum. Raises UnknownFunction if there are several."""
    best = [candidate for candidate, total in sums.items() if total == max(sums.values())]
    if len(best) > 1:
        codes = ' or '.join(candidate.code for candidate in best)
        raise UnknownFunction(
            f'network {shown(state["name"])}: its {best[0].name} may be that of {codes}; nothing in the file '
            f'decides (version {state["version"]}). {_WAYS_ON}')
    return best[0]


def _doubts(state, origin, reasons):
    name = origin.func.rpartition('.')[2]
    return (f'network {shown(state["name"])}: taken for {name} of {origin.code} because of '
            f'{", ".join(reasons) or "its name"}; not as expected: {", ".join(origin.doubts)}')


def _check_components(state, candidate):
    """A build function would make the sub-networks that are missing, as large as the file says."""
    missing = sorted(set(candidate.components) - set(state['components']))
    surplus = sorted(set(state['components']) - set(candidate.components))
    if missing or surplus:
        surplus = shown(surplus) if surplus else 'none'
        raise util.UserError(f'network {shown(state["name"])}: the stored components do not fit '
                             f'{candidate.name}: missing {missing or "none"}, surplus {surplus}')


def _votes(candidate, state, parent):
    """{kind of evidence: 1 for, -1 against, 0 neither}"""
    return {
        'its variables': _variables_vote(candidate, state),
        'their shapes': _shapes_vote(candidate, state),
        'the network around it': 0 if parent is None else _vote(candidate.code == parent),
        'its source text': _source_vote(candidate, state),
        'its sub-networks': _components_vote(candidate, state),
        'its keyword arguments': -any(candidate.code not in KEYWORDS.get(key, candidate.code)
                                      for key in state['static_kwargs']),
        'its version': -(state['version'] not in VERSIONS[candidate.code]),
    }


def _vote(fits):
    return 1 if fits else -1


def _variables_vote(candidate, state):
    names = [name for name, _ in state['variables']]
    found = {pattern: any(re.fullmatch(pattern, name) for name in names)
             for pattern in candidate.has + candidate.lacks}
    if not found or not names:
        return 0
    return _vote(all(found[pattern] for pattern in candidate.has)
                 and not any(found[pattern] for pattern in candidate.lacks))


def _shapes_vote(candidate, state):
    """A mapping network that does not say how wide its layers are has the width of its code base."""
    kwargs, shapes = state['static_kwargs'], {name: getattr(value, 'shape', ())
                                              for name, value in state['variables']}
    width, inner = shapes.get('Dense0/weight', ())[1:], 'Dense1/weight' in shapes
    if candidate.name != 'G_mapping' or 'mapping_fmaps' in kwargs or not width or not inner:
        return 0
    expected = candidate.mapping_fmaps or kwargs.get('dlatent_size', 512)
    return _vote(width[0] == expected)


def _source_vote(candidate, state):
    marked = [code for code, markers in SOURCE_MARKERS.items()
              if any(marker in state['build_module_src'] for marker in markers)]
    return _vote(candidate.code in marked) if marked else 0


def _components_vote(candidate, state):
    if not candidate.components or not state['components']:
        return 0
    functions = {key: getattr(net, '_build_func_name', None) for key, net in state['components'].items()}
    return _vote(all(functions.get(key) in names for key, names in candidate.components.items()))
