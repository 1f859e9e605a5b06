"""Importing YAML in a page, in two steps: first a look at what would happen, then the import."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse

from core.htmx import render_page
from core.yaml_documents import MAX_BYTES
from core.yaml_files import SourceFile

__all__ = ["YamlImportForm", "import_in_two_steps"]


class YamlImportForm(forms.Form):
    """YAML, pasted or uploaded."""

    file = forms.FileField(required=False)
    yaml = forms.CharField(
        required=False,
        label="Or paste it",
        widget=forms.Textarea({"rows": 14, "spellcheck": "false"}),
        strip=False,
    )

    def __init__(self, *args: Any, reads: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["file"].help_text = f"{reads}, at most 1 MiB."

    def clean(self) -> dict[str, Any]:
        """Take one of the two, and make text of it."""
        data: dict[str, Any] = super().clean() or {}
        upload = data.get("file")
        if upload:
            if upload.size > MAX_BYTES:
                self.add_error("file", "This file is larger than 1 MiB; split it.")
                return data
            data["name"] = upload.name
            data["text"] = upload.read()
        elif data.get("yaml", "").strip():
            data["name"], data["text"] = "pasted.yaml", data["yaml"]
        elif not self.errors:
            raise forms.ValidationError("Choose a file or paste YAML.")
        return data


class Verdict(Protocol):
    """What became, or would become, of one document."""

    @property
    def accepted(self) -> bool:
        """Whether it can be carried."""


def import_in_two_steps(
    request: HttpRequest,
    template: str,
    *,
    reads: str,
    example: str,
    load: Callable[[list[SourceFile], bool], Sequence[Verdict]],
) -> HttpResponse:
    """Preview an import; with `apply` do it.

    Args:
        request: A GET shows the form, a POST what would happen.
        template: Extends `import.html`, which says what it gets.
        reads: What files are accepted, for the form.
        example: Kinds of documents, for who gave none.
        load: Reads files; told True it only looks, told False it writes.
    """
    if request.method != "POST":
        return render_page(request, template, {"form": YamlImportForm(reads=reads)})
    form = YamlImportForm(request.POST, request.FILES, reads=reads)
    if not form.is_valid():
        return render_page(request, template, {"form": form}, status=422)
    is_applied = "apply" in request.POST
    text = form.cleaned_data["text"]
    verdicts = load([SourceFile(form.cleaned_data["name"], text)], not is_applied)
    accepted = sum(verdict.accepted for verdict in verdicts)
    if is_applied:
        messages.success(request, f"{accepted} of {len(verdicts)} documents were carried.")
    shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    context = {
        "form": YamlImportForm(initial={"yaml": shown}, reads=reads),
        "verdicts": verdicts,
        "accepted": accepted,
        "is_applied": is_applied,
        "nothing_found": f"A document is a mapping with a kind, such as {example}.",
    }
    return render_page(request, template, context)
