// Drives `toolrun serve` with the official TypeScript SDKs: the one of the older revisions, and the one of both eras.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createInterface } from 'node:readline';

const [, , program, folder] = process.argv;
const MODERN = '2026-07-28';
const FLAGS = ['serve', '--sandbox', 'list-members', 'get-organization', 'delete-invite'];
const require = createRequire(pathToFileURL(`${folder}/`));
const load = async (name) => import(pathToFileURL(require.resolve(name)));

const v1 = await load('@modelcontextprotocol/sdk/client/index.js');
const v1stdio = await load('@modelcontextprotocol/sdk/client/stdio.js');
const v1http = await load('@modelcontextprotocol/sdk/client/streamableHttp.js');
const v1types = await load('@modelcontextprotocol/sdk/types.js');
const v2 = await load('@modelcontextprotocol/client');
const v2stdio = await load('@modelcontextprotocol/client/stdio');

const about = { name: 'test', version: '0' };
const clients = [
  ['1, legacy', (can) => new v1.Client(about, can), v1stdio.StdioClientTransport, v1http.StreamableHTTPClientTransport],
  ...['legacy', 'auto', { pin: MODERN }].map((mode) => [
    `2, ${JSON.stringify(mode)}`,
    (can) => new v2.Client(about, { versionNegotiation: { mode }, ...can }),
    v2stdio.StdioClientTransport,
    v2.StreamableHTTPClientTransport,
  ]),
];

async function drive(told, client, transport) {
  await client.connect(transport);
  try {
    const { tools } = await client.listTools();
    assert.deepEqual(tools.map((tool) => tool.name), ['anthropic_admin_get_organization', 'anthropic_admin_list_members'], told);
    const call = (name, args, ...more) => client.callTool({ name, arguments: args }, ...more);
    const result = await call('anthropic_admin_list_members', { limit: 3 });
    assert.equal(result.structuredContent.members.length, 3, told);
    const next = await call('anthropic_admin_list_members', result.structuredContent.more.next);
    assert.notDeepEqual(next.structuredContent.members, result.structuredContent.members, told);
    const table = await call('anthropic_admin_list_members', { limit: 3, format: 'table', columns: ['id'] });
    assert.match(table.structuredContent.table, /^id\n/, told);
    const wrong = await call('anthropic_admin_list_members', { limit: 0 });
    assert.equal(wrong.isError, true, told);
    assert.match(wrong.content[0].text, /limit/, told);
    const refused = await call('anthropic_admin_delete_invite', { invite_id: 'x' });
    assert.match(refused.content[0].text, /only tools that read/, told);
    await assert.rejects(() => call('no_such_tool', {}), /no_such_tool/, told);
    const many = await Promise.all(Array.from({ length: 50 }, () => call('anthropic_admin_get_organization', {})));
    assert.ok(many.every((answer) => !answer.isError), told);
  } finally {
    await client.close();
  }
}

// A person says yes, then no. A client without a session cannot be asked.
async function ask(told, client, transport, schema, can) {
  const asked = [];
  client.setRequestHandler(schema, async (request) => {
    asked.push(request.params.message);
    return { action: 'accept', content: { approve: asked.length === 1 } };
  });
  await client.connect(transport);
  try {
    for (const yes of [true, false]) {
      const args = { email: `${yes}@example.com`, role: 'user' };
      const result = await client.callTool({ name: 'anthropic_admin_create_invite', arguments: args });
      assert.equal(!result.isError, yes && can, `${told}: ${JSON.stringify(result)}`);
    }
    assert.equal(asked.length, can ? 2 : 0, told);
    assert.ok(asked.every((message) => message.includes('A person answers for guests.')), told);
  } finally {
    await client.close();
  }
}

async function overHttp(flags, use) {
  const server = spawn(program, [...flags, '--http', '127.0.0.1:0'], { stdio: ['ignore', 'ignore', 'pipe'] });
  try {
    for await (const line of createInterface({ input: server.stderr })) {
      const url = line.match(/http:\S+/);
      if (url) {
        await use(new URL(url[0]));
        return;
      }
    }
  } finally {
    server.kill();
  }
}

for (const [told, make, Piped, Http] of clients) {
  await drive(`${told}, stdio`, make(), new Piped({ command: program, args: FLAGS, stderr: 'ignore' }));
  await overHttp(FLAGS, (url) => drive(`${told}, http`, make(), new Http(url)));
}

const policy = join(mkdtempSync(join(tmpdir(), 'policy-')), 'policy.yaml');
writeFileSync(policy, `policy: 1
approve: [elicitation]
rules: [{ tools: anthropic-admin/create-invite, do: ask, why: A person answers for guests. }]
`);
const asking = ['serve', '--sandbox', 'create-invite', '--policy', policy];
const can = { capabilities: { elicitation: { form: {} } } };
for (const [told, make, Piped, Http] of clients) {
  const schema = told.startsWith('1') ? v1types.ElicitRequestSchema : 'elicitation/create';
  const piped = new Piped({ command: program, args: asking, stderr: 'ignore' });
  await ask(`${told}, stdio`, make(can), piped, schema, true);
  await overHttp(asking, (url) => ask(`${told}, http`, make(can), new Http(url), schema, !told.includes('legacy')));
}
console.log('TypeScript: ok');
process.exit(0);
