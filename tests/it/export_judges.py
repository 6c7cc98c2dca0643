"""Judges exports by the types of the makers' own SDKs, and by the validators of formats.

    export_judges.py KIND FILE_OR_FOLDER
"""

import copy
import json
import re
import sys
from pathlib import Path

VERSIONS = {
    "anthropic": "2.14.0",
    "openai": "3.57.0",
    "google-genai": "3.6.1",
    "mcp": "2.3.0",
    "jsonschema": "4.26.0",
    "openapi-spec-validator": "0.9.0",
    "skills-ref": "0.1.1",
}

try:
    from importlib.metadata import version

    for name, wanted in VERSIONS.items():
        if version(name) != wanted:
            sys.exit(77)
    import jsonschema
    import pydantic
except ImportError:
    sys.exit(77)

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def check(condition, told):
    if not condition:
        raise SystemExit(str(told))


def typed(kind, value):
    """The value is of this type, and has no key that the type does not know."""
    pydantic.TypeAdapter(kind).validate_python(value)
    known = set()
    for one in kind.__mro__ if hasattr(kind, "__mro__") else [kind]:
        known |= set(getattr(one, "__annotations__", {}))
    check(set(value) <= known, f"{set(value) - known} of {value['name']}")


def schema_of_arguments(name, schema):
    jsonschema.Draft202012Validator.check_schema(schema)
    check(schema["type"] == "object", name)
    for rule in ["oneOf", "anyOf", "allOf", "not", "enum", "if"]:
        check(rule not in schema, f"{name}: {rule}")


def anthropic(tools):
    from anthropic.types import ToolParam

    for tool in tools:
        typed(ToolParam, tool)
        check(NAME.fullmatch(tool["name"]), tool["name"])
        schema_of_arguments(tool["name"], tool["input_schema"])
        for key in tool["input_schema"].get("properties", {}):
            check(re.fullmatch(r"[a-zA-Z0-9_.-]{1,64}", key), key)
        for example in tool.get("input_examples", []):
            jsonschema.Draft202012Validator(tool["input_schema"]).validate(example)


def strict(name, schema):
    from openai.lib._pydantic import _ensure_strict_json_schema

    made = _ensure_strict_json_schema(copy.deepcopy(schema), path=(), root=schema)
    check(made == schema, f"{name} is not strict: {schema}\n{made}")
    for inner in every(schema):
        if inner.get("type") == "object" or "properties" in inner:
            check(inner.get("additionalProperties") is False, f"{name}: {inner}")
            check(list(inner["properties"]) == inner["required"] or set(inner["properties"]) == set(inner["required"]), f"{name}: {inner}")
        for keyword in ["allOf", "not", "if", "oneOf", "default", "minLength", "uniqueItems", "dependentRequired", "patternProperties"]:
            check(keyword not in inner, f"{name}: {keyword} in {inner}")


def every(schema):
    """All schemas in a schema."""
    if isinstance(schema, dict):
        yield schema
        for key, inner in schema.items():
            if key in ("properties", "$defs"):
                for one in inner.values():
                    yield from every(one)
            elif key in ("items", "additionalProperties"):
                yield from every(inner)
            elif key in ("anyOf", "allOf", "oneOf"):
                for one in inner:
                    yield from every(one)


def openai(tools):
    from openai.types.chat import ChatCompletionFunctionToolParam
    from openai.types.responses import FunctionToolParam
    from openai.types.shared_params import FunctionDefinition

    for tool in tools:
        check(tool["type"] == "function", tool)
        if "function" in tool:
            pydantic.TypeAdapter(ChatCompletionFunctionToolParam).validate_python(tool)
            typed(FunctionDefinition, tool["function"])
            tool = tool["function"]
        else:
            typed(FunctionToolParam, tool)
        check(NAME.fullmatch(tool["name"]), tool["name"])
        schema_of_arguments(tool["name"], tool["parameters"])
        if tool["strict"]:
            strict(tool["name"], tool["parameters"])
        for inner in every(tool["parameters"]):
            if inner.get("type") == "array":
                check("items" in inner, f"{tool['name']}: {inner}")


def gemini(tools):
    from google.genai import types

    for tool in tools:
        # The types forbid what they do not know.
        made = types.Tool.model_validate(tool)
        for declared in made.function_declarations:
            check(NAME.fullmatch(declared.name), declared.name)
            if declared.parameters:
                check(declared.parameters.properties, declared.name)
                fits(declared.name, declared.parameters)


def fits(name, schema):
    check(schema.type or schema.any_of, f"{name}: {schema}")
    kind = schema.type.value if schema.type else None
    if kind == "ARRAY":
        check(schema.items, f"{name}: {schema}")
        fits(name, schema.items)
    if schema.format:
        check(schema.format in ("enum", "date-time", "int32", "int64", "float", "double"), f"{name}: {schema.format}")
    for inner in list((schema.properties or {}).values()) + list(schema.any_of or []):
        fits(name, inner)


def mcp(listed):
    from mcp.types import ListToolsResult

    for tool in ListToolsResult.model_validate(listed).tools:
        check(NAME.fullmatch(tool.name), tool.name)
        schema_of_arguments(tool.name, tool.input_schema)
        jsonschema.Draft202012Validator.check_schema(tool.output_schema)


def skill(folder):
    from skills_ref.parser import parse_frontmatter
    from skills_ref.validator import validate

    folders = sorted(Path(folder).iterdir())
    check(folders, "no skill")
    for one in folders:
        problems = validate(one)
        check(not problems, f"{one.name}: {problems}")
        about, body = parse_frontmatter((one / "SKILL.md").read_text(encoding="utf-8"))
        check(about["name"] == one.name and "<" not in about["description"], about)
        # Three bytes for a token is less than any model needs.
        check(len(body.encode()) / 3 < 5000, f"{one.name}: {len(body.encode())} bytes")
        for link in re.findall(r"\]\((references/[^)]+)\)", body):
            check((one / link).is_file(), f"{one.name}: {link}")


def openapi(document):
    from openapi_spec_validator import OpenAPIV31SpecValidator, validate

    validate(document, cls=OpenAPIV31SpecValidator)
    ids = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    check(ids and len(ids) == len(set(ids)), ids)


def server_json(document):
    """By the registry's own schema, if .ci/exports could fetch it, and by its limits in any case."""
    schema = Path(sys.argv[3]) if len(sys.argv) > 3 else None
    if schema and schema.is_file():
        jsonschema.Draft7Validator(json.loads(schema.read_text(encoding="utf-8"))).validate(document)
    check(re.fullmatch(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+", document["name"]), document["name"])
    check(1 <= len(document["description"]) <= 100 and 1 <= len(document["title"]) <= 100, document)
    for package in document.get("packages", []):
        check(re.fullmatch(r"[a-f0-9]{64}", package["fileSha256"]), package)
        check(package["transport"] == {"type": "stdio"}, package)


JUDGES = {"server-json": server_json, "openapi": openapi, "anthropic": anthropic, "openai": openai, "gemini": gemini, "mcp": mcp}
FOLDERS = {"skill": skill}
kind, path = sys.argv[1], sys.argv[2]
if kind in FOLDERS:
    FOLDERS[kind](path)
else:
    with open(path, encoding="utf-8") as file:
        JUDGES[kind](json.load(file))
print("ok")
