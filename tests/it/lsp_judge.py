"""Drives `toolrun lsp` with pygls, whose types come from the protocol's own model: what is no message of it is refused."""

import asyncio
import os
import pathlib
import sys

VERSION = "2.1.1"

try:
    from importlib.metadata import version

    if version("pygls") != VERSION:
        sys.exit(77)
    from lsprotocol import types as t
    from pygls.lsp.client import BaseLanguageClient
except ImportError:
    sys.exit(77)

PROGRAM, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])


def check(condition, told):
    if not condition:
        raise SystemExit(f"{told}")


def capabilities():
    markdown = [t.MarkupKind.Markdown]
    item = t.ClientCompletionItemOptions(snippet_support=True)
    return t.ClientCapabilities(
        general=t.GeneralClientCapabilities(position_encodings=[t.PositionEncodingKind.Utf8]),
        workspace=t.WorkspaceClientCapabilities(
            did_change_watched_files=t.DidChangeWatchedFilesClientCapabilities(dynamic_registration=True)
        ),
        text_document=t.TextDocumentClientCapabilities(
            hover=t.HoverClientCapabilities(content_format=markdown),
            document_symbol=t.DocumentSymbolClientCapabilities(hierarchical_document_symbol_support=True),
            completion=t.CompletionClientCapabilities(completion_item=item),
        ),
    )


async def drive(client, path, published):
    uri, text = path.as_uri(), path.read_text()
    document = t.TextDocumentIdentifier(uri)
    client.text_document_did_open(
        t.DidOpenTextDocumentParams(t.TextDocumentItem(uri=uri, language_id="yaml", version=1, text=text))
    )
    lines = text.split("\n")
    counts = {"items": 0, "hovers": 0, "places": 0}
    for line in range(0, len(lines), max(1, len(lines) // 12)):
        for character in (0, len(lines[line]) // 2, len(lines[line])):
            place = t.Position(line, character)
            found = await client.text_document_completion_async(t.CompletionParams(document, place))
            counts["items"] += len(found.items)
            counts["hovers"] += bool(await client.text_document_hover_async(t.HoverParams(document, place)))
            target = await client.text_document_definition_async(t.DefinitionParams(document, place))
            uses = await client.text_document_references_async(
                t.ReferenceParams(t.ReferenceContext(True), document, place)
            )
            counts["places"] += bool(target) + len(uses or [])
    outline = await client.text_document_document_symbol_async(t.DocumentSymbolParams(document))
    check(outline, f"{path} has no outline")
    await client.text_document_formatting_async(t.DocumentFormattingParams(document, t.FormattingOptions(2, True)))
    # A key is misspelt.
    line = next(i for i, text in enumerate(lines) if text.startswith("spec:"))
    part = t.Range(t.Position(line, 0), t.Position(line, 2))
    change = t.TextDocumentContentChangePartial(range=part, text="xx")
    changed = t.VersionedTextDocumentIdentifier(uri=uri, version=2)
    client.text_document_did_change(t.DidChangeTextDocumentParams(changed, [change]))
    for _ in range(600):
        found = [p for p in published if p.uri == uri and p.version == 2]
        if found:
            break
        await asyncio.sleep(0.05)
    check(found and found[0].diagnostics[0].code == "unknown-key", f"{path}: {found}")
    actions = await client.text_document_code_action_async(
        t.CodeActionParams(document, part, t.CodeActionContext(found[0].diagnostics))
    )
    check(actions and actions[0].title == "Write `spec`", f"{path}: {actions}")
    client.text_document_did_close(t.DidCloseTextDocumentParams(document))
    return counts


async def main():
    client = BaseLanguageClient("judge", "1")
    published, asked, wrong = [], [], []
    client.feature(t.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)(lambda params: published.append(params))
    client.feature(t.CLIENT_REGISTER_CAPABILITY)(lambda params: asked.append(params))
    client.report_server_error = lambda error, source: wrong.append((error, source))
    await client.start_io(PROGRAM, "lsp", "--stdio")
    told = await client.initialize_async(
        t.InitializeParams(process_id=os.getpid(), root_uri=FOLDER.as_uri(), capabilities=capabilities())
    )
    check(told.capabilities.position_encoding == "utf-8", told)
    client.initialized(t.InitializedParams())
    total = {}
    for path in sorted(FOLDER.glob("**/*.yaml")):
        for key, count in (await drive(client, path, published)).items():
            total[key] = total.get(key, 0) + count
    check(all(total.values()), total)
    check(len(asked) == 1, asked)
    check(not wrong, wrong)
    await client.shutdown_async(None)
    client.exit(None)
    print("judged:", total)


asyncio.run(main())
