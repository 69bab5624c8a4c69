"""Submitting a run as a batch job of Slurm.

`target` writes and submits the job, `flags` are those of run_training.py, and every process of a job runs
`task`.
"""
