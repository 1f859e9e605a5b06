"""The portal's addresses and one more."""

import json

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

from benchmarks.naive.models import RequestRow


@csrf_exempt
@login_not_required
def requests(request: HttpRequest) -> JsonResponse:
    """Load the JSON and create the rows."""
    events = json.loads(request.body)
    RequestRow.objects.bulk_create([RequestRow(**event) for event in events])
    return JsonResponse({"accepted": len(events)})


urlpatterns = [path("naive/requests", requests), path("", include("sreportal.urls"))]
