//! A plan as a curl command that sends the same bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::body::{Body, BodyContent, Content, Part};
use super::{Credential, MASK, Plan, Text};

/// The boundary where the command writes the parts itself.
const BOUNDARY: &str = "toolrun-boundary";

/// How curl gets the body.
#[derive(Default)]
struct Sending {
    /// Commands whose output curl reads from standard input.
    input: Option<String>,
    /// Options that name the body.
    options: Vec<String>,
    /// The content type, if it is not the plan's; `None` when curl sets it.
    content_type: Option<Option<String>>,
}

impl Plan {
    /// The request as a curl command for a POSIX shell. A secret from an environment variable is written as a reference
    /// to that variable, so that the command runs unchanged. Any other secret is masked. A command also makes the
    /// values that each call makes anew. Values that are computed from the whole request when it is signed cannot be
    /// part of a command; the command says so in a comment.
    pub fn to_curl(&self) -> String {
        let mut url = self.target.clone();
        for (i, (name, value)) in self.query.iter().enumerate() {
            url.push(if i == 0 { '?' } else { '&' });
            url.push_str(&format!("{name}={value}"));
        }
        let sending = self.body.as_ref().map(Sending::of).unwrap_or_default();
        let input = sending.input.map(|input| format!("{input} | "));
        let mut lines = vec![format!(
            "{}{}curl --request {} {}",
            self.note(),
            input.unwrap_or_default(),
            self.method,
            quoted(&url)
        )];
        for (name, value) in &self.headers {
            match &sending.content_type {
                Some(None) if name == "content-type" => {}
                Some(Some(other)) if name == "content-type" => {
                    lines.push(format!("--header {}", quoted(&format!("{name}: {other}"))));
                }
                _ => lines.push(format!("--header {}", header(name, value))),
            }
        }
        lines.extend(sending.options);
        lines.join(" \\\n  ") + "\n"
    }

    /// The same plan with other variables in place of those that hold its secrets, where there are any.
    pub(crate) fn with_variables(mut self, other: impl Fn(&str) -> Option<String>) -> Plan {
        for (_, value) in &mut self.headers {
            if let Text::Credential(Credential::Secret {
                secret,
                is_variable: true,
                ..
            }) = value
                && let Some(other) = other(secret)
            {
                *secret = other;
            }
        }
        self
    }

    fn note(&self) -> String {
        let computed = (self.headers.iter().chain(&self.query))
            .filter(|(_, value)| matches!(value, Text::Credential(Credential::Computed { .. })))
            .map(|(name, _)| name.as_str());
        let computed: Vec<&str> = computed.collect();
        match computed.is_empty() {
            true => String::new(),
            false => format!(
                "# {} depends on the time and on the whole request; the command cannot run as it stands\n",
                computed.join(", ")
            ),
        }
    }
}

impl Sending {
    fn of(body: &Body) -> Sending {
        match &body.content {
            BodyContent::One(content) => Sending::of_one(content),
            BodyContent::Multipart(parts) => {
                Sending::of_form(body, parts).unwrap_or_else(|| Sending::piped(body))
            }
        }
    }

    fn of_one(content: &Content) -> Sending {
        let (input, option) = match content {
            Content::Json(json) => (None, format!("--data-raw {}", quoted(&json.to_string()))),
            Content::Text(text) if !text.contains('\0') => {
                (None, format!("--data-raw {}", quoted(text)))
            }
            Content::File(path) => {
                let at = format!("@{}", file_argument(path));
                (None, format!("--data-binary {}", quoted(&at)))
            }
            other => (Some(printed(other)), "--data-binary @-".to_owned()),
        };
        Sending {
            input,
            options: vec![option],
            content_type: None,
        }
    }

