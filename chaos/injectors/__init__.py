"""One file per kind of fault; `chaos.injectors.registry` knows them by name."""
