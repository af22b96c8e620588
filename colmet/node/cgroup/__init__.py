"""The cgroups of jobs: which of their files are read, when, and what they tell."""
