"""The published entry point for CUDA plug-ins; the ops here use TensorFlow's own kernels and need none."""

# Options of the published module, for scripts that set them: without effect.
cuda_cache_path = None
cuda_cache_version_tag = 'v1'
do_not_hash_included_headers = False
verbose = True
compiler_bindir_search_path = []


def get_plugin(cuda_file: str, extra_nvcc_options: list = []):
    """Raise RuntimeError: there is no compiled op library to return, on any machine."""
    raise RuntimeError(f'Cannot load {cuda_file}: CUDA plug-ins are not supported. The ops in '
                       'dnnlib.tflib.ops run on standard TensorFlow kernels and need none.')
