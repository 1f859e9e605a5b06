"""`manage.py up`: the whole portal as one command.

One process prepares the data folder, then forks the others, so that they share the memory of the
code they all import. It waits for each to be ready, prefixes what they print, restarts what
crashes, and takes everything down with it, however it ends.
"""
