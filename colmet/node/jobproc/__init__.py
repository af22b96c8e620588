"""The readers of what the processes of jobs did and hold (`colmet.node.backends.jobproc`)."""
