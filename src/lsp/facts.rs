//! What is known about a file that is open: what could be read of it, its kind, and the service that it belongs to.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::around::Tool;
use crate::catalog::File;
use crate::check::{self, Kind};
use crate::source::Source;

/// What is known about a file.
pub(super) struct Facts {
    pub kind: Kind,
    /// What could be read; of a file that cannot be read at all, what could be read of it before.
    pub source: Option<Arc<Source>>,
    /// The `service.yaml` beside it, if there is one that can be read.
    pub service: Option<Arc<Source>>,
    /// The file, if it is on disk or may be.
    pub file: Option<File>,
    /// What the files around it say, where it speaks about them.
    pub around: Around,
}

/// What the files around a sandbox or a policy say.
#[derive(Default, Clone)]
pub(super) struct Around {
    pub tools: Arc<Vec<Tool>>,
    /// The file of callers beside a policy.
    pub callers: Option<Arc<Source>>,
}

static NOTHING: Value = Value::Null;

impl Facts {
    /// Reads what can be read of a file's text, and of its service's.
    pub(super) fn of(
        file: Option<File>,
        name: &str,
        text: &str,
        before: Option<Arc<Source>>,
    ) -> Facts {
        let source = match &file {
            Some(file) => check::readable(file),
            None => match Source::parse(name.to_owned(), text.to_owned().into()) {
                Ok(source) => Some(source),
                Err(findings) => Source::read_partly(&findings).map(|(source, _, _)| source),
            },
        };
        let source = source.or(before);
        let value = source.as_ref().map_or(&NOTHING, |source| source.value());
        let kind = kind_of(file.as_ref(), value, text);
        let beside = file
            .as_ref()
            .map(File::service_file)
            .filter(|_| kind != Kind::Service);
        let service = beside
            .filter(File::exists)
            .and_then(|file| check::readable(&file));
        Facts {
            kind,
            source,
            service,
            file,
            around: Around::default(),
        }
    }

    /// What the file says, as far as it could be read.
    pub(super) fn value(&self) -> &Value {
        self.source
            .as_ref()
            .map_or(&NOTHING, |source| source.value())
    }

    /// The part at a JSON Pointer.
    pub(super) fn part(&self, pointer: &str) -> &Value {
        self.value().pointer(pointer).unwrap_or(&NOTHING)
    }

    fn map(&self, pointer: &str) -> impl Iterator<Item = (&String, &Value)> {
        self.part(pointer).as_object().into_iter().flatten()
    }

    /// The params, with their schemas.
    pub(super) fn params(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.map("/params/properties")
    }

    /// The names of `response.let`, with their projections.
    pub(super) fn bindings(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.map("/response/let")
    }

    /// Where the settings are: the source, and the pointer of the map.
    pub(super) fn settings_place(&self) -> Option<(&Arc<Source>, &'static str)> {
        match (self.kind, self.part("/service")) {
            (Kind::Service, _) => Some((self.source.as_ref()?, "/settings")),
            (_, Value::Object(_)) => Some((self.source.as_ref()?, "/service/settings")),
            _ => Some((self.service.as_ref()?, "/settings")),
        }
    }

    /// The settings of the service.
    pub(super) fn settings(&self) -> impl Iterator<Item = (&String, &Value)> {
        let place = self.settings_place();
        let settings = place.and_then(|(source, at)| source.value().pointer(at)?.as_object());
        settings.into_iter().flatten()
    }

