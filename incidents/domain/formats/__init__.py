"""One module a sender; each turns a decoded body into a `Reading` and touches nothing."""
