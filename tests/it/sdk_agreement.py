"""Calls the sandboxes with Anthropic's own Python SDK, and holds every answer against the SDK's types.

Arguments: the program, then the folder of the built-in tools. Every operation of the SDK's resources below is called, once as a
stable and once as a beta operation where both exist, and every list is walked page by page. An answer fails that lacks a field, has
one too many, or has a value of another type or outside of the values that the type names.

Ends with 77 when the module `anthropic` is not there, or in another version than the one below.
"""

import datetime
import inspect
import re
import subprocess
import sys
import types
import typing

VERSION = "2.14.0"

try:
    import anthropic
    import httpx2
except ImportError:
    sys.exit(77)
if anthropic.__version__ != VERSION:
    sys.exit(77)

from anthropic._resource import SyncAPIResource
from pydantic import BaseModel

# What is not called, because a sandbox takes no uploads and serves no archives.
NOT_CALLED = {
    "beta.organization.plugins.create",
    "beta.organization.plugins.versions.create",
    "beta.organization.plugins.versions.download",
    "beta.organization.plugin_marketplaces.validate_archive",
}

# Fields that an answer may have beside those of its type, and why.
BESIDE = {
    # Only the beta type has them, and nothing in the request tells the service which one the client will read.
    "FederationRule": {"attributes", "workspace_id"},
}

STABLE = ("organization", "user_profiles")
BETA = ("organization", "user_profiles", "compliance", "tunnels")


# Types


def problems(value, kind, where):
    """What is wrong with a value of JSON, as a value of this type; a list of lines."""
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        return problems(value, typing.get_args(kind)[0], where)
    if origin in (typing.Union, types.UnionType):
        return union_problems(value, typing.get_args(kind), where)
    if origin is typing.Literal:
        named = value in typing.get_args(kind) and type(value) is str
        return [] if named else [f"{where}: {value!r} is none of {typing.get_args(kind)}"]
    if origin in (list, dict) and not isinstance(value, origin):
        return [f"{where}: {value!r} is no {origin.__name__}"]
    if origin is list:
        (item,) = typing.get_args(kind)
        return [line for v in value for line in problems(v, item, f"{where}[]")]
    if origin is dict:
        _, item = typing.get_args(kind)
        return [line for k, v in value.items() for line in problems(v, item, f"{where}.{k}")]
    if kind in (object, typing.Any):
        return []
    if kind in (datetime.datetime, datetime.date):
        return time_problems(value, kind, where)
    if kind is float:
        is_right = type(value) in (int, float)
    elif kind in (str, int, bool, type(None)):
        is_right = type(value) is kind
    elif inspect.isclass(kind) and issubclass(kind, BaseModel):
        return model_problems(value, kind, where)
    else:
        sys.exit(f"{where}: the check does not know the type {kind!r}")
    return [] if is_right else [f"{where}: {value!r} is no {kind.__name__}"]


def union_problems(value, kinds, where):
    if value is None and type(None) in kinds:
        return []
    found = [problems(value, kind, where) for kind in meant(value, kinds)]
    return min(found, key=len)


def meant(value, kinds):
    """The types that a value can be of; those that its `type` names, where it names one."""
    kinds = [kind for kind in kinds if kind is not type(None)]
    if not isinstance(value, dict):
        return kinds
    models = [kind for kind in kinds if inspect.isclass(kind) and issubclass(kind, BaseModel)]
    names = {model: model.model_fields.get("type") for model in models}
    named = [model for model, field in names.items() if field and value.get("type") in typing.get_args(field.annotation)]
    return named or kinds


def time_problems(value, kind, where):
    if not isinstance(value, str):
        return [f"{where}: {value!r} is no time"]
    try:
        parsed = kind.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        return [f"{where}: {value!r} is no {kind.__name__}"]
    if kind is datetime.datetime and parsed.tzinfo is None:
        return [f"{where}: {value!r} has no zone"]
    return []


def model_problems(value, model, where):
    if not isinstance(value, dict):
        return [f"{where}: {value!r} is no {model.__name__}"]
    model.model_rebuild()
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    # The SDK gives fields that may be null a default. It lists what is always there first, so that a field before a
    # required one is always there too.
    last = max((i for i, field in enumerate(fields.values()) if field.is_required()), default=-1)
    always = set(list(fields)[: last + 1])
    told = [f"{where}: {name} is missing ({model.__name__})" for name in sorted(always - value.keys())]
    for name, part in value.items():
        if name in BESIDE.get(model.__name__, ()):
            continue
        if name not in fields:
            told.append(f"{where}: {model.__name__} has no {name}")
        else:
            told += problems(part, fields[name].annotation, f"{where}.{name}")
    return told


