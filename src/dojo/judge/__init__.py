"""Judging: runs a task's checks over a learner's work, in the kernel or in a separate process."""
