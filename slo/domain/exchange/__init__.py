"""SLOs as other tools write them: OpenSLO v1, v1alpha and v2alpha, and Sloth's specification.

| module | does |
|---|---|
| `checks` | the shapes a field may have, and what is said when it has another |
| `openslo_schema` | the shapes of OpenSLO's kinds in its three versions |
| `openslo` | a checked OpenSLO document as a draft |
| `sloth` | a Sloth document as drafts |
| `drafts` | what a document says, whichever format it is written in |
| `windows` | time windows and durations |
| `planning` | drafts as the portal's SLOs |
| `promql` | counters and windows inside a Prometheus query |
| `reading` | a set of documents that may name each other |

No Django, no clock, no files.
"""
