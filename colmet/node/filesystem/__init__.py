"""Shared file systems as their clients tell of them: Lustre, NFS, GPFS, BeeGFS."""
