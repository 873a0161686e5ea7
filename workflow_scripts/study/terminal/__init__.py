"""The output of a run: bars on a terminal, a line per stage and minute elsewhere. A logger plugin of Snakemake."""
