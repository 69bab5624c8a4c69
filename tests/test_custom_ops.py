"""Test that the plug-in hook exists and reports that it builds nothing."""

import pytest

import dnnlib.tflib as tflib


def test_get_plugin_names_the_file_and_says_what_runs_instead():
    with pytest.raises(RuntimeError, match=r'fused_bias_act\.cu.*standard TensorFlow kernels'):
        tflib.get_plugin('fused_bias_act.cu', extra_nvcc_options=['-O3'])


def test_published_options_have_their_defaults():
    options = tflib.custom_ops
    assert (options.cuda_cache_path, options.cuda_cache_version_tag, options.verbose) == (None, 'v1', True)
    assert options.do_not_hash_included_headers is False
    assert options.compiler_bindir_search_path == []
