"""What a report of trouble needs to say about a machine: `python -m dnnlib.doctor`.

`host` and `nvidia` turn texts of the machine into facts, `findings` draws conclusions, `lines` prints them.
`machine` is where the texts come from, so that tests can have other machines. `worker` starts
`dnnlib.tflib.device_checks`, which computes on every device, as a process of its own, and survives it.
"""
