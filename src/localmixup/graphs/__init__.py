"""Locality graphs."""
