"""Checks descriptors against the JSON Schemas with a validator that shares nothing with toolrun.

Reads `cases.json` of the folder that is given, a list of `{"schema": FILE, "value": VALUE}`, and writes one line a
case: `valid` or `refused`. Ends with 77 when the module `jsonschema` is not there.
"""

import json
import pathlib
import sys

try:
    from jsonschema import Draft202012Validator
except ImportError:
    sys.exit(77)

schemas, folder = map(pathlib.Path, sys.argv[1:])
validators = {}
for path in schemas.glob("*.schema.json"):
    schema = json.loads(path.read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    validators[path.name] = Draft202012Validator(schema)

for case in json.loads((folder / "cases.json").read_text("utf-8")):
    print("valid" if validators[case["schema"]].is_valid(case["value"]) else "refused")
