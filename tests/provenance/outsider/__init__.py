"""Manipulations of a finished study by somebody who had read neither the code nor the tests."""
