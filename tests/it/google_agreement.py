"""Builds requests with Google's own client, from descriptions and arguments on standard input, one JSON object a line.

Each line names a file with a description, a method's id, the values of the fixed path's places in order, the parameters of
the query, and the body. What the client would send is printed as one JSON object a line; nothing is sent.
"""

import json
import re
import sys

try:
    from googleapiclient import discovery
    from googleapiclient.http import HttpMock
except ImportError:
    sys.exit(77)


def argument(method, values):
    """The arguments of the path, whose patterns have places that the values fill in order."""
    left = list(values)
    arguments = {}
    order = method.get("parameterOrder", [])
    names = re.findall(r"\{\+?(\w+)\}", method["path"])
    for name in names or order:
        pattern = method["parameters"][name].get("pattern")
        if pattern and "{+" + name + "}" in method["path"]:
            text = pattern.strip("^$")
            places = text.count("[^/]+")
            if ".*" in text or places > len(left):
                raise LookupError("another pattern")
            for _ in range(places):
                text = text.replace("[^/]+", left.pop(0), 1)
            arguments[name] = text
        else:
            arguments[name] = left.pop(0)
    if left:
        raise LookupError("more places")
    return arguments


def built(job):
    with open(job["document"], encoding="utf-8") as file:
        document = json.load(file)
    parts = job["pointer"].split("/")[1:]
    method = document
    for part in parts:
        method = method[part]
    service = discovery.build_from_document(document, http=HttpMock(headers={"status": "200"}))
    names = [part for i, part in enumerate(parts) if i % 2 == 1]
    for name in names[:-1]:
        service = getattr(service, discovery.fix_method_name(name))()
    given = argument(method, job["path"])
    given.update(job["query"])
    given = {discovery.key2param(name): value for name, value in given.items()}
    if job.get("body") is not None:
        given["body"] = job["body"]
    request = getattr(service, discovery.fix_method_name(names[-1]))(**given)
    body = json.loads(request.body) if request.body else None
    return {"method": request.method, "url": request.uri, "body": body}


for line in sys.stdin:
    try:
        print(json.dumps(built(json.loads(line))))
    except (LookupError, TypeError, ValueError) as error:
        print(json.dumps({"unlike": f"{type(error).__name__}: {error}"}))
