"""Operations on tensors, without variables: convolution, resampling, bias and activation.

Layers call these modules directly. `conv2d` chooses the layout for a device, and `cpu_kernels` the kernel on
a CPU.
"""
