"""App configuration of core."""

from functools import partial

from django.apps import AppConfig


class CoreConfig(AppConfig):
    """Abstract models, errors, HTMX pages, audit, ticks and panels that every app uses."""

    name = "core"

    def ready(self) -> None:
        """Have every web process leave its sign of life, and kept answers rotated."""
        from core import process, sealed  # noqa: PLC0415 models are not loaded before this point

        sealed.register(sealed.SealedColumn("core.KeptAnswer", "sealed_body"))
        process.on_web_start(partial(process.beat_in_background, "web"))
