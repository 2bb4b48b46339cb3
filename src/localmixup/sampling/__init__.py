"""Pairs of a whole training set."""
