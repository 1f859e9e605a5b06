"""`POST /api/v1/slos/import/`: OpenSLO and Sloth documents, each with a verdict."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import signed_in
from catalog.serializers import ImportSerializer, RemarkSerializer, is_dry_run
from core.clock import now
from core.parsers import BoundedJSONParser, YamlParser
from core.yaml_files import SourceFile
from slo.models import Slo
from slo.services.importing import import_files


class SloVerdictSerializer(serializers.Serializer[Any]):
    """What became of one document."""

    file = serializers.CharField()
    document = serializers.IntegerField(help_text="From 1.")
    kind = serializers.CharField(allow_null=True)
    format = serializers.CharField(
        allow_null=True, help_text="openslo/v1, openslo/v1alpha, openslo/v2alpha, sloth/v1 or null."
    )
    accepted = serializers.BooleanField()
    slos = serializers.ListField(
        child=serializers.CharField(), help_text="Slugs of the SLOs made or changed."
    )
    errors = RemarkSerializer(many=True)  # type: ignore[assignment]
    warnings = RemarkSerializer(many=True)
    lost = RemarkSerializer(many=True, help_text="Valid, but the portal has no place for it.")


class SloImportResultSerializer(serializers.Serializer[Any]):
    """Verdicts on all documents of an import."""

    dry_run = serializers.BooleanField()
    accepted = serializers.IntegerField()
    refused = serializers.IntegerField()
    documents = SloVerdictSerializer(many=True)


class ImportMixin(viewsets.GenericViewSet[Slo]):
    """The import, for the viewset of SLOs."""

    @extend_schema(
        summary="Import SLOs from OpenSLO or Sloth",
        parameters=[
            OpenApiParameter("dry_run", bool, description="Say what would happen; write nothing.")
        ],
        request={"application/json": ImportSerializer, "application/yaml": OpenApiTypes.STR},
        responses={200: SloImportResultSerializer},
    )
    @action(
        detail=False,
        methods=["post"],
        url_path="import",
        parser_classes=[BoundedJSONParser, YamlParser],
        filter_backends=[],
        pagination_class=None,
    )
    def import_documents(self, request: Request) -> Response:
        """Import each document on its own and answer a verdict on each, refused ones included."""
        body = ImportSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        dry_run = is_dry_run(request)
        verdicts = import_files(
            [SourceFile("body", body.validated_data["yaml"])],
            now=now(),
            actor=signed_in(request),
            dry_run=dry_run,
        )
        accepted = sum(verdict.accepted for verdict in verdicts)
        result = {
            "dry_run": dry_run,
            "accepted": accepted,
            "refused": len(verdicts) - accepted,
            "documents": [verdict.as_dict() for verdict in verdicts],
        }
        return Response(SloImportResultSerializer(result).data)
