"""Mixing beyond the inputs of a batch."""
