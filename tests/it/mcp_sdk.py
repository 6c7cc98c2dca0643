"""Drives `toolrun serve` with the official Python SDK: over both transports and in both eras."""

import asyncio
import contextlib
import subprocess
import sys
import tempfile

VERSION = "2.3.0"

try:
    from importlib.metadata import version

    if version("mcp") != VERSION:
        sys.exit(77)
    from mcp import Client
    from mcp.client.stdio import StdioServerParameters
    from mcp.types import ElicitResult
except ImportError:
    sys.exit(77)

PROGRAM, MODERN = sys.argv[1], "2026-07-28"
FLAGS = ["serve", "--sandbox", "list-members", "get-organization", "delete-invite"]


def check(condition, told):
    if not condition:
        raise SystemExit(f"{told}")


@contextlib.contextmanager
def served(flags):
    server = subprocess.Popen([PROGRAM, *flags, "--http", "127.0.0.1:0"], stderr=subprocess.PIPE, text=True)
    try:
        line = next(line for line in server.stderr if "http://" in line)
        yield "http" + line.split("http")[1].strip()
    finally:
        server.terminate()
        server.wait()


async def drive(target, mode):
    async with Client(target, mode=mode) as client:
        modern = client.protocol_version == MODERN
        check(modern == (mode != "legacy"), client.protocol_version)
        names = [tool.name for tool in (await client.list_tools()).tools]
        check(names == ["anthropic_admin_get_organization", "anthropic_admin_list_members"], names)
        result = await client.call_tool("anthropic_admin_list_members", {"limit": 3})
        check(not result.is_error and len(result.structured_content["members"]) == 3, result)
        table = await client.call_tool("anthropic_admin_list_members", {"limit": 3, "format": "table", "columns": ["id"]})
        check(table.structured_content["table"].startswith("id\n"), table)
        following = await client.call_tool("anthropic_admin_list_members", result.structured_content["more"]["next"])
        check(following.structured_content["members"] != result.structured_content["members"], following)
        wrong = await client.call_tool("anthropic_admin_list_members", {"limit": 0})
        check(wrong.is_error and "limit" in wrong.content[0].text, wrong)
        refused = await client.call_tool("anthropic_admin_delete_invite", {"invite_id": "x"})
        check(refused.is_error and "only tools that read" in refused.content[0].text, refused)
        try:
            await client.call_tool("no_such_tool", {})
            raise SystemExit("an unknown tool was called")
        except Exception as error:
            check("no_such_tool" in str(error), error)
        notes = []

        async def note(progress, total, message):
            notes.append(progress)

        await client.call_tool("anthropic_admin_list_members", {"limit": 2, "max_rows": 6}, progress_callback=note)
        check(notes == sorted(set(notes)) and notes, notes)
        many = [client.call_tool("anthropic_admin_get_organization", {}) for _ in range(50)]
        check(all(not answer.is_error for answer in await asyncio.gather(*many)), "fifty at once")


POLICY = """policy: 1
approve: [elicitation]
rules: [{ tools: anthropic-admin/create-invite, do: ask, why: A person answers for guests. }]
"""


async def ask(target, mode, can):
    """A person says yes, then no. A client without a session cannot be asked."""
    asked, said = [], []

    async def person(context, params):
        asked.append(params.message)
        return ElicitResult(action="accept", content={"approve": said[-1]})

    async with Client(target, mode=mode, elicitation_callback=person) as client:
        for yes in (True, False):
            said.append(yes)
            arguments = {"email": f"{yes}@example.com".lower(), "role": "user"}
            result = await client.call_tool("anthropic_admin_create_invite", arguments)
            check(result.is_error != (yes and can), result)
        check(len(asked) == (2 if can else 0), asked)
        check(all("A person answers for guests." in message for message in asked), asked)


def main():
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as policy:
        policy.write(POLICY)
        policy.flush()
        flags = ["serve", "--sandbox", "create-invite", "--policy", policy.name]
        for mode in ("legacy", "auto", MODERN):
            asyncio.run(ask(StdioServerParameters(command=PROGRAM, args=flags), mode, True))
            with served(flags) as url:
                asyncio.run(ask(url, mode, mode != "legacy"))
    for mode in ("legacy", "auto", MODERN):
        asyncio.run(drive(StdioServerParameters(command=PROGRAM, args=FLAGS), mode))
        with served(FLAGS) as url:
            asyncio.run(drive(url, mode))
    print("Python: ok")


main()