def page_problems(value, page, where):
    """A page: exactly the keys that its kind of list has."""
    model = page.__pydantic_generic_metadata__
    (row,) = model["args"]
    keys = {
        "SyncPage": ({"data", "has_more", "first_id", "last_id"}, set()),
        "SyncPageCursor": ({"data", "next_page"}, {"data_refreshed_at"}),
        "SyncReportPageCursor": ({"data", "next_page", "has_more"}, {"data_refreshed_at"}),
    }
    needed, allowed = keys[model["origin"].__name__]
    told = [f"{where}: {name} is missing" for name in sorted(needed - value.keys())]
    told += [f"{where}: {name} is too many" for name in sorted(value.keys() - needed - allowed)]
    told += problems(value.get("data"), typing.List[row], f"{where}.data")
    if not isinstance(value.get("has_more", False), bool):
        told.append(f"{where}: has_more is no bool")
    return told


# Calls


class Session:
    """A fresh sandbox of a service, and the SDK's client for it."""

    def __init__(self, program, tools, service, is_beta):
        self.service, self.is_beta = service, is_beta
        command = [program, "--tools", tools, "sandbox", service, "--addr", "127.0.0.1:0"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        said = self.process.stderr.readline() + self.process.stderr.readline()
        url = re.search(r"http://[0-9.:]+", said)
        key = re.search(r"made-up key: \w+=(\S+)", said)
        if not (url and key):
            sys.exit(f"the sandbox of {service} did not start: {said}{self.process.stderr.read()}")
        self.answers, self.called, self.told = [], set(), []
        http = httpx2.Client(event_hooks={"response": [self.record]}, trust_env=False)
        client = anthropic.Anthropic(api_key=key[1], base_url=url[0], max_retries=0, http_client=http)
        self.root = client.beta if is_beta else client

    def record(self, response):
        response.read()
        self.answers.append(response)

    def end(self):
        self.process.kill()
        self.process.wait()

    def method(self, name):
        """The SDK's method of this name; None where this generation of the SDK has none."""
        value = self.root
        for part in name.split("."):
            value = getattr(value, part, None)
        return value

    def __call__(self, name, /, **arguments):
        """Calls an operation, checks its answer, and gives the answer's JSON."""
        method = self.method(name)
        if method is None:
            return None
        return self.checked(name, method, arguments)[-1]

    def checked(self, name, method, arguments):
        start = len(self.answers)
        try:
            result = method(**arguments)
            if hasattr(result, "iter_pages"):
                list(result.iter_pages())
        except anthropic.APIStatusError as error:
            sys.exit(f"{self.full(name)}: {error}")
        self.called.add(self.full(name))
        kind = typing.get_type_hints(method, include_extras=True)["return"]
        values = [answer.json() for answer in self.answers[start:]]
        check = page_problems if hasattr(result, "iter_pages") else problems
        for value in values:
            self.told += check(value, kind, self.full(name))
        return values

    def full(self, name):
        return f"beta.{name}" if self.is_beta else name

    def list(self, name, /, size=7, **arguments):
        """Walks a list in large and in small pages, which must hold the same, and gives its rows."""
        method = self.method(name)
        if method is None:
            return None
        pages = self.checked(name, method, arguments)
        rows = [row for page in pages for row in page["data"]]
        if not rows:
            self.told.append(f"{self.full(name)}: no rows")
        if "limit" in inspect.signature(method).parameters:
            small = self.checked(name, method, {**arguments, "limit": size})
            if [row for page in small for row in page["data"]] != rows:
                self.told.append(f"{self.full(name)}: small pages hold something else than large ones")
        return rows

    def refused(self, name, status, code=None, /, **arguments):
        """Calls an operation that the service refuses, and checks that the SDK reads the error."""
        method = self.method(name)
        if method is None:
            return
        try:
            method(**arguments)
            self.told.append(f"{self.full(name)}: {arguments} should be refused")
        except anthropic.APIStatusError as error:
            body = error.response.json()
            seen = (body.get("error", {}).get("details") or {}).get("error_code")
            if error.status_code != status or (code and seen != code) or body.get("type") != "error":
                self.told.append(f"{self.full(name)}: refused with {error.status_code} and {body}")


def operations(root, name):
    """The names of all operations below a resource of the SDK."""
    for part in dir(type(root)):
        kind = inspect.getattr_static(type(root), part)
        if part.startswith("_") or part.startswith("with_"):
            continue
        if inspect.isfunction(kind):
            yield f"{name}.{part}"
        elif isinstance(getattr(root, part), SyncAPIResource):
            yield from operations(getattr(root, part), f"{name}.{part}")


# What is called


def where(rows, **fields):
    """The first row with these values."""
    return next(row for row in rows if all(row[name] == value for name, value in fields.items()))


def admin(call):
    org = "organization"
    start = "2026-11-18T00:00:00Z"
    call(f"{org}.retrieve")

    members = call.list(f"{org}.users.list", size=31)
    member = members[50]["id"]
    call(f"{org}.users.retrieve", user_id=member)
    call(f"{org}.users.update", user_id=member, role="billing")
    call(f"{org}.users.sign_out", user_id=member)
    call(f"{org}.users.remove", user_id=member)
    call.refused(f"{org}.users.retrieve", 404, user_id="user_none")

    invites = call.list(f"{org}.invites.list")
    call(f"{org}.invites.retrieve", invite_id=invites[0]["id"])
    invite = call(f"{org}.invites.create", email="new@example.com", role="developer")
    call.refused(f"{org}.invites.create", 400, "invite_already_exists", email="new@example.com", role="developer")
    call(f"{org}.invites.delete", invite_id=invite["id"])

    call.list(f"{org}.workspaces.list", include_archived=True, include_default=True)
    workspaces = call.list(f"{org}.workspaces.list")
    workspace = workspaces[3]["id"]
    call(f"{org}.workspaces.retrieve", workspace_id=workspace)
    made = call(f"{org}.workspaces.create", name="Made", tags={"team": "platform"})
    call(f"{org}.workspaces.update", workspace_id=made["id"], name="Renamed", tags={"team": None})
    call.refused(f"{org}.workspaces.update", 400, workspace_id=made["id"])
    call(f"{org}.workspaces.archive", workspace_id=made["id"])
    if call.is_beta:
        efs = ["efs-2026-10-01"]
        shown = call.list(f"{org}.workspaces.list", betas=efs)
        if not all("inference_data_privacy" in row for row in shown):
            call.told.append("beta.organization.workspaces.list: no inference_data_privacy")
        call(f"{org}.workspaces.retrieve", workspace_id=workspace, betas=efs)
        call(f"{org}.compliance_settings.retrieve", betas=efs)
        call.refused(f"{org}.workspaces.list", 400, betas=["made-up-2026-01-01"])

    members = call.list(f"{org}.workspaces.members.list", workspace_id=workspace, size=2)
    of = {"workspace_id": workspace, "user_id": members[0]["user_id"]}
    call(f"{org}.workspaces.members.retrieve", **of)
    call(f"{org}.workspaces.members.update", **of, workspace_role="workspace_admin")
    call(f"{org}.workspaces.members.remove", **of)
    call(f"{org}.workspaces.members.add", **of, workspace_role="workspace_developer")

    limits = call.list(f"{org}.rate_limits.list", size=3)
    call.list(f"{org}.workspaces.rate_limits.list", workspace_id=workspace, include_inherited=True, size=3)
    value = {"type": "requests_per_minute", "value": 100}
    call(f"{org}.workspaces.rate_limits.update", workspace_id=workspace, rate_limit_id=limits[0]["id"], limits=[value])

    keys = call.list(f"{org}.api_keys.list", size=31)
    key = where(keys, status="active")["id"]
    call(f"{org}.api_keys.retrieve", api_key_id=key)
    call(f"{org}.api_keys.update", api_key_id=key, name="renamed")
    call.refused(f"{org}.api_keys.update", 400, api_key_id=key)

    aws = {"type": "aws", "kms_arn": "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"}
    call.list(f"{org}.external_keys.list", size=3)
    key = call(f"{org}.external_keys.create", provider_config=aws)["id"]
    call(f"{org}.external_keys.retrieve", external_key_id=key)
    call(f"{org}.external_keys.update", external_key_id=key, display_name="Renamed")
    call.refused(f"{org}.external_keys.update", 400, external_key_id=key)
    call(f"{org}.external_keys.validate", external_key_id=key)
    call(f"{org}.external_keys.delete", external_key_id=key)

    call(f"{org}.compliance_settings.retrieve")
    call(f"{org}.compliance_settings.update", state={"type": "enabled"})

    if call.list(f"{org}.external_storage.list"):
        call.list(f"{org}.external_storage.list", user_profile_ids=[""])
        aws = {"type": "aws", "account_id": "111122223333", "bucket_name": "made-by-a-test", "region": "us-east-1"}
        storage = call(f"{org}.external_storage.create", provider_config=aws, display_name="Made")["id"]
        call.refused(f"{org}.external_storage.create", 409, "storage_already_registered", provider_config=aws)
        call(f"{org}.external_storage.retrieve", external_storage_id=storage)
        call(f"{org}.external_storage.update", external_storage_id=storage, display_name=None)
        call(f"{org}.external_storage.activate", external_storage_id=storage)
        call(f"{org}.external_storage.delete", external_storage_id=storage)

    call.list(f"{org}.analytics.usage.list", starting_at=start, group_by=["model", "workspace_id"], size=31)
    call.list(f"{org}.analytics.cost.list", starting_at=start, group_by=["model", "cost_type"], size=31)

    if hooks := call.list(f"{org}.webhooks.list", size=2):
        call(f"{org}.webhooks.retrieve", webhook_endpoint_id=hooks[0]["id"])
        made = call(f"{org}.webhooks.create", url="https://hooks.example.com/", enabled_events=["external_key.failed"])
        of = {"webhook_endpoint_id": made["id"]}
        call(f"{org}.webhooks.update", **of, state="disabled")
        call.refused(f"{org}.webhooks.update", 400, **of)
        call(f"{org}.webhooks.regenerate_signing_secret", **of)
        call(f"{org}.webhooks.delete", **of)
    telemetry(call, f"{org}.telemetry_destinations", workspace, workspaces[4]["id"])


def telemetry(call, name, workspace, other):
    if not call.list(f"{name}.list", size=2):
        return
    call.list(f"{name}.list", size=2, workspace_ids=[workspace])
    of = {"type": "include", "workspace_ids": [workspace]}
    url = "https://gateway.example.com"
    made = call(f"{name}.create", endpoint_url=url, workspaces=of, headers={"authorization": "made up"})
    of = {"destination_id": made["id"]}
    call(f"{name}.workspaces.add", **of, workspace_id=workspace)
    call(f"{name}.workspaces.add", **of, workspace_id=other)
    call.list(f"{name}.workspaces.list", **of, size=1)
    call(f"{name}.workspaces.remove", **of, workspace_id=other)
    call(f"{name}.retrieve", **of)
    call(f"{name}.update", **of, state={"type": "disabled"}, traces={"content_mode": "content", "max_content_bytes": 9})
    call(f"{name}.update", **of, endpoint_url=url, headers={"authorization": None, "x-other": "made up"})
    call(f"{name}.update", **of, traces=None)
    call.refused(f"{name}.update", 400, **of)
    call(f"{name}.test", **of)
    call(f"{name}.delete", **of)


def oauth(call):
    org = "organization"
    call.list(f"{org}.service_accounts.list")
    account = call(f"{org}.service_accounts.create", name="made", organization_role="developer")["id"]
    of = {"service_account_id": account}
    call(f"{org}.service_accounts.retrieve", **of)
    call(f"{org}.service_accounts.update", **of, description="Changed")
    call.refused(f"{org}.service_accounts.update", 400, **of)
    workspace = "wrkspc_01JwQvzr7rXLA5AGx3HKfFUJ"
    both = {**of, "workspace_id": workspace}
    call(f"{org}.service_accounts.workspaces.add", **both, workspace_role="workspace_developer")
    call.list(f"{org}.service_accounts.workspaces.list", **of, size=1)
    call(f"{org}.service_accounts.workspaces.remove", **both)
    call(f"{org}.workspaces.service_accounts.add", **both, workspace_role="workspace_developer")
    call.list(f"{org}.workspaces.service_accounts.list", workspace_id=workspace, size=2)
    call(f"{org}.workspaces.service_accounts.retrieve", **both)
    call(f"{org}.workspaces.service_accounts.update", **both, workspace_role="workspace_admin")
    call(f"{org}.workspaces.service_accounts.remove", **both)

    call.list(f"{org}.federation.issuers.list", size=1)
    issuer = call(f"{org}.federation.issuers.create", name="made", issuer_url="https://made.example.com")["id"]
    of_issuer = {"federation_issuer_id": issuer}
    call(f"{org}.federation.issuers.retrieve", **of_issuer)
    call(f"{org}.federation.issuers.update", **of_issuer, name="renamed")
    call.refused(f"{org}.federation.issuers.update", 400, **of_issuer)

    call.list(f"{org}.federation.rules.list")
    target = {"type": "service_account", "service_account_id": account}
    rule = call(
        f"{org}.federation.rules.create",
        name="made",
        issuer_id=issuer,
        match={"subject_prefix": "repo:example/shop:*"},
        target=target,
        oauth_scope="workspace:developer",
        workspace_id=workspace,
    )["id"]
    of_rule = {"federation_rule_id": rule}
    call(f"{org}.federation.rules.retrieve", **of_rule)
    call(f"{org}.federation.rules.update", **of_rule, token_lifetime_seconds=600)
    call.refused(f"{org}.federation.rules.update", 400, **of_rule)
    if call.is_beta:
        call.refused(f"{org}.federation.rules.update", 400, **of_rule, attributes={"a": "claims.a"})
    other = "wrkspc_01QmT5bYh2KpVd8RzNcX4sLw"
    call(f"{org}.federation.rules.workspaces.add", **of_rule, workspace_id=other)
    call.list(f"{org}.federation.rules.workspaces.list", **of_rule, size=1)
    call(f"{org}.federation.rules.workspaces.remove", **of_rule, workspace_id=other)
    call(f"{org}.federation.rules.archive", **of_rule)
    call(f"{org}.federation.issuers.archive", **of_issuer)
    call(f"{org}.service_accounts.archive", **of)

    controls = f"{org}.providers.google.projects.data_controls"
    if call(f"{controls}.retrieve", project_number="123456789012"):
        google(call, controls, project_number="210987654321")
    if call.is_beta:
        efs = {"betas": ["efs-2026-10-01"]}
        storage = {"type": "external", "external_storage_id": "estrg_01Vb7TcXk3QmRz9HnWd5PsLy"}
        privacy = {"safeguards_storage": storage, "human_review": {"type": "disabled"}}
        call(f"{org}.workspaces.update", workspace_id=workspace, inference_data_privacy=privacy, **efs)
        call(f"{org}.workspaces.create", name="Made", inference_data_privacy=privacy, **efs)
        on = {"safeguards_storage": storage, "human_review": {"type": "enabled"}}
        code = "human_review_on_with_external_storage"
        call.refused(f"{org}.workspaces.create", 400, code, name="Made", inference_data_privacy=on, **efs)


def google(call, controls, **of):
    """Turns the data controls of a project or a profile on and off."""
    bucket = {"bucket_name": "made-by-a-test", "project_number": "123456789012"}
    call(f"{controls}.update", **of, cmek={"type": "enabled", "external_key_ids": {"us": "ekey_01SDCCSbTxrXDpWc1phhtcfK"}})
    call(f"{controls}.update", **of, storage={"type": "enabled", "buckets": {"us": bucket, "eu": bucket}})
    call(f"{controls}.update", **of, storage={"type": "enabled", "buckets": {"us": None}})
    call(f"{controls}.retrieve", **of)
    call.refused(f"{controls}.update", 400, **of, storage={"type": "enabled", "buckets": {"eu": None}})
    call.refused(f"{controls}.update", 400, **of)
    call(f"{controls}.update", **of, cmek={"type": "disabled"}, storage={"type": "disabled"})


def enterprise(call):
    org = "organization"
    call.list(f"{org}.rbac_groups.list")
    group = call(f"{org}.rbac_groups.create", name="Made")["id"]
    of = {"rbac_group_id": group}
    call(f"{org}.rbac_groups.retrieve", **of)
    call(f"{org}.rbac_groups.update", **of, name="Renamed")
    call(f"{org}.rbac_groups.members.add", **of, user_id="user_01WCz1FkmYMm4gnmykNKUu3Q")
    call.list(f"{org}.rbac_groups.members.list", **of, size=1)
    call(f"{org}.rbac_groups.members.remove", **of, user_id="user_01WCz1FkmYMm4gnmykNKUu3Q")
    call(f"{org}.rbac_groups.delete", **of)
    roles = call.list(f"{org}.rbac_roles.list")
    call(f"{org}.rbac_roles.retrieve", rbac_role_id=roles[0]["id"])
    call.list(f"{org}.rbac_roles.permissions.list", rbac_role_id=roles[0]["id"], size=1)

    call.list(f"{org}.spend_limits.effective.list")
    requests = call.list(f"{org}.spend_limits.increase_requests.list")
    pending = [row["id"] for row in requests if row["status"] == "pending"]
    request = f"{org}.spend_limits.increase_requests"
    call(f"{request}.retrieve", spend_limit_increase_request_id=pending[0])
    call(f"{request}.approve", spend_limit_increase_request_id=pending[0], amount="75000")
    call(f"{request}.deny", spend_limit_increase_request_id=pending[1])
    call.refused(f"{request}.deny", 400, spend_limit_increase_request_id=pending[1])
    if call.list(f"{org}.spend_limits.list"):
        scope = {"type": "user", "user_id": "user_01WCz1FkmYMm4gnmykNKUu3Q"}
        limit = call(f"{org}.spend_limits.set", scope=scope, amount="75000")["id"]
        call(f"{org}.spend_limits.retrieve", spend_limit_id=limit)
        call(f"{org}.spend_limits.delete", spend_limit_id=limit)

    analytics = f"{org}.analytics"
    call.list(f"{analytics}.summaries.list", starting_date="2026-11-01")
    for report in ("users", "apps.chat.projects", "connectors", "skills"):
        call.list(f"{analytics}.{report}.list", date="2026-11-18", size=3)
    call.list(f"{analytics}.plugins.list", starting_date="2026-11-01", ending_date="2026-11-20", size=3)
    call.list(f"{analytics}.artifacts.list", date="2026-11-18", size=3)

    month = {"starting_at": "2026-11-01T00:00:00Z", "ending_at": "2026-11-20T00:00:00Z"}
    split = ["product", "model"]
    call.list(f"{analytics}.usage_report.list", **month, bucket_width="1d", group_by=split)
    call.list(f"{analytics}.cost_report.list", **month, group_by=[*split, "token_type"])
    call.list(f"{analytics}.user_usage_report.list", **month, group_by=split)
    call.list(f"{analytics}.user_cost_report.list", **month, bucket_width="1d", group_by=["cost_type"], size=31)
    if call.is_beta:
        managed_settings(call, f"{org}.claude_code.managed_settings")
        claude_tag(call, f"{org}.claude_tag")
        plugins(call, f"{org}.plugins", f"{org}.plugin_marketplaces")


def managed_settings(call, name):
    groups = call.list(f"{name}.rbac_groups.list", size=2)
    of = {"rbac_group_id": groups[0]["rbac_group_id"]}
    call(f"{name}.rbac_groups.retrieve", **of)
    call(f"{name}.rbac_groups.set", **of, settings={"model": "opus"})
    call(f"{name}.rbac_groups.delete", **of)
    call(f"{name}.rbac_groups.set", **of, settings={"model": "sonnet"})
    seen = call(f"{name}.configuration.retrieve")
    order = seen["rbac_group_order"][::-1]
    version = {"rbac_group_order_version": seen["rbac_group_order_version"]}
    changed = call(f"{name}.configuration.update", mode={"type": "rbac_groups"}, rbac_group_order=order, **version)
    if changed["rbac_group_order"] != order:
        call.told.append(f"{name}: the order is {changed['rbac_group_order']}")
    call.refused(f"{name}.configuration.update", 409, rbac_group_order=order, **version)
    call.refused(f"{name}.configuration.update", 400)
    call(f"{name}.rbac_group_default.retrieve")
    call(f"{name}.rbac_group_default.update", settings=None)
    call(f"{name}.rbac_group_default.update", settings={"model": "opus"})


def claude_tag(call, name):
    spaces = call.list(f"{name}.slack_workspaces.list", size=2)
    call.list(f"{name}.slack_workspaces.list", include_inherited=True, size=2)
    of = {"id": spaces[1]["id"]}
    call(f"{name}.slack_workspaces.retrieve", **of, include_inherited=True)
    call(f"{name}.slack_workspaces.update", **of, settings={"enabled": True, "guest_policy": None})
    slack = spaces[1]["slack"]["workspace_id"]
    channels = call.list(f"{name}.slack_channels.list", slack_workspace_id=slack, size=3)
    call.list(f"{name}.slack_channels.list", slack_workspace_id=slack, include_inherited=True, size=3)
    channel = {"channel_id": "C0MADE", "workspace_id": slack}
    made = call(f"{name}.slack_channels.create", slack=channel, settings={"instructions": "Be brief."})
    again = call(f"{name}.slack_channels.create", slack=channel)
    if again != made | {"updated_at": again["updated_at"]}:
        call.told.append(f"{name}: a channel that is set up twice is {again}")
    of = {"id": made["id"]}
    call(f"{name}.slack_channels.retrieve", **of, include_inherited=True)
    call.refused(f"{name}.slack_channels.delete", 400, "slack_channel_enabled", **of)
    mode = {"enabled": False, "reply_mode": {"type": "mention_only"}, "instructions": None}
    call(f"{name}.slack_channels.update", **of, settings=mode)
    call(f"{name}.slack_channels.delete", **of)

    bundles = call.list(f"{name}.bundles.list", size=2)
    of = {"bundle_id": bundles[0]["id"]}
    call(f"{name}.bundles.retrieve", **of)
    call(f"{name}.bundles.update", **of, instructions=None)
    call.list(f"{name}.bundles.targets.list", **of, size=2)
    to_channel = {"type": "slack_channel", "slack_channel_id": channels[-1]["id"]}
    target = call(f"{name}.bundles.targets.create", **of, target=to_channel)
    call(f"{name}.bundles.targets.create", **of, target={"type": "slack_workspace", "slack_workspace_id": spaces[2]["id"]})
    call(f"{name}.bundles.targets.retrieve", **of, target_id=target["id"])
    call(f"{name}.bundles.targets.delete", **of, target_id=target["id"])


def plugins(call, name, market):
    markets = call.list(f"{market}.list", size=3)
    call.list(f"{market}.list", owner_type="user")
    of = {"marketplace_id": markets[0]["id"]}
    call(f"{market}.retrieve", **of)
    call(f"{market}.update", **of, default_installation_preference="required")
    call(f"{market}.validate_repository", repository_url="https://github.com/example/plugins")
    call(f"{market}.validate_repository", repository_url="https://github.com/other/none", ref="main")
    every = call.list(f"{name}.list", size=5)
    call.list(f"{name}.list", owner_type="organization", created_at_gte=every[-1]["created_at"])
    own = {"plugin_id": every[0]["id"]}
    of_member = where(every, organization_installation_preference=None)
    call(f"{name}.retrieve", **own)
    call.list(f"{name}.shares.list", plugin_id=of_member["id"], size=1)
    versions = call.list(f"{name}.versions.list", **own, size=1)
    call(f"{name}.versions.retrieve", **own, version="latest")
    served = call(f"{name}.update", **own, served_version_id=versions[1]["id"])
    if served["served_version_id"] != versions[1]["id"] or not served["served_version_pinned"]:
        call.told.append(f"{name}.update: {served}")
    call.refused(f"{name}.update", 403, plugin_id=of_member["id"], served_version_id=versions[1]["id"])
    settings = f"{name}.installation_settings"
    call.list(f"{settings}.list", **own, size=1)
    call(f"{settings}.set", **own, target="organization", installation_preference="not_available")
    call(f"{settings}.remove", **own, target="organization")
    call.refused(f"{settings}.remove", 404, **own, target="organization")
    call(f"{name}.delete", **own)


def tunnels(call):
    call.list("tunnels.list", size=2, include_archived=True)
    of = {"tunnel_id": call("tunnels.create", display_name="Made")["id"]}
    call("tunnels.retrieve", **of)
    shown = call("tunnels.reveal_token", **of)
    if call("tunnels.rotate_token", **of, reason="made up")["tunnel_token"] == shown["tunnel_token"]:
        call.told.append("tunnels.rotate_token: the token is the old one")
    pem = "-----BEGIN CERTIFICATE-----\nmade up\n-----END CERTIFICATE-----\n"
    certificates = [call("tunnels.certificates.create", **of, ca_certificate_pem=pem)["id"] for _ in range(2)]
    call.refused("tunnels.certificates.create", 400, **of, ca_certificate_pem=pem)
    call.list("tunnels.certificates.list", **of, size=1)
    call("tunnels.certificates.retrieve", **of, certificate_id=certificates[0])
    call("tunnels.certificates.archive", **of, certificate_id=certificates[0])
    call("tunnels.archive", **of)


def compliance(call):
    review = "compliance.review"
    cases = call.list(f"{review}.cases.list")
    call.list(f"{review}.cases.list", updated_at_gte=cases[5]["updated_at"], order_by="updated_at", order="asc")
    case = where(cases, status={"type": "open"})
    call(f"{review}.cases.retrieve", case_id=case["id"])
    for message in [message for case in cases[:9] for message in case["transcripts"]]:
        of = {"user_profile_id": message["user_profile_id"]} if message["user_profile_id"] else {}
        call(f"{review}.items.retrieve", item_id=message["item_id"], **of)
    of_profile = next(m for case in cases for m in case["transcripts"] if m["user_profile_id"])
    call.refused(f"{review}.items.retrieve", 404, item_id=of_profile["item_id"])
    verdict = {"item_id": case["transcripts"][0]["item_id"], "determination": "violation", "policy_category": "fraud"}
    response = {"determination": "violation", "policy_categories": ["fraud", "io"], "verdicts": [verdict]}
    call(f"{review}.cases.respond", case_id=case["id"], **response)
    again = {**response, "policy_categories": ["io", "fraud"]}
    call(f"{review}.cases.respond", case_id=case["id"], **again)
    call.refused(f"{review}.cases.respond", 400, "case_closed", case_id=case["id"], determination="no_violation")
    call.list(f"{review}.notices.list")
    call.list(f"{review}.notices.list", case_id=case["id"])


def profiles(call):
    of_all = call.list("user_profiles.list")
    call.list("user_profiles.list", order_by="name", order="asc")
    for row in of_all[:9]:
        call("user_profiles.retrieve", user_profile_id=row["id"])
    of = {"user_profile_id": call("user_profiles.create", name="Made", access_type="passthrough")["id"]}
    if not call.is_beta:
        call.list("user_profiles.list", enforcement_status=["restricted", "banned"])
        call("user_profiles.update", **of, external_user_details={"country": "DE"}, metadata={"plan": "gold"})
    call("user_profiles.update", **of, name="Renamed")
    call.refused("user_profiles.update", 400, **of)
    call("user_profiles.action_urls.create", **of, action={"type": "enroll_end_user"})
    call("user_profiles.create_enrollment_url", **of)
    controls = "user_profiles.providers.google.data_controls"
    if call(f"{controls}.retrieve", **of):
        google(call, controls, **of)
        for row in of_all[:9]:
            call(f"{controls}.retrieve", user_profile_id=row["id"])
    call("user_profiles.delete", **of)


SERVICES = {
    "anthropic-admin": admin,
    "anthropic-admin-oauth": oauth,
    "anthropic-enterprise": enterprise,
    "anthropic-compliance": compliance,
    "anthropic-api": profiles,
    "anthropic-tunnels": tunnels,
}

# Whose resources the SDK has as betas alone.
BETA_ONLY = ("anthropic-compliance", "anthropic-tunnels")


def main(program, tools):
    client = anthropic.Anthropic(api_key="made-up")
    every = {name for part in STABLE for name in operations(getattr(client, part), part)}
    every |= {f"beta.{name}" for part in BETA for name in operations(getattr(client.beta, part), part)}
    called, told = set(), []
    for service, calls in SERVICES.items():
        for is_beta in (False, True):
            if service in BETA_ONLY and not is_beta:
                continue
            session = Session(program, tools, service, is_beta)
            try:
                calls(session)
            finally:
                session.end()
                called |= session.called
                told += session.told
    told += [f"{name}: not called" for name in sorted(every - called - NOT_CALLED)]
    told += [f"{name}: called, though it is said not to be" for name in sorted(called & NOT_CALLED)]
    told += [f"{name}: the SDK has no such operation" for name in sorted(NOT_CALLED - every)]
    for line in dict.fromkeys(told):
        print(line)
    print(f"{len(called)} of {len(every)} operations called")
    sys.exit(1 if told else 0)


main(*sys.argv[1:])
