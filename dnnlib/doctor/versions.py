"""Versions of packages and of NVIDIA's libraries."""

import re


def parts(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: '12.5.1rc1' -> (12, 5, 1)."""
    found = re.match(r'\d+(?:\.\d+)*', version)
    return tuple(map(int, found[0].split('.'))) if found else ()


def satisfies(version: str, wanted: str) -> bool:
    """Return whether a version is within bounds such as '<13.0,>=12.5.3'. Other conditions count as met."""
    for sign, bound in re.findall(r'(>=|<)\s*([\d.]+)', wanted):
        width = max(len(parts(version)), len(parts(bound)))
        one, other = (tuple([*parts(text), *[0] * width][:width]) for text in (version, bound))
        if (one < other) if sign == '>=' else (one >= other):
            return False
    return True


def short_version(library: str, number: int | None) -> str | None:
    """Return the number that a library calls its version as text: cuDNN's 90300 -> '9.3.0'."""
    if number is None:
        return None
    if library == 'CUDA runtime':  # 12050
        return f'{number // 1000}.{number % 1000 // 10}'
    thousands = 1000 if library == 'cuDNN' and number < 90000 else 10000  # cuDNN 8: 8904; NCCL: 22707
    return f'{number // thousands}.{number % thousands // 100}.{number % 100}'
