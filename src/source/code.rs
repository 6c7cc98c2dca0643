//! The kinds of findings: one stable code each, with a wrong and a right example.
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
    "The description is too short to choose the tool by, or says no more than its name. Only `validate --lint` finds it."
    wrong: "description: A probe.\n"
    right: "description: Tell the weight of one thing.\n"

    SimilarDescriptions "similar-descriptions" Warning
    "Two tools of a service have nearly the same description, so that a model cannot tell them apart. Only `validate --lint` finds it."
    wrong: "description: Tell the colour of a thing.\n"
    right: "description: Tell the weight of a thing.\n"

    ShadowedName "shadowed-name" Warning
    "A tool of another service has the same name, so that the name alone is ambiguous. Only `validate --lint` finds it."
    wrong: "description: Tell the weight of one thing.\ntitle: Shared\n"
    right: "description: Tell the weight of one thing.\n"

    NoExample "no-example" Warning
    "The tool has no example, so that nothing shows or tests what it sends. Only `validate --lint` finds it."
    wrong: "examples: []\n"
    right: "examples: [{ name: one, args: { id: a }, request: { method: GET, url: https://probe.test/things/a } }]\n"

    UnpagedList "unpaged-list" Warning
    "A param seems to choose a page, but there is no `paging`. Only `validate --lint` finds it."
    wrong: "params: { properties: { cursor: { type: string, description: The page. } } }\nrequest: { method: GET, path: /things, query: [cursor] }\nexamples: [{ name: one, request: { method: GET, url: https://probe.test/things } }]\n"
    right: "params: { properties: { cursor: { type: string, description: The page. } } }\nrequest: { method: GET, path: /things, query: [cursor] }\npaging: { items: $.data, next: { cursor: $.next } }\nresponse: { rows: data }\nexamples: [{ name: one, request: { method: GET, url: https://probe.test/things } }]\n"

    NoRows "no-rows" Warning
    "The output has a list, but no `rows` says that it is the table. Only `validate --lint` finds it."
    wrong: "response: { output: { things: { each: \"$.data[*]\", as: { id: $.id } } } }\n"
    right: "response: { output: { things: { each: \"$.data[*]\", as: { id: $.id } } }, rows: things }\n"

    NoIdempotency "no-idempotency" Warning
    "A POST or PATCH writes, and nothing says whether it may be sent again after a failure. Only `validate --lint` finds it."
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
}

impl Code {
    /// The name that users see, such as `unknown-key`.
    pub fn name(self) -> &'static str {
        self.meaning().name
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
