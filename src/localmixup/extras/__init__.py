"""Mixing beyond the inputs of a batch: hidden layers, learned features, CutMix, sequences, schedules."""
