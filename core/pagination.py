"""Cursor pagination: flat in depth, stable while rows arrive."""

from rest_framework import pagination


class CursorPagination(pagination.CursorPagination):
    """`results`, `next`, `previous`; `page_size` up to 500; newest first unless a view says else."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500
    ordering = "-pk"
