//! The kinds of findings: one stable code each, with a wrong and a right example.
//!
//! The example of a change is two versions, each behind a line `# old` or `# new`. A file's name may follow, or `-` where there
//! is none.
//!
//! `toolrun explain CODE` prints an entry, the table in `docs/ci.md` is made of them, and a test proves that every wrong
//! example gives its code and every right one nothing.

use std::fmt;

use serde::{Serialize, Serializer};

use super::Severity;

/// What a code means, with examples. An example holds top-level keys of a tool's file, or a whole file if its first
/// line names one.
#[derive(Debug, Clone, Copy)]
pub struct Meaning {
    /// The name that users see, such as `unknown-key`.
    pub name: &'static str,
    /// Whether a descriptor with this finding can still be used.
    pub severity: Severity,
    /// What is wrong, in one sentence.
    pub summary: &'static str,
    /// A descriptor that has it.
    pub wrong: &'static str,
    /// The same descriptor, corrected.
    pub right: &'static str,
}

macro_rules! codes {
    ($($variant:ident $name:literal $severity:ident $summary:literal wrong: $wrong:literal right: $right:literal)*) => {
        /// The stable name of a kind of finding.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = $summary] $variant,)*
        }

        impl Code {
            /// Every code, in the order of this table.
            pub const ALL: &'static [Code] = &[$(Code::$variant),*];

            /// What the code means.
            pub fn meaning(self) -> &'static Meaning {
                match self {
                    $(Code::$variant => &Meaning {
                        name: $name,
                        severity: Severity::$severity,
                        summary: $summary,
                        wrong: $wrong,
                        right: $right,
                    },)*
                }
            }
        }
    };
}

