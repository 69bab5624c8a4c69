"""Running a function as a batch job of Slurm.

`target` writes and submits the job; its constant part is job.sh. `flags` holds the command-line flags. Every
process of a job starts as `task`.
"""
