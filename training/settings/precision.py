"""What the precision of a training means for its settings."""

from dnnlib.util import UserError
from training.settings.configs import merged

FLOAT32, TF32, MIXED, BFLOAT16 = NAMES = 'float32', 'tf32', 'mixed', 'bfloat16'
HELP = ('float32; tf32 = GPUs may round the factors of products in float32 to 10 bits; mixed = float16 at '
        'the four highest resolutions, also without a GPU; bfloat16 = there in bfloat16')
FP16 = ('auto', 'true', 'false')
HALF = {'num_fp16_res': 4, 'conv_clamp': 256}  # arguments of a network, as published in StyleGAN2-ADA
# Arguments of a network by precision. Network files that say nothing mean float16, as published.
HALF_DTYPES = {MIXED: {}, BFLOAT16: {'half_dtype': 'bfloat16'}}

# StyleGAN2's losses in float16: without the factor, most of R1's gradients are too small for it. Larger ones
# overflow in path lengths.
_SCALING = {'use_loss_scaling': True, 'loss_scaling_init': 8.0}
_STYLEGAN2_D = 'training.networks_stylegan2.D_stylegan2'
_OF_FP16 = {'true': (MIXED,), 'false': (FLOAT32, TF32)}  # what --fp16 can stand beside


def chosen(precision, fp16):
    """Return the precision that --precision and --fp16 ask for; None = neither. Raises UserError if they
    contradict each other."""
    possible = _OF_FP16.get(fp16, (*NAMES, None))
    if precision is None:
        return possible[0] if fp16 in _OF_FP16 else None
    if precision not in possible:
        raise UserError(f'--precision={precision} contradicts --fp16={fp16}; omit one of them')
    return precision


def fp16_of(precision):
    """Return the value of --fp16 that a precision, or None, stands for."""
    return {None: 'auto', MIXED: 'true', BFLOAT16: 'auto'}.get(precision, 'false')


def in_settings(settings, precision, config):
    """Return arguments of the training loop for a precision, None = as they are. config: their name.

    Raises UserError for networks without a form in mixed precision.
    """
    if precision is None:
        return settings
    if precision in HALF_DTYPES and settings['D_args']['func_name'] == _STYLEGAN2_D:
        scaling = _SCALING if precision == MIXED else {}  # bfloat16 has the range of float32
        settings = merged(settings, {'G_args': HALF, 'D_args': HALF, 'G_opt_args': scaling,
                                     'D_opt_args': scaling})
    elif precision in HALF_DTYPES and 'num_fp16_res' not in settings['G_args']:
        raise UserError(f'--precision={precision} does not apply to --config={config}, whose networks '
                        'grow; choose config-e, one of its variants, config-f or ada-*')
    return {**in_networks(settings, precision), 'precision': precision}


def in_networks(settings, precision):
    """Return settings whose G_args and D_args say which layers run in half precision; values are
    clamped as before.

    Raises UserError for those of a method that is trained in float32.
    """
    number = settings['G_args'].get('num_fp16_res')
    if precision in HALF_DTYPES and number == 0:
        asked = {MIXED: 'float16 (--precision=mixed or --fp16=true)', BFLOAT16: 'bfloat16 (--precision)'}
        raise UserError(f'{asked[precision]} does not apply to --cmethod=zcr and --cmethod=wgangp, which are '
                        'trained in float32; omit it')
    if precision in HALF_DTYPES and number:
        return merged(settings, dict.fromkeys(('G_args', 'D_args'), HALF_DTYPES[precision]))
    if precision in (FLOAT32, TF32) and number:
        return merged(settings, {name: {'num_fp16_res': 0} for name in ('G_args', 'D_args')})
    return settings
