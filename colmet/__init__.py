"""Colmet tells what each job on a cluster really did."""
__version__ = "1.0.0"
