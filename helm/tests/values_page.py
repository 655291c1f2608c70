"""The page of all values, made of values.schema.json and values.yaml."""

import json

import yaml

HEAD = """# Values of the chart

<!-- Generated from helm/yagura/values.schema.json and values.yaml: `make helm-golden` writes it anew. -->

| value | default | what it sets |
|---|---|---|
"""


def _read(chart):
    schema = json.loads((chart / "values.schema.json").read_text())
    return schema, yaml.safe_load((chart / "values.yaml").read_text())


def _resolved(schema, part):
    for reference in part.get("allOf", []):
        target = schema["definitions"][reference["$ref"].rsplit("/", 1)[1]]
        return {**target, "description": part.get("description", target.get("description"))}
    return part


def _rows(schema, part, value, path):
    part = _resolved(schema, part)
    properties = part.get("properties")
    if path:
        whole = properties is None or part.get("required") == ["requests", "limits"]
        yield path, json.dumps(value, ensure_ascii=False) if whole else None, part.get("description", "")
        if whole:
            return
    for key, below in properties.items():
        if path or key != "global":
            yield from _rows(schema, below, value[key], f"{path}.{key}" if path else key)


def page(chart):
    schema, values = _read(chart)
    lines = [HEAD]
    for path, default, text in _rows(schema, schema, values, ""):
        shown = "" if default is None else "empty" if default == '""' else f"`{default}`".replace("|", "\\|")
        lines.append(f"| `{path}` | {shown} | {text} |\n" if default is not None else f"| **`{path}`** | | {text} |\n")
    return "".join(lines)


def problems(chart):
    """Values that the schema does not describe, and the other way round."""
    schema, values = _read(chart)
    return list(_differences(schema, schema, values, ""))


def _differences(schema, part, value, path):
    part = _resolved(schema, part)
    if path and not (part.get("description") or "").endswith((".", ":", "`")):
        yield f"{path} is not described by a sentence in values.schema.json"
    properties = part.get("properties")
    if properties is None or not isinstance(value, dict) or part.get("required") == ["requests", "limits"]:
        return
    known, given = set(properties) - ({"global"} if not path else set()), set(value)
    yield from (f"{path}.{key} is in values.yaml only" for key in given - known)
    yield from (f"{path}.{key} is in values.schema.json only" for key in known - given)
    if part.get("additionalProperties") is not False:
        yield f"{path} takes unknown keys"
    for key in known & given:
        yield from _differences(schema, properties[key], value[key], f"{path}.{key}".lstrip("."))
