"""`/docs`: the OpenAPI schema as one plain page, which needs nothing from the net."""

from __future__ import annotations

from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark } body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
padding: 0 1rem } h2 { margin-top: 2.5rem; border-top: 1px solid #8888; padding-top: 1rem } table { border-collapse:
collapse; width: 100% } td, th { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0;
border-bottom: 1px solid #8884 } code { font-size: .95em } .method { color: #c2410c; font-weight: 700 }
"""


def page(schema: dict[str, Any]) -> str:
    """HTML of an OpenAPI schema: each endpoint with its parameters, bodies and answers."""
    title = escape(schema["info"]["title"])
    parts = [f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
             f"<title>{title}</title><style>{_STYLE}</style><h1>{title}</h1><p>{escape(schema['info']['description'])}"
             " <a href=openapi.json>openapi.json</a></p>"]  # fmt: skip
    for path, methods in schema["paths"].items():
        parts += [_endpoint(path, method, told) for method, told in methods.items()]
    return "".join(parts)


def _endpoint(path: str, method: str, told: dict[str, Any]) -> str:
    parameters = [(f"{p['name']} ({p['in']})", _kind(p["schema"]), p.get("description", ""))
                  for p in told.get("parameters", ())]  # fmt: skip
    bodies = [("body", kind, "") for kind in told.get("requestBody", {}).get("content", ())]
    answers = [(status, ", ".join(answer.get("content", ())), answer["description"])
               for status, answer in told.get("responses", {}).items()]  # fmt: skip
    return (f"<h2><span class=method>{method.upper()}</span> <code>{escape(path)}</code></h2>"
            f"<p>{escape(told.get('description', ''))}</p>{_table(parameters + bodies)}{_table(answers)}")  # fmt: skip


def _kind(schema: dict[str, Any]) -> str:
    """Type, range and default of a parameter."""
    inner = [_kind(s) for s in schema.get("anyOf", ()) if s.get("type") != "null"]
    words = inner or [", ".join(map(str, schema["enum"])) if "enum" in schema else str(schema.get("type", ""))]
    for name, sign in (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<")):
        words += [f"{sign} {schema[name]:g}"] if name in schema else []
    return " ".join(words) + (f" = {schema['default']}" if schema.get("default") not in (None, [], "") else "")


def _table(rows: list[tuple[str, str, str]]) -> str:
    lines = "".join(f"<tr><td><code>{escape(a)}</code><td>{escape(b)}<td>{escape(c)}" for a, b, c in rows)
    return f"<table>{lines}</table>" if rows else ""
