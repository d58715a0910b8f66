"""SLURM clusters: what jobs ask them for, and which Snakemake may submit jobs."""
