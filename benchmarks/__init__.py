"""Measured against peers; each file runs by itself."""
