"""What answers to programs have in common, where they take a shortcut past the framework."""

__all__ = ["HEADERS"]

# Such an answer has nothing to load and belongs in no frame.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
}