    /// With curl's own options for forms; `None` if they cannot express these parts.
    fn of_form(body: &Body, parts: &[Part]) -> Option<Sending> {
        let mut sending = Sending {
            content_type: Some(None),
            ..Sending::default()
        };
        if body.content_type != "multipart/form-data" || parts.is_empty() {
            return None;
        }
        for part in parts {
            if part.name.contains(['=', '\0']) || part.name.is_empty() {
                return None;
            }
            let content = match &part.content {
                Content::Json(json) => in_quotes(&json.to_string())?,
                Content::Text(text) if part.filename.is_none() && part.content_type.is_none() => {
                    if text.contains('\0') {
                        return None;
                    }
                    let field = format!("{}={text}", part.name);
                    sending
                        .options
                        .push(format!("--form-string {}", quoted(&field)));
                    continue;
                }
                Content::Text(text) => in_quotes(text)?,
                Content::File(path) => format!("@{}", in_quotes(&file_argument(path))?),
                // There is only one standard input.
                Content::Bytes(_) if sending.input.is_some() => return None,
                Content::Bytes(_) => {
                    sending.input = Some(printed(&part.content));
                    "@-".to_owned()
                }
            };
            let mut field = format!("{}={content}", part.name);
            if let Some(filename) = &part.filename {
                field.push_str(&format!(";filename={}", in_quotes(filename)?));
            }
            if let Some(content_type) = &part.content_type {
                // curl would read text behind a semicolon as an option of its own.
                if content_type.contains([';', ',', '"']) {
                    return None;
                }
                field.push_str(&format!(";type={content_type}"));
            }
            sending.options.push(format!("--form {}", quoted(&field)));
        }
        Some(sending)
    }

    /// With commands that write the body piece by piece.
    fn piped(body: &Body) -> Sending {
        let commands: Vec<String> = body
            .pieces(BOUNDARY)
            .iter()
            .map(|piece| printed(piece))
            .collect();
        Sending {
            input: Some(format!("{{ {}; }}", commands.join("; "))),
            options: vec!["--data-binary @-".to_owned()],
            content_type: Some(Some(format!("{}; boundary={BOUNDARY}", body.content_type))),
        }
    }
}

/// A command that prints a content byte by byte.
fn printed(content: &Content) -> String {
    match content {
        Content::Json(json) => printed_text(&json.to_string()),
        Content::Text(text) => printed_text(text),
        Content::Bytes(bytes) => {
            format!("printf %s '{}' | base64 --decode", STANDARD.encode(bytes))
        }
        Content::File(path) => format!("cat {}", quoted(&file_argument(path))),
    }
}

fn printed_text(text: &str) -> String {
    let escaped = text
        .replace('\\', r"\\")
        .replace('\r', r"\r")
        .replace('\n', r"\n")
        .replace('\0', r"\0000");
    format!("printf %b {}", quoted(&escaped))
}

/// A path as an argument. If it began with a hyphen, it would be an option or standard input.
fn file_argument(path: &str) -> String {
    match path.starts_with('-') {
        true => format!("./{path}"),
        false => path.to_owned(),
    }
}

/// Quotes a text for curl's `--form`; `None` if an argument cannot hold the text.
fn in_quotes(text: &str) -> Option<String> {
    (!text.contains('\0')).then(|| {
        let escaped = text.replace('\\', r"\\").replace('"', r#"\""#);
        format!("\"{escaped}\"")
    })
}

/// Quotes a text for a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn header(name: &str, value: &Text) -> String {
    match value {
        Text::Credential(Credential::Secret {
            prefix,
            secret,
            is_variable: true,
        }) => computed(&format!("{name}: {prefix}"), &format!("${{{secret}}}")),
        Text::Credential(Credential::Basic { .. }) => quoted(&format!("{name}: Basic {MASK}")),
        Text::Generated(super::Generated::Uuid) => computed(&format!("{name}: "), "$(uuidgen)"),
        other => quoted(&format!("{name}: {other}")),
    }
}

/// A text, and an expression behind it that the shell fills in. Inside double quotes, a shell may interpret characters
/// in a header's name.
fn computed(text: &str, by_shell: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.: ".contains(c);
    match text.chars().all(is_plain) {
        true => format!("\"{text}{by_shell}\""),
        false => format!("{}\"{by_shell}\"", quoted(text)),
    }
}