    /// The auth of the service: one, or several.
    pub(super) fn auth(&self) -> Vec<&Map<String, Value>> {
        let auth = match (self.kind, self.part("/service")) {
            (Kind::Service, _) => Some(self.part("/auth")),
            (_, Value::Object(inline)) => inline.get("auth"),
            _ => self
                .service
                .as_ref()
                .and_then(|service| service.value().get("auth")),
        };
        match auth {
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_object).collect(),
            Some(one) => one.as_object().into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// The name of the service beside the file; without one, that of the folder.
    pub(super) fn service_name(&self) -> Option<String> {
        let beside = self.service.as_ref().and_then(|service| {
            let name = service.value().get("service")?.as_str()?;
            Some(name.to_owned())
        });
        beside.or_else(|| {
            let folder = self.file.as_ref()?.path().parent()?.file_name()?;
            Some(folder.to_str()?.to_owned())
        })
    }

    /// The name of the file without its ending.
    pub(super) fn stem(&self) -> Option<String> {
        let path: PathBuf = self.file.as_ref()?.path().to_owned();
        Some(path.file_stem()?.to_str()?.to_owned())
    }

    /// The columns of the rows, where the projection names them.
    pub(super) fn columns(&self) -> Vec<&String> {
        let output = self.part("/response/output");
        let rows = match self.part("/response/rows").as_str() {
            Some(key) => output.get(key),
            None => Some(output),
        };
        let columns = rows.and_then(|rows| match rows.get("as") {
            Some(Value::Object(columns)) => Some(columns),
            _ => rows.get("zip")?.as_object(),
        });
        columns.into_iter().flat_map(Map::keys).collect()
    }
}

/// The kind of a file: its name decides, and for the others what it begins with.
fn kind_of(file: Option<&File>, value: &Value, text: &str) -> Kind {
    let name = file.and_then(|file| file.path().file_name()?.to_str());
    let has = |key: &str| value.get(key).is_some() || begins_line(text, key);
    match name {
        Some("service.yaml") => Kind::Service,
        Some("sandbox.yaml") => Kind::Sandbox,
        _ if has("tool") => Kind::Tool,
        _ if has("policy") => Kind::Policy,
        _ if has("callers") => Kind::Callers,
        _ => Kind::Tool,
    }
}

/// Where the keys stand that tell what a file is, in bytes. To look through all of a text that is no descriptor would take
/// long.
const HEAD: usize = 1 << 20;

/// Whether a line begins with this key.
fn begins_line(text: &str, key: &str) -> bool {
    let text = &text[..text.floor_char_boundary(HEAD)];
    let is_key = |line: &str| {
        line.strip_prefix(key)
            .is_some_and(|rest| rest.trim_start().starts_with(':'))
    };
    text.lines().any(is_key)
}

/// Whether a file is a descriptor. An editor may ask about any YAML file.
pub(super) fn is_ours(file: &File, text: &str) -> bool {
    let has = |key: &str| begins_line(text, key);
    let names_schema = text.lines().take(5).any(|line| {
        line.starts_with('#') && Kind::ALL.iter().any(|kind| line.contains(kind.file_name()))
    });
    if names_schema
        || ((has("spec") || has("tool")) && (has("tool") || has("service") || has("sandbox")))
    {
        return true;
    }
    let name = file.path().file_name().and_then(|name| name.to_str());
    if has("policy") && (has("rules") || name == Some("policy.yaml"))
        || has("callers") && (has("tokens") || has("oauth") || name == Some("callers.yaml"))
    {
        return true;
    }
    let is_own_name = matches!(name, Some("service.yaml" | "sandbox.yaml"));
    if is_own_name && (has("base_url") || has("routes") || has("sandbox")) {
        return true;
    }
    // Whatever stands beside a service is a tool, or will be one.
    let beside = file.service_file();
    !is_own_name
        && beside.exists()
        && check::readable(&beside).is_some_and(|service| {
            let value = service.value();
            value.get("service").is_some()
                && (value.get("spec").is_some() || value.get("base_url").is_some())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_files_of_yaml_are_none_of_ours() {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        for (name, text, expected) in [
            ("a.yaml", "spec: 1\ntool: a\n", true),
            (
                "a.yaml",
                "# yaml-language-server: $schema=../../schemas/tool.schema.json\n",
                true,
            ),
            ("a.yaml", "policy: 1\nrules: []\n", true),
            (
                "service.yaml",
                "service: a\nbase_url: https://a.test\n",
                true,
            ),
            ("sandbox.yaml", "sandbox: a\n", true),
            (
                "service.yaml",
                "apiVersion: v1\nkind: Service\nspec: {}\n",
                false,
            ),
            ("compose.yaml", "services: {}\n", false),
            (
                "serverless.yml",
                "service: a\nprovider: { name: aws }\n",
                false,
            ),
            ("deployment.yaml", "apiVersion: v1\nspec: {}\n", false),
            ("ci.yaml", "on: push\njobs: {}\n", false),
            ("a.yaml", "", false),
        ] {
            let file = File::in_editor(folder.path().join(name), Arc::default());
            assert_eq!(is_ours(&file, text), expected, "{name}: {text}");
        }
    }
}
