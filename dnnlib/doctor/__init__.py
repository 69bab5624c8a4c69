"""What a report of trouble needs to say about a machine: `python -m dnnlib.doctor`.

`host` and `nvidia` turn texts of the machine into facts, `findings` draws conclusions, `lines` prints them.
`machine` is where the texts come from, so that tests can have other machines. `checks` computes on every
device, in a process of its own, which `worker` starts and survives.
"""
