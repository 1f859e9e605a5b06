"""What is wrong with the forms of a page, for the summary at its top."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.forms import BaseForm, BoundField
from django.forms.formsets import BaseFormSet

__all__ = ["Mistake", "mistakes_in"]


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong.

    Attributes:
        field: What the field is called, with the number of its row; "" for the form as a whole.
        target: Id of what to look at, "" where there is none.
        messages: What is wrong, in sentences.
    """

    field: str
    target: str
    messages: tuple[str, ...]


def mistakes_in(context: Mapping[str, Any]) -> list[Mistake]:
    """Return what is wrong with the forms that a template is given, in their order.

    Of forms, lists of rows, and dictionaries of forms; each is looked at once.
    """
    seen: set[int] = set()
    return [mistake for value in context.values() for mistake in _of(value, seen)]


def _of(value: Any, seen: set[int]) -> Iterator[Mistake]:
    if isinstance(value, Mapping):
        for each in value.values():
            if isinstance(each, BaseForm):
                yield from _of(each, seen)
    elif isinstance(value, BaseForm | BaseFormSet) and value.is_bound and id(value) not in seen:
        seen.add(id(value))
        yield from _of_form(value, 0) if isinstance(value, BaseForm) else _of_rows(value)


def _of_rows(rows: BaseFormSet[Any]) -> Iterator[Mistake]:
    if said := rows.non_form_errors():
        yield Mistake("", "", tuple(map(str, said)))
    for number, form in enumerate(rows.forms, 1):
        yield from _of_form(form, number)


def _of_form(form: BaseForm, row: int) -> Iterator[Mistake]:
    if said := form.non_field_errors():
        yield Mistake(f"Row {row}" if row else "", "", tuple(map(str, said)))
    for bound in form:
        if bound.errors and not bound.is_hidden:
            name = f"Row {row}, {bound.label}" if row else str(bound.label)
            yield Mistake(name, _target(bound), tuple(map(str, bound.errors)))


def _target(bound: BoundField) -> str:
    """Return the id of the field; of boxes together, where no field has it, of what is said."""
    return str(bound.id_for_label or f"{bound.auto_id}_errors")
