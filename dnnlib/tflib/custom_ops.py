"""The published entry point for CUDA plug-ins, which the ops of this project do not need."""

# Options of the published module, for scripts that set them; they have no effect.
cuda_cache_path = None
cuda_cache_version_tag = 'v1'
do_not_hash_included_headers = False
verbose = True
compiler_bindir_search_path = []


def get_plugin(cuda_file: str, extra_nvcc_options: list = []):
    """Raise RuntimeError: there are no compiled ops."""
    raise RuntimeError(f'Cannot load {cuda_file}: CUDA plug-ins are not supported. The ops in '
                       'dnnlib.tflib.ops run on standard TensorFlow kernels and need none.')