codes! {
    UnreadableFile "unreadable-file" Error
    "The file cannot be read, is not UTF-8 text, or is too large."
    wrong: "a file that is saved in Latin-1"
    right: "the same file, saved in UTF-8"

    YamlSyntax "yaml-syntax" Error
    "The file is not one YAML document of plain maps, lists and scalars. Anchors, aliases, tags and merge keys are not allowed."
    wrong: "description: &text A probe.\ntitle: *text\n"
    right: "description: A probe.\ntitle: A probe.\n"

    DuplicateKey "duplicate-key" Error
    "A key is written twice in the same map; one of the two values would be lost."
    wrong: "response: { output: $.a, output: $.b }\n"
    right: "response: { output: { a: $.a, b: $.b } }\n"

    UnknownKey "unknown-key" Error
    "The format has no such key here. It is probably a typing mistake, and its value would be ignored."
    wrong: "respnse: { output: $.data }\n"
    right: "response: { output: $.data }\n"

    MissingKey "missing-key" Error
    "A key that the format requires is absent."
    wrong: "request: { method: GET }\n"
    right: "request: { method: GET, path: \"/things/{{ id }}\" }\n"

    WrongType "wrong-type" Error
    "The value has another type than its key takes."
    wrong: "title: [A probe]\n"
    right: "title: A probe\n"

    BadValue "bad-value" Error
    "The value is outside what its key allows."
    wrong: "access: readonly\n"
    right: "access: read\n"

    BadName "bad-name" Error
    "A name does not follow the rules, is reserved, or is not the name of its file or folder."
    wrong: "tool: Probe_It\n"
    right: "tool: probe\n"

    DuplicateName "duplicate-name" Error
    "Two things have the same name, so that only one of them could ever be reached."
    wrong: "examples:\n  - { name: one, args: { id: a } }\n  - { name: one, args: { id: b } }\n"
    right: "examples:\n  - { name: one, args: { id: a } }\n  - { name: two, args: { id: b } }\n"

    MissingService "missing-service" Error
    "There is no service.yaml of that name beside the tool's file."
    wrong: "service: prob\n"
    right: "service: { service: probe, base_url: https://probe.test }\n"

    BadBaseUrl "bad-base-url" Error
    "The base URL is not an https origin (or http on loopback) with an optional path, or it carries credentials."
    wrong: "service: { service: probe, base_url: http://probe.test }\n"
    right: "service: { service: probe, base_url: https://probe.test }\n"

    BadSchema "bad-schema" Error
    "The params or the output schema are not a valid JSON Schema (2020-12)."
    wrong: "params: { properties: { id: { type: strng, description: The id., default: a } } }\n"
    right: "params: { properties: { id: { type: string, description: The id., default: a } } }\n"

    BadDefault "bad-default" Error
    "A default or example does not satisfy its own schema."
    wrong: "params: { properties: { id: { type: integer, default: one, description: The id. } } }\n"
    right: "params: { properties: { id: { type: integer, default: 1, description: The id. } } }\n"

    BadTemplate "bad-template" Error
    "A string with {{ }} is not valid text with expressions."
    wrong: "request: { method: GET, path: \"/things/{{ id }\" }\n"
    right: "request: { method: GET, path: \"/things/{{ id }}\" }\n"

    FailingExpression "failing-expression" Error
    "An expression fails with every value that its names can have (a method, arithmetic on text, a member of a number), or compares a param with what it can never be."
    wrong: "request: { method: GET, path: \"/things/{{ id.lower() }}\" }\n"
    right: "request: { method: GET, path: \"/things/{{ id | lower }}\" }\n"

    UnknownName "unknown-name" Error
    "An expression, or a key that refers to something, uses a name that does not exist."
    wrong: "request: { method: GET, path: \"/things/{{ id }}\", query: { v: \"{{ vrsion }}\" } }\n"
    right: "request: { method: GET, path: \"/things/{{ id }}\", query: { v: 1 } }\n"

    BadPath "bad-path" Error
    "The path template cannot be a safe URL path."
    wrong: "request: { method: GET, path: \"/things/{{ id }}?full=true\" }\n"
    right: "request: { method: GET, path: \"/things/{{ id }}\", query: { full: true } }\n"

    BadPlace "bad-place" Error
    "A param of this type cannot be written where it is used: an object in a path, a nested list in a query."
    wrong: "params: { required: [id], properties: { id: { type: object, description: The id. } } }\n"
    right: "params: { required: [id], properties: { id: { type: string, description: The id. } } }\n"

    BadJsonPath "bad-jsonpath" Error
    "The JSONPath is not valid by RFC 9535."
    wrong: "response: { output: \"$.data[\" }\n"
    right: "response: { output: \"$.data[*]\" }\n"

    BadProjection "bad-projection" Error
    "A part of a projection is not valid, or can never give a value."
    wrong: "response: { output: { each: [data], as: $.id } }\n"
    right: "response: { output: { each: \"$.data[*]\", as: $.id } }\n"

    BadHeader "bad-header" Error
    "A header's name or value is not legal in HTTP, or the header belongs to the connection."
    wrong: "request: { method: GET, path: \"/things/{{ id }}\", headers: { \"x key\": a } }\n"
    right: "request: { method: GET, path: \"/things/{{ id }}\", headers: { x-key: a } }\n"

    BadBody "bad-body" Error
    "The body does not fit the method, or a part of it is not legal."
    wrong: "request: { method: GET, path: /things, body: { json: { id: \"{{ id }}\" } } }\n"
    right: "request: { method: POST, path: /things, body: { json: { id: \"{{ id }}\" } } }\naccess: write\n"

    BadPaging "bad-paging" Error
    "The paging section cannot walk the tool's pages."
    wrong: "paging: { items: \"$.data[*]\", next: { id: $.next } }\n"
    right: "paging: { items: $.data, next: { id: $.next } }\n"

    BadResponse "bad-response" Error
    "The response section or an error rule cannot work: it applies to no response, or it looks for something that this kind of response does not have."
    wrong: "response: { errors: [{ status: 404, action: empty, message: There is none. }] }\n"
    right: "response: { errors: [{ status: 404, action: fail, message: There is none. }] }\n"

    BadWait "bad-wait" Error
    "The wait section cannot poll the job."
    wrong: "wait: { until: $.done }\n"
    right: "wait: { path: \"/jobs/{{ created.id }}\", until: $.done }\n"

    BadRegex "bad-regex" Error
    "A regular expression does not compile."
    wrong: "service: { service: probe, base_url: https://probe.test, settings: { v: { default: a, pattern: \"[a\" } }, headers: { x-v: \"{{ settings.v }}\" } }\n"
    right: "service: { service: probe, base_url: https://probe.test, settings: { v: { default: a, pattern: \"[a]\" } }, headers: { x-v: \"{{ settings.v }}\" } }\n"

    LiteralSecret "literal-secret" Error
    "Something that looks like a secret is written in the descriptor itself, where everyone can read it."
    wrong: "service: { service: probe, base_url: https://probe.test, headers: { authorization: Bearer 3f786850e387550fdab836ed7e6dc881de23001b } }\n"
    right: "service: { service: probe, base_url: https://probe.test, auth: { kind: bearer, secret: { env: PROBE_TOKEN } } }\n"

    UnusedParam "unused-param" Error
    "A param is declared and never used, so its value would be ignored."
    wrong: "params: { properties: { id: { type: string, default: a, description: The id. }, limit: { type: integer, description: How many. } } }\n"
    right: "params: { properties: { id: { type: string, default: a, description: The id. } } }\n"

    OptionalInText "optional-in-text" Error
    "A param that may be absent is used inside a path or a longer text, and would leave a gap there."
    wrong: "params: { properties: { id: { type: string, description: The id. } } }\n"
    right: "params: { required: [id], properties: { id: { type: string, description: The id. } } }\n"

    ExampleFails "example-fails" Error
    "An example does not give the request or the output that it states."
    wrong: "examples: [{ name: one, args: { id: b }, request: { method: GET, url: https://probe.test/things/a } }]\n"
    right: "examples: [{ name: one, args: { id: b }, request: { method: GET, url: https://probe.test/things/b } }]\n"

    BadSandbox "bad-sandbox" Error
    "The sandbox declaration cannot work."
    wrong: "# sandbox.yaml\nspec: 1\nsandbox: probe\nseed: 1\nnow: yesterday\nrequest_id: r\nerrors: { body: {}, codes: {} }\nroutes: {}\n"
    right: "# sandbox.yaml\nspec: 1\nsandbox: probe\nseed: 1\nnow: \"2026-01-01T00:00:00Z\"\nrequest_id: r\nerrors: { body: {}, codes: {} }\nroutes: {}\n"

    UnreachableRule "unreachable-rule" Error
    "A rule of a policy never decides, because an earlier rule matches every call that it could match."
    wrong: "# policy.yaml\npolicy: 1\nrules:\n  - { tools: \"probe/*\", do: allow }\n  - { tools: probe/probe, do: deny }\n"
    right: "# policy.yaml\npolicy: 1\nrules:\n  - { tools: probe/probe, do: deny }\n  - { tools: \"probe/*\", do: allow }\n"

    NotFormatted "not-formatted" Error
    "The file is not in the one layout that `fmt` gives. Only the command `fmt` finds it."
    wrong: "allow:   {}\n"
    right: "allow: {}\n"

    UndescribedParam "undescribed-param" Warning
    "A param has no description, so that neither people nor models know what to give."
    wrong: "params: { properties: { id: { type: string, default: a } } }\n"
    right: "params: { properties: { id: { type: string, default: a, description: The id. } } }\n"

    UnusualAccess "unusual-access" Warning
    "The access class is not what the method suggests: a DELETE that only reads, a GET that writes."
    wrong: "request: { method: DELETE, path: \"/things/{{ id }}\" }\n"
    right: "request: { method: DELETE, path: \"/things/{{ id }}\" }\naccess: destructive\n"

    UnusedName "unused-name" Warning
    "A setting or a `let` is defined and never used."
    wrong: "response: { let: { ids: \"$.data[*].id\" }, output: $.data }\n"
    right: "response: { let: { ids: \"$.data[*].id\" }, output: { count: \"{{ ids | length }}\" } }\n"

    UncheckedFormat "unchecked-format" Warning
    "A schema names a `format` that is not known here, so it is not checked."
    wrong: "params: { properties: { id: { type: string, format: datetime, default: a, description: The id. } } }\n"
    right: "params: { properties: { id: { type: string, default: a, description: The id. } } }\n"

    UnusedPath "unused-path" Warning
    "A text in a projection or a request looks like a path or an expression, but is neither, so that it stands as it is."
    wrong: "response: { output: { id: .id } }\n"
    right: "response: { output: { id: $.id, kind: { literal: .id } } }\n"

    ShortDescription "short-description" Warning
    "The description is too short to choose the tool by, or says no more than its name. Only the lints of `validate` find it."
    wrong: "description: A probe.\n"
    right: "description: Tell the weight of one thing.\n"

    SimilarDescriptions "similar-descriptions" Warning
    "Two tools of a service have nearly the same description, so that a model cannot tell them apart. Only the lints of `validate` find it."
    wrong: "description: Tell the colour of a thing.\n"
    right: "description: Tell the weight of a thing.\n"

    ShadowedName "shadowed-name" Warning
    "A tool of another service has the same name, so that the name alone is ambiguous. Only the lints of `validate` find it."
    wrong: "description: Tell the weight of one thing.\ntitle: Shared\n"
    right: "description: Tell the weight of one thing.\n"

    NoExample "no-example" Warning
    "The tool has no example, so that nothing shows or tests what it sends. Only the lints of `validate` find it."
    wrong: "examples: []\n"
    right: "examples: [{ name: one, args: { id: a }, request: { method: GET, url: https://probe.test/things/a } }]\n"

    UnpagedList "unpaged-list" Warning
    "A param seems to choose a page, but there is no `paging`. Only the lints of `validate` find it."
    wrong: "params: { properties: { cursor: { type: string, description: The page. } } }\nrequest: { method: GET, path: /things, query: [cursor] }\nexamples: [{ name: one, request: { method: GET, url: https://probe.test/things } }]\n"
    right: "params: { properties: { cursor: { type: string, description: The page. } } }\nrequest: { method: GET, path: /things, query: [cursor] }\npaging: { items: $.data, next: { cursor: $.next } }\nresponse: { rows: data }\nexamples: [{ name: one, request: { method: GET, url: https://probe.test/things } }]\n"

    NoRows "no-rows" Warning
    "The output has a list, but no `rows` says that it is the table. Only the lints of `validate` find it."
    wrong: "response: { output: { things: { each: \"$.data[*]\", as: { id: $.id } } } }\n"
    right: "response: { output: { things: { each: \"$.data[*]\", as: { id: $.id } } }, rows: things }\n"

    NoIdempotency "no-idempotency" Warning
    "A POST or PATCH writes, and nothing says whether it may be sent again after a failure. Only the lints of `validate` find it."
    wrong: "access: write\nrequest: { method: POST, path: \"/things/{{ id }}\" }\nexamples: [{ name: one, request: { method: POST, url: https://probe.test/things/a } }]\n"
    right: "access: write\nrequest: { method: POST, path: \"/things/{{ id }}\", idempotent: false }\nexamples: [{ name: one, request: { method: POST, url: https://probe.test/things/a } }]\n"

    UnmetPattern "unmet-pattern" Warning
    "A pattern or a case of a policy names tools, and no tool that is known here has such a name."
    wrong: "# policy.yaml\npolicy: 1\nrules: [{ tools: prob/*, do: deny }]\n"
    right: "# policy.yaml\npolicy: 1\nrules: [{ tools: probe/*, do: deny }]\n"

    NeedlessAllow "needless-allow" Warning
    "`allow` names a warning that does not occur, or something that is no warning."
    wrong: "allow: { unused-name: The value is for later. }\n"
    right: "description: A probe.\n"

    ToolGone "tool-gone" Error
    "A tool is gone, or has another name, so that calls of it fail."
    wrong: "# old\ntool: probe\n# new -\n"
    right: "# old\ntool: probe\n# new\ntool: probe\n"

    ToolAdded "tool-added" Note
    "A tool is new."
    wrong: "# old -\n# new\ntool: probe\n"
    right: "# old\ntool: probe\n# new\ntool: probe\n"

    ServiceGone "service-gone" Error
    "A service is gone, or has another name."
    wrong: "# old things/service.yaml\nspec: 1\nservice: things\nbase_url: https://things.test\n# new -\n"
    right: "# old things/service.yaml\nspec: 1\nservice: things\nbase_url: https://things.test\n# new things/service.yaml\nspec: 1\nservice: things\nbase_url: https://things.test\n"

    ServiceAdded "service-added" Note
    "A service is new."
    wrong: "# old -\n# new things/service.yaml\nspec: 1\nservice: things\nbase_url: https://things.test\n"
    right: "# old things/service.yaml\nspec: 1\nservice: things\nbase_url: https://things.test\n# new things/service.yaml\nspec: 1\nservice: things\nbase_url: https://things.test\n"

    ParamGone "param-gone" Error
    "A param is gone, or has another name, so that calls that give it fail."
    wrong: "# old\nparams: { properties: { id: { type: string, default: a, description: The id. }, limit: { type: integer, description: How many. } } }\nrequest: { method: GET, path: \"/things/{{ id }}\", query: [limit] }\n# new\nparams: { properties: { id: { type: string, default: a, description: The id. } } }\n"
    right: "# old\nparams: { properties: { id: { type: string, default: a, description: The id. }, limit: { type: integer, description: How many. } } }\nrequest: { method: GET, path: \"/things/{{ id }}\", query: [limit] }\n# new\nparams: { properties: { id: { type: string, default: a, description: The id. }, limit: { type: integer, description: How many. } } }\nrequest: { method: GET, path: \"/things/{{ id }}\", query: [limit] }\n"

    ParamRequired "param-required" Error
    "A param must be given now, so that calls without it fail."
    wrong: "# old\nparams: { properties: { id: { type: string, default: a, description: The id. }, limit: { type: integer, description: How many. } } }\nrequest: { method: GET, path: \"/things/{{ id }}\", query: [limit] }\n# new\nparams: { required: [limit], properties: { id: { type: string, default: a, description: The id. }, limit: { type: integer, description: How many. } } }\nrequest: { method: GET, path: \"/things/{{ id }}\", query: [limit] }\n"
    right: "# old\nparams: { properties: { id: { type: string, default: a, description: The id. }, limit: { type: integer, description: How many. } } }\nrequest: { method: GET, path: \"/things/{{ id }}\", query: [limit] }\n# new\nparams: { properties: { id: { type: string, default: a, description: The id. }, limit: { type: integer, description: How many. } } }\nrequest: { method: GET, path: \"/things/{{ id }}\", query: [limit] }\n"

    ParamAdded "param-added" Note
    "A param is new, and may be left out."
    wrong: "# old\nparams: { properties: { id: { type: string, default: a, description: The id. } } }\n# new\nparams: { properties: { id: { type: string, default: a, description: The id. }, limit: { type: integer, description: How many. } } }\nrequest: { method: GET, path: \"/things/{{ id }}\", query: [limit] }\n"
    right: "# old\nparams: { properties: { id: { type: string, default: a, description: The id. } } }\n# new\nparams: { properties: { id: { type: string, default: a, description: The id. } } }\n"

    ParamOptional "param-optional" Note
    "A param may be left out now."
    wrong: "# old\nparams: { required: [limit], properties: { id: { type: string, default: a, description: The id. }, limit: { type: integer, description: How many. } } }\nrequest: { method: GET, path: \"/things/{{ id }}\", query: [limit] }\n# new\nparams: { properties: { id: { type: string, default: a, description: The id. }, limit: { type: integer, description: How many. } } }\nrequest: { method: GET, path: \"/things/{{ id }}\", query: [limit] }\n"
    right: "# old\nparams: { required: [limit], properties: { id: { type: string, default: a, description: The id. }, limit: { type: integer, description: How many. } } }\nrequest: { method: GET, path: \"/things/{{ id }}\", query: [limit] }\n# new\nparams: { required: [limit], properties: { id: { type: string, default: a, description: The id. }, limit: { type: integer, description: How many. } } }\nrequest: { method: GET, path: \"/things/{{ id }}\", query: [limit] }\n"

    ParamNarrowed "param-narrowed" Error
    "A param takes fewer values than before."
    wrong: "# old\nparams: { properties: { id: { type: string, default: a, description: The id. }, limit: { type: integer, maximum: 100, description: How many. } } }\nrequest: { method: GET, path: \"/things/{{ id }}\", query: [limit] }\n# new\nparams: { properties: { id: { type: string, default: a, description: The id. }, limit: { type: integer, maximum: 50, description: How many. } } }\nrequest: { method: GET, path: \"/things/{{ id }}\", query: [limit] }\n"
    right: "# old\nparams: { properties: { id: { type: string, default: a, description: The id. }, limit: { type: integer, enum: [1], description: How many. } } }\nrequest: { method: GET, path: \"/things/{{ id }}\", query: [limit] }\n# new\nparams: { properties: { id: { type: string, default: a, description: The id. }, limit: { type: integer, const: 1, description: How many. } } }\nrequest: { method: GET, path: \"/things/{{ id }}\", query: [limit] }\n"

    ParamWidened "param-widened" Note
    "A param takes more values than before."
    wrong: "# old\nparams: { properties: { id: { type: string, default: a, description: The id. }, limit: { type: integer, maximum: 50, description: How many. } } }\nrequest: { method: GET, path: \"/things/{{ id }}\", query: [limit] }\n# new\nparams: { properties: { id: { type: string, default: a, description: The id. }, limit: { type: integer, maximum: 100, description: How many. } } }\nrequest: { method: GET, path: \"/things/{{ id }}\", query: [limit] }\n"
    right: "# old\nparams: { properties: { id: { type: string, default: a, description: The id. }, limit: { type: integer, maximum: 50, description: How many. } } }\nrequest: { method: GET, path: \"/things/{{ id }}\", query: [limit] }\n# new\nparams: { properties: { id: { type: string, default: a, description: The id. }, limit: { type: integer, maximum: 50, description: How many. } } }\nrequest: { method: GET, path: \"/things/{{ id }}\", query: [limit] }\n"

    ParamChanged "param-changed" Error
    "A param takes other values than before, or its schemas are such that nobody can tell."
    wrong: "# old\nparams: { properties: { id: { type: string, default: a, description: The id. }, limit: { type: integer, maximum: 50, description: How many. } } }\nrequest: { method: GET, path: \"/things/{{ id }}\", query: [limit] }\n# new\nparams: { properties: { id: { type: string, default: a, description: The id. }, limit: { type: string, description: How many. } } }\nrequest: { method: GET, path: \"/things/{{ id }}\", query: [limit] }\n"
    right: "# old\nparams: { properties: { id: { type: string, default: a, description: The id. }, limit: { type: integer, maximum: 50, description: How many. } } }\nrequest: { method: GET, path: \"/things/{{ id }}\", query: [limit] }\n# new\nparams: { properties: { id: { type: string, default: a, description: The id. }, limit: { type: integer, maximum: 50, description: How many. } } }\nrequest: { method: GET, path: \"/things/{{ id }}\", query: [limit] }\n"

    DefaultChanged "default-changed" Error
    "A param that is left out has another value than before."
    wrong: "# old\nparams: { properties: { id: { type: string, default: a, description: The id. } } }\n# new\nparams: { properties: { id: { type: string, default: b, description: The id. } } }\n"
    right: "# old\nparams: { properties: { id: { type: string, default: a, description: The id. } } }\n# new\nparams: { properties: { id: { type: string, default: a, description: The id. } } }\n"

    OutputGone "output-gone" Error
    "A part of the output is gone, or may be absent now."
    wrong: "# old\nresponse: { output: { id: $.id, name: $.name } }\n# new\nresponse: { output: { id: $.id } }\n"
    right: "# old\nresponse: { output: { id: $.id, name: $.name } }\n# new\nresponse: { output: { id: $.id, name: $.name } }\n"

    OutputChanged "output-changed" Error
    "A part of the output may have values that it never had, or is taken from elsewhere."
    wrong: "# old\nresponse: { output: { id: $.id } }\n# new\nresponse: { output: { id: $.uuid } }\n"
    right: "# old\nresponse: { output: { id: $.id } }\n# new\nresponse: { output: { id: \"$['id']\" } }\n"

    OutputAdded "output-added" Note
    "A part of the output is new."
    wrong: "# old\nresponse: { output: { id: $.id } }\n# new\nresponse: { output: { id: $.id, name: $.name } }\n"
    right: "# old\nresponse: { output: { id: $.id } }\n# new\nresponse: { output: { id: $.id } }\n"

    OutputNarrowed "output-narrowed" Note
    "More is known of a part of the output than before."
    wrong: "# old\nresponse: { schema: { type: object, properties: { id: { type: [string, \"null\"] } } } }\n# new\nresponse: { schema: { type: object, properties: { id: { type: string } } } }\n"
    right: "# old\nresponse: { schema: { type: object, properties: { id: { type: [string, \"null\"] } } } }\n# new\nresponse: { schema: { type: object, properties: { id: { type: [string, \"null\"] } } } }\n"

    RowsChanged "rows-changed" Error
    "The rows of a table are another part of the output."
    wrong: "# old\nresponse: { output: { a: \"$.a[*]\", b: \"$.b[*]\" }, rows: a }\n# new\nresponse: { output: { a: \"$.a[*]\", b: \"$.b[*]\" }, rows: b }\n"
    right: "# old\nresponse: { output: { a: \"$.a[*]\", b: \"$.b[*]\" }, rows: a }\n# new\nresponse: { output: { a: \"$.a[*]\", b: \"$.b[*]\" }, rows: a }\n"

    PagingChanged "paging-changed" Error
    "The pages of a list follow each other in another way."
    wrong: "# old\npaging: { items: $.data, next: { id: $.next } }\n# new\npaging: { items: $.data, next: { id: $.cursor } }\n"
    right: "# old\npaging: { items: $.data, next: { id: $.next } }\n# new\npaging: { items: $.data, next: { id: $.next } }\n"

    AccessChanged "access-changed" Error
    "A tool needs consent that it did not need, or none any more."
    wrong: "# old\naccess: read\n# new\naccess: write\nallow: { unusual-access: It counts. }\n"
    right: "# old\naccess: read\n# new\naccess: read\n"

    RequestChanged "request-changed" Error
    "The same arguments send another request."
    wrong: "# old\nrequest: { method: GET, path: \"/things/{{ id }}\" }\n# new\nrequest: { method: GET, path: \"/v2/things/{{ id }}\" }\n"
    right: "# old\nrequest: { method: GET, path: \"/things/{{ id }}\" }\n# new\nrequest: { method: GET, path: \"/things/{{id}}\", query: {} }\n"

    RepeatChanged "repeat-changed" Error
    "A request that failed is sent again, or is not sent again any more."
    wrong: "# old\nrequest: { method: GET, path: \"/things/{{ id }}\", idempotent: false }\n# new\nrequest: { method: GET, path: \"/things/{{ id }}\" }\n"
    right: "# old\nrequest: { method: GET, path: \"/things/{{ id }}\", idempotent: false }\n# new\nrequest: { method: GET, path: \"/things/{{ id }}\", idempotent: false }\n"

    WaitChanged "wait-changed" Error
    "A job is waited for in another way, or not any more."
    wrong: "# old\nwait: { path: \"/jobs/{{ created.id }}\", until: $.done }\n# new\nwait: { path: \"/jobs/{{ created.id }}\", until: $.ready }\n"
    right: "# old\nwait: { path: \"/jobs/{{ created.id }}\", until: $.done }\n# new\nwait: { path: \"/jobs/{{ created.id }}\", until: $.done }\n"

    ErrorsChanged "errors-changed" Error
    "Answers of the service are taken for other errors, or for none any more."
    wrong: "# old\nresponse: { errors: [{ status: 404, action: empty }] }\n# new\nresponse: { errors: [{ status: 404, action: fail, message: There is none. }] }\n"
    right: "# old\nresponse: { errors: [{ status: 404, action: empty }] }\n# new\nresponse: { errors: [{ status: 404, action: empty }] }\n"

    OriginChanged "origin-changed" Error
    "Requests go to another origin, or may go to other addresses."
    wrong: "# old\nservice: { service: probe, base_url: https://probe.test }\n# new\nservice: { service: probe, base_url: https://other.test }\n"
    right: "# old\nservice: { service: probe, base_url: https://probe.test }\n# new\nservice: { service: probe, base_url: https://probe.test }\n"

    SecretChanged "secret-changed" Error
    "A secret comes from elsewhere, is new, or must have another form."
    wrong: "# old\nservice: { service: probe, base_url: https://probe.test, auth: { kind: bearer, secret: { env: PROBE_TOKEN } } }\n# new\nservice: { service: probe, base_url: https://probe.test, auth: { kind: bearer, secret: { env: PROBE_KEY } } }\n"
    right: "# old\nservice: { service: probe, base_url: https://probe.test, auth: { kind: bearer, secret: { env: PROBE_TOKEN } } }\n# new\nservice: { service: probe, base_url: https://probe.test, auth: { kind: bearer, secret: { env: PROBE_TOKEN } } }\n"

    AuthChanged "auth-changed" Error
    "Requests prove in another way who sends them."
    wrong: "# old\nservice: { service: probe, base_url: https://probe.test, auth: { kind: bearer, secret: { env: PROBE_TOKEN } } }\n# new\nservice: { service: probe, base_url: https://probe.test, auth: { kind: api_key, in: header, name: x-key, secret: { env: PROBE_TOKEN } } }\n"
    right: "# old\nservice: { service: probe, base_url: https://probe.test, auth: { kind: bearer, secret: { env: PROBE_TOKEN } } }\n# new\nservice: { service: probe, base_url: https://probe.test, auth: { kind: bearer, secret: { env: PROBE_TOKEN } } }\n"

    SettingChanged "setting-changed" Error
    "A setting is gone, is new without a default, or has another default, variable or pattern."
    wrong: "# old\nservice: { service: probe, base_url: https://probe.test, settings: { v: { default: a } }, headers: { x-v: \"{{ settings.v }}\" } }\n# new\nservice: { service: probe, base_url: https://probe.test, settings: { v: { default: b } }, headers: { x-v: \"{{ settings.v }}\" } }\n"
    right: "# old\nservice: { service: probe, base_url: https://probe.test, settings: { v: { default: a } }, headers: { x-v: \"{{ settings.v }}\" } }\n# new\nservice: { service: probe, base_url: https://probe.test, settings: { v: { default: a } }, headers: { x-v: \"{{ settings.v }}\" } }\n"

    LimitsChanged "limits-changed" Note
    "Rates, retries, timeouts or limits of a service are others."
    wrong: "# old\nservice: { service: probe, base_url: https://probe.test, rate_limit: { requests: 100, per: 1m } }\n# new\nservice: { service: probe, base_url: https://probe.test, rate_limit: { requests: 50, per: 1m } }\n"
    right: "# old\nservice: { service: probe, base_url: https://probe.test, rate_limit: { requests: 100, per: 1m } }\n# new\nservice: { service: probe, base_url: https://probe.test, rate_limit: { requests: 100, per: 1m } }\n"

    RedactChanged "redact-changed" Error
    "Recordings hide other fields, or hide them in another way."
    wrong: "# old\nservice: { service: probe, base_url: https://probe.test, redact: [$.email] }\n# new\nservice: { service: probe, base_url: https://probe.test }\n"
    right: "# old\nservice: { service: probe, base_url: https://probe.test, redact: [$.email] }\n# new\nservice: { service: probe, base_url: https://probe.test, redact: [$.email] }\n"

    SyncChanged "sync-changed" Error
    "The rows of a tool are copied in another way, or not any more."
    wrong: "# old\nresponse: { output: { rows: { each: \"$[*]\", as: { id: $.id, at: $.at } } }, rows: rows }\nsync: { key: [id] }\n# new\nresponse: { output: { rows: { each: \"$[*]\", as: { id: $.id, at: $.at } } }, rows: rows }\nsync: { key: [at] }\n"
    right: "# old\nresponse: { output: { rows: { each: \"$[*]\", as: { id: $.id, at: $.at } } }, rows: rows }\nsync: { key: [id] }\n# new\nresponse: { output: { rows: { each: \"$[*]\", as: { id: $.id, at: $.at } } }, rows: rows }\nsync: { key: [id] }\n"

    PolicyChanged "policy-changed" Error
    "A policy says something else."
    wrong: "# old policy.yaml\npolicy: 1\nrules: [{ tools: probe/probe, do: ask }]\n# new policy.yaml\npolicy: 1\nrules: [{ tools: probe/probe, do: deny }]\n"
    right: "# old policy.yaml\npolicy: 1\nrules: [{ tools: probe/probe, do: ask }]\n# new policy.yaml\npolicy: 1\nrules: [{ tools: probe/probe, do: ask }]\n"

    CallersChanged "callers-changed" Error
    "Other callers are known, or they may do something else."
    wrong: "# old callers.yaml\ncallers: 1\ntokens: [{ name: agent, token: \"sha256:00000000000000000000000000000000000000000000000000000000000000aa\", rate: 60 }]\n# new callers.yaml\ncallers: 1\ntokens: [{ name: agent, token: \"sha256:00000000000000000000000000000000000000000000000000000000000000aa\", rate: 30 }]\n"
    right: "# old callers.yaml\ncallers: 1\ntokens: [{ name: agent, token: \"sha256:00000000000000000000000000000000000000000000000000000000000000aa\", rate: 60 }]\n# new callers.yaml\ncallers: 1\ntokens: [{ name: agent, token: \"sha256:00000000000000000000000000000000000000000000000000000000000000aa\", rate: 60 }]\n"

    SandboxChanged "sandbox-changed" Note
    "The sandbox of a service answers in another way."
    wrong: "# old sandbox.yaml\nspec: 1\nsandbox: probe\nseed: 1\nnow: \"2026-01-01T00:00:00Z\"\nrequest_id: r\nerrors: { body: {}, codes: {} }\nroutes: {}\n# new sandbox.yaml\nspec: 1\nsandbox: probe\nseed: 2\nnow: \"2026-01-01T00:00:00Z\"\nrequest_id: r\nerrors: { body: {}, codes: {} }\nroutes: {}\n"
    right: "# old sandbox.yaml\nspec: 1\nsandbox: probe\nseed: 1\nnow: \"2026-01-01T00:00:00Z\"\nrequest_id: r\nerrors: { body: {}, codes: {} }\nroutes: {}\n# new sandbox.yaml\nspec: 1\nsandbox: probe\nseed: 1\nnow: \"2026-01-01T00:00:00Z\"\nrequest_id: r\nerrors: { body: {}, codes: {} }\nroutes: {}\n"

    DocsChanged "docs-changed" Note
    "Descriptions, titles, links, examples or the look of charts are others."
    wrong: "# old\ndescription: A probe.\n# new\ndescription: Another probe.\n"
    right: "# old\ndescription: A probe.\n# new\ndescription: A probe.\n"

    NotCompared "not-compared" Error
    "What changed cannot be told, because the old version is not valid, or no request can be compared."
    wrong: "# old\nreqest: {}\n\n# new\ntitle: A probe\n"
    right: "# old\ntitle: A probe\n# new\ntitle: A probe\n"
    UnmatchedRequest "unmatched-request" Warning
    "Recordings have a request of the service that no tool makes."
    wrong: "# recorded: GET /thing/a -> 200 {}\n"
    right: "# recorded: GET /things/a -> 200 {}\n"

    UnknownPart "unknown-part" Warning
    "Recorded requests have a query parameter, a field or a body that the tool does not have."
    wrong: "# recorded: GET /things/a?full=true -> 200 {}\n"
    right: "# recorded: GET /things/a?full=true -> 200 {}\nrequest: { method: GET, path: \"/things/{{ id }}\", query: { full: true } }\n"

    MissingPart "missing-part" Warning
    "Recorded requests lack something that the tool requires or always sends, and the service took them."
    wrong: "# recorded: GET /things/a -> 200 {}\nrequest: { method: GET, path: \"/things/{{ id }}\", query: { full: true } }\n"
    right: "# recorded: GET /things/a -> 200 {}\n"

    OtherConstant "other-constant" Warning
    "Recorded requests have another value, or another kind of body, than the one that the tool always sends."
    wrong: "# recorded: GET /things/a?v=2 -> 200 {}\nrequest: { method: GET, path: \"/things/{{ id }}\", query: { v: 1 } }\n"
    right: "# recorded: GET /things/a?v=2 -> 200 {}\nrequest: { method: GET, path: \"/things/{{ id }}\", query: { v: 2 } }\n"

    RefusedValue "refused-value" Warning
    "The service took recorded values that the params schema refuses."
    wrong: "# recorded: GET /things/abc -> 200 {}\nparams: { properties: { id: { type: string, maxLength: 2, default: a, description: The id. } } }\n"
    right: "# recorded: GET /things/abc -> 200 {}\nparams: { properties: { id: { type: string, maxLength: 3, default: a, description: The id. } } }\n"

    UnreadValue "unread-value" Note
    "Recorded values are not checked here: an expression computes this part of the request, or it is hidden in recordings."
    wrong: "# recorded: GET /things/a -> 200 {}\nrequest: { method: GET, path: \"/things/{{ id | lower }}\" }\n"
    right: "# recorded: GET /things/a -> 200 {}\nrequest: { method: GET, path: \"/things/{{ id }}\" }\n"

    LostPath "lost-path" Warning
    "A path of the projection or the paging finds nothing in any recorded answer."
    wrong: "# recorded: GET /things/a -> 200 {}\nresponse: { output: { name: $.name } }\n"
    right: "# recorded: GET /things/a -> 200 {\"title\": \"A\"}\nresponse: { output: { name: $.title } }\n"

    ChangedShape "changed-shape" Error
    "Recorded answers have something else where the tool reads a list or an object, so that a call would fail."
    wrong: "# recorded: GET /things/a -> 200 {\"size\": 3}\nresponse: { output: { width: $.size.width } }\n"
    right: "# recorded: GET /things/a -> 200 {\"size\": 3}\nresponse: { output: { size: $.size } }\n"

    UnlikeSchema "unlike-schema" Error
    "Recorded answers give an output that `response.schema` does not allow: another type, a new value, or a member that is missing."
    wrong: "# recorded: GET /things/a -> 200 {\"id\": 1}\nresponse: { output: { id: $.id }, schema: { type: object, properties: { id: { type: string } } } }\n"
    right: "# recorded: GET /things/a -> 200 {\"id\": 1}\nresponse: { output: { id: $.id }, schema: { type: object, properties: { id: { type: integer } } } }\n"

    NewField "new-field" Note
    "Most recorded answers have a member that nothing reads and no example has."
    wrong: "# recorded: GET /things/a -> 200 {\"id\": \"a\", \"size\": 3}\nresponse: { output: { id: $.id } }\n"
    right: "# recorded: GET /things/a -> 200 {\"id\": \"a\", \"size\": 3}\nresponse: { output: { id: $.id, size: $.size } }\n"

    StaleExample "stale-example" Warning
    "An example's response has another shape than all recorded ones."
    wrong: "# recorded: GET /things/a -> 200 {\"id\": 1}\nresponse: { output: { id: $.id } }\nexamples: [{ name: one, args: { id: a }, response: { body: { id: a } }, output: { id: a } }]\n"
    right: "# recorded: GET /things/a -> 200 {\"id\": 1}\nresponse: { output: { id: $.id } }\nexamples: [{ name: one, args: { id: a }, response: { body: { id: 1 } }, output: { id: 1 } }]\n"

    UnknownError "unknown-error" Warning
    "Recorded error answers do not have their message or code where the service's `errors` look for it."
    wrong: "# recorded: GET /things/a -> 404 {\"error\": \"gone\"}\nservice: { service: probe, base_url: https://probe.test, errors: { message: $.message } }\n"
    right: "# recorded: GET /things/a -> 404 {\"error\": \"gone\"}\nservice: { service: probe, base_url: https://probe.test, errors: { message: $.error } }\n"

    UnknownStatus "unknown-status" Warning
    "The service answers with a status that no rule knows."
    wrong: "# recorded: GET /things/a -> 529 {\"message\": \"busy\"}\n"
    right: "# recorded: GET /things/a -> 529 {\"message\": \"busy\"}\nservice: { service: probe, base_url: https://probe.test, retry: { statuses: [429, 529] } }\n"
}

