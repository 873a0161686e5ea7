"""Ways to damage a finished study, drawn by a seed.

Every way takes the study's folder and a source of chance, and gives the paths of which an audit has to name one.
"""
