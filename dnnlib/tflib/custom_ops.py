"""The published hook for CUDA plug-ins. The ops here use TensorFlow's own kernels, so that nothing is compiled."""

cuda_cache_path = None                # Options of the published module: accepted, without effect.
cuda_cache_version_tag = 'v1'
do_not_hash_included_headers = False
verbose = True
compiler_bindir_search_path = []


def get_plugin(cuda_file: str, extra_nvcc_options: list = []):
    """Would compile and load a CUDA source; here it always raises RuntimeError."""
    raise RuntimeError(f'Cannot build "{cuda_file}": No GPU devices found that CUDA plug-ins are compiled for. '
                       'The ops in dnnlib.tflib.ops run on standard TensorFlow kernels and need no plug-in.')