impl Code {
    /// The name that users see, such as `unknown-key`.
    pub fn name(self) -> &'static str {
        self.meaning().name
    }

    /// Whether it tells a change between two versions, and not a mistake in one.
    pub fn is_change(self) -> bool {
        self.meaning().wrong.starts_with("# old")
    }

    /// Whether the finding is certain even if other parts of the file are broken. Other findings may only be a
    /// consequence of a broken part.
    pub fn stands_alone(self) -> bool {
        matches!(
            self,
            Code::UnknownKey
                | Code::BadName
                | Code::BadBaseUrl
                | Code::BadSchema
                | Code::BadDefault
                | Code::BadTemplate
                | Code::BadPath
                | Code::BadJsonPath
                | Code::BadProjection
                | Code::BadHeader
                | Code::BadRegex
                | Code::LiteralSecret
        )
    }

    /// Whether the value with the finding cannot be used, so that what is missing elsewhere may be a consequence.
    pub(crate) fn breaks_its_place(self) -> bool {
        self.meaning().severity == Severity::Error
            && !matches!(
                self,
                Code::LiteralSecret
                    | Code::UnusedParam
                    | Code::OptionalInText
                    | Code::DuplicateName
                    | Code::BadName
                    | Code::ExampleFails
                    | Code::NotFormatted
            )
    }

    /// Whether it is found in recordings, and never in a file alone.
    pub fn is_of_recordings(self) -> bool {
        matches!(
            self,
            Code::UnmatchedRequest
                | Code::UnknownPart
                | Code::MissingPart
                | Code::OtherConstant
                | Code::RefusedValue
                | Code::UnreadValue
                | Code::LostPath
                | Code::ChangedShape
                | Code::UnlikeSchema
                | Code::NewField
                | Code::StaleExample
                | Code::UnknownError
                | Code::UnknownStatus
        )
    }

    /// Whether the finding is only looked for where lints are asked for.
    pub fn is_lint(self) -> bool {
        matches!(
            self,
            Code::ShortDescription
                | Code::SimilarDescriptions
                | Code::ShadowedName
                | Code::NoExample
                | Code::UnpagedList
                | Code::NoRows
                | Code::NoIdempotency
        )
    }

    /// The code of this name.
    pub fn from_name(name: &str) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| code.name() == name)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
