"""Promises of the README, kept by real processes on a real clock."""
