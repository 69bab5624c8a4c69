# The constant part of every batch script. target.py writes the lines before it, which set run_dir, state_files,
# requeue_statuses, start, resume, task and srun_options.

# Puts the job back into the queue, unless the user has cancelled it or wants the run to end.
requeue() {
  if [[ -e $run_dir/abort.txt ]]; then
    echo 'slurm: abort.txt ends the run.'
    return
  fi
  case $(job) in
    *' JobState=RUNNING '* | *' Reason=TimeLimit '* | *' PreemptTime='[0-9]*)
      echo "slurm: job $SLURM_JOB_ID goes back into the queue."
      scontrol requeue "$SLURM_JOB_ID" ;;
  esac
}

job() {
  scontrol show job --oneliner "$SLURM_JOB_ID"
}

# Asks the tasks of a running job to save and exit, not through srun, which would kill them. If Slurm is ending
# the job, it has asked them already, and this shell may not outlive them.
on_signal() {
  signals=$((signals + 1))
  if [[ $(job) == *' JobState=RUNNING '* ]]; then
    scancel --signal=TERM "$SLURM_JOB_ID"
  else
    requeue
  fi
}
signals=0
trap on_signal USR1 TERM

command=("${start[@]}")
if [[ ${#resume[@]} -gt 0 && -n $(find "$run_dir" -maxdepth 1 -name "$state_files" -print -quit) ]]; then
  command=("${resume[@]}")
fi

# Since Slurm 22.05, srun does not inherit this number from the job.
if [[ -n ${SLURM_CPUS_PER_TASK:-} ]]; then
  export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK
fi

srun "${srun_options[@]}" "${task[@]}" "${command[@]}" &
seen=-1
while (( seen != signals )); do  # a signal interrupts the wait
  seen=$signals
  wait $!
  status=$?
done
if (( status != 0 && signals > 0 )) || [[ " ${requeue_statuses[*]} " == *" $status "* ]]; then
  requeue
fi
exit $status
