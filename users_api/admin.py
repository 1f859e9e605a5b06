"""Persons in the admin."""

from django.contrib import admin

from users_api.models import Person


@admin.register(Person)
class PersonAdmin(admin.ModelAdmin):
    """Look up and correct persons; the form checks the same rules as the API."""

    list_display = ["name", "email", "created_at"]
    search_fields = ["name", "email"]
    readonly_fields = ["created_at", "updated_at"]
