//! A service, compiled: the parts that all its tools share.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::base_url::{BaseUrl, Context};
use crate::format::{self, decode};
use crate::format::{ServiceSpec, SettingSpec};
use crate::plan::{HeaderTemplate, QueryTemplate};
use crate::project::{ErrorFields, response_names};
use crate::recording::Rules;
use crate::send::Policy;
use crate::sign::Auth;
use crate::source::{Check, Code, Origin, Power, Source, Untrusted, join};
use crate::template::{Names, Types};
use crate::words::scalar_text;

/// Why a service's requests are never sent again.
pub(crate) const SENT_ONCE: &str = "the service's retry.max_attempts is 1";

/// A compiled service.
#[derive(Debug)]
pub(crate) struct Service {
    /// The service's name.
    pub name: String,
    /// The name with the base URL, a fingerprint of the file and its origin. Tools of services with the same key share
    /// connections, limits and secrets. A changed file gets a new key.
    pub id: String,
    /// Where its descriptor and those of its tools come from, which decides what they may do.
    pub origin: Origin,
    /// The name for people.
    #[allow(dead_code, reason = "for those who read the file")]
    pub title: Option<String>,
    /// What the service is.
    #[allow(dead_code, reason = "for those who read the file")]
    pub description: Option<String>,
    /// Where its documentation is.
    #[allow(dead_code, reason = "for those who read the file")]
    pub docs: Option<String>,
    /// Scheme, host, port and base path.
    pub base: BaseUrl,
    /// Headers of every request.
    pub headers: HeaderTemplate,
    /// Query parameters of every request.
    pub query: QueryTemplate,
    /// Credentials.
    pub auth: Auth,
    /// How its requests are sent.
    pub sending: Policy,
    /// Where error responses say what went wrong.
    pub errors: ErrorFields,
    /// The fields that recordings do not show.
    pub redact: Rules,
    /// Whether it replaces a service that cannot be used, so that its tools can be checked.
    pub(crate) is_stand_in: bool,
    /// Whether its settings cannot be read, so that any name may be one.
    pub(crate) has_unknown_settings: bool,
    /// Settings that cannot be read.
    pub(crate) lost_settings: Vec<String>,
    settings: Vec<(String, SettingSpec)>,
    /// The file that describes it, and where in it.
    source: (Arc<Source>, String),
}

/// A setting has no usable value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// The service has no such setting.
    #[error("the service {service} has no setting `{name}`; {known}")]
    Unknown {
        /// The service.
        service: String,
        /// The name that was given.
        name: String,
        /// What there is.
        known: String,
    },
    /// The setting has no default, and nobody gave a value.
    #[error("the setting `{name}` has no value")]
    Missing {
        /// The setting.
        name: String,
        /// The environment variable that would give it.
        variable: Option<String>,
    },
    /// It has no default and no override, and its environment variable is not read because the descriptor is not
    /// trusted.
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    /// The value does not match the setting's pattern.
    #[error("the setting `{name}` must match {pattern}")]
    Unlike {
        /// The setting.
        name: String,
        /// Its pattern.
        pattern: String,
    },
}

impl Service {
    /// Reads and compiles a `service.yaml`; mistakes go to `check`.
    pub(crate) fn load(check: &Check) -> Option<Service> {
        let spec: ServiceSpec = decode(&format::SERVICE, check)?;
        if spec.spec.is_none() {
            check.error_with_help(
                Code::MissingKey,
                "",
                "the key `spec` is missing",
                "start the file with `spec: 1`",
            );
        }
        Service::compile(&spec, "", check)
    }

    /// A service about which nothing is known. It is used to check the tools of a service that cannot be used.
    pub(crate) fn stand_in(check: &Check) -> Option<Service> {
        let spec =
            serde_json::json!({ "service": "unknown", "base_url": "https://unknown.invalid" });
        let aside = Check::new(check.source().clone());
        let service = Service::compile(&serde_json::from_value(spec).ok()?, "", &aside)?;
        Some(Service {
            is_stand_in: true,
            has_unknown_settings: true,
            ..service
        })
    }

    /// Compiles the service at `pointer`; mistakes go to `check`.
    pub(crate) fn compile(spec: &ServiceSpec, pointer: &str, check: &Check) -> Option<Service> {
        let settings_pointer = join(pointer, "settings");
        let lost = check.written_names(&settings_pointer);
        let names = match check.is_unreadable(&settings_pointer) {
            true => Names::default().with("settings"),
            false => Names::default().with_members("settings", spec.settings.keys().chain(&lost)),
        };
        let names = match check.proves() {
            true => names.of_types(Types::new()),
            false => names,
        };
        let context = Context {
            names: &names,
            settings: &spec.settings,
            settings_pointer: &settings_pointer,
            allow_private: spec.allow_private_network,
        };
        let headers =
            HeaderTemplate::compile(&spec.headers, &join(pointer, "headers"), &names, check);
        let query = QueryTemplate::compile(&spec.query, &join(pointer, "query"), &names, check);
        let mut auth = Auth::compile(spec.auth.as_ref(), &join(pointer, "auth"), &context, check);
        let base = BaseUrl::compile(
            &spec.base_url,
            &join(pointer, "base_url"),
            &Context {
                names: &url_names(&names, &auth),
                ..context
            },
            check,
        );
        let errors = ErrorFields::compile(
            spec.errors.as_ref(),
            &join(pointer, "errors"),
            &response_names([""; 0]),
            check,
        );
        if spec.retry.max_attempts <= 1 && !check.is_broken(&join(pointer, "retry")) {
            let at = join(&join(pointer, "errors"), "rules");
            errors
                .rules
                .report_vain_retries(|_| true, SENT_ONCE, &at, check);
        }
        let base = match base {
            Some(base) => {
                auth.settle_path(&base, &join(pointer, "base_url"), check);
                base
            }
            // The rest of a service whose base URL is broken can still be checked.
            None if check.proves() => BaseUrl::unknown()?,
            None => return None,
        };
        Some(Service {
            name: spec.service.to_string(),
            id: format!(
                "{} {base} {:x}",
                spec.service,
                fingerprint(&(check.source().text(), check.source().origin()))
            ),
            origin: check.source().origin().clone(),
            title: spec.title.clone(),
            description: spec.description.clone(),
            docs: spec.docs.clone(),
            base,
            headers,
            query,
            auth,
            sending: Policy {
                rate_limit: spec.rate_limit.map(|limit| (limit.requests, limit.per.0)),
                retry: spec.retry.clone(),
                timeout: spec.timeout,
                limits: spec.limits,
                allow_private_network: spec.allow_private_network,
            },
            errors,
            redact: Rules::compile(&spec.redact, &join(pointer, "redact"), check),
            is_stand_in: false,
            has_unknown_settings: check.is_unreadable(&settings_pointer),
            lost_settings: lost,
            settings: spec
                .settings
                .iter()
                .map(|(n, s)| (n.clone(), s.clone()))
                .collect(),
            source: (Arc::clone(check.source()), pointer.to_owned()),
        })
    }

    /// The file that describes it: its own, or that of a tool which holds it.
    #[cfg(any(feature = "cli", feature = "store"))]
    pub(crate) fn source(&self) -> &Arc<Source> {
        &self.source.0
    }

    /// The service as its descriptor says it.
    #[cfg(feature = "cli")]
    pub(crate) fn spec(&self) -> &Value {
        let (source, pointer) = &self.source;
        source.value().pointer(pointer).unwrap_or(&Value::Null)
    }

    /// Where it stands in its file, as a JSON Pointer.
    #[cfg(feature = "cli")]
    pub(crate) fn pointer(&self) -> &str {
        &self.source.1
    }

    /// The settings, in the order of the descriptor.
    pub(crate) fn settings(&self) -> &[(String, SettingSpec)] {
        &self.settings
    }

    /// The value of every setting: an override, else the environment, else the default. The environment is read if
    /// `reads_environment`, and never for a service that is not trusted.
    ///
    /// # Errors
    /// When an override names no setting, or a setting has no value, or its value does not match its pattern.
    pub(crate) fn resolve_settings(
        &self,
        overrides: &[(String, String)],
        reads_environment: bool,
    ) -> Result<Value, SettingError> {
        let is_read = reads_environment && self.origin.is_trusted();
        let read = |variable: &str| match is_read {
            true => std::env::var(variable).ok(),
            false => None,
        };
        self.settings_from(overrides, read)
            .map_err(|error| match error {
                SettingError::Missing { name, variable } => self
                    .refusal(&name)
                    .unwrap_or(SettingError::Missing { name, variable }),
                other => other,
            })
    }

    /// Settings that would take their value from an environment variable if the service were trusted: the setting and
    /// the variable.
    pub(crate) fn unread_variables(&self) -> impl Iterator<Item = (&str, &str)> {
        let settings = self.settings.iter().filter(|_| !self.origin.is_trusted());
        settings.filter_map(|(name, setting)| Some((name.as_str(), setting.env.as_deref()?)))
    }

    /// Why the setting's environment variable is not read, if trusting the folder would change that.
    fn refusal(&self, name: &str) -> Option<SettingError> {
        let (_, setting) = self.settings.iter().find(|(known, _)| known == name)?;
        let power = || Power::Setting {
            name: name.to_owned(),
            variable: setting.env.clone().unwrap_or_default(),
        };
        setting.env.as_ref()?;
        self.origin.permit(power).err().map(SettingError::from)
    }

    /// The value of every setting: its default, or else its example. The environment is not read.
    ///
    /// # Errors
    /// When a setting has neither.
    pub(crate) fn default_settings(&self) -> Result<Value, SettingError> {
        let examples: Vec<(String, String)> = self
            .settings
            .iter()
            .filter(|(_, setting)| setting.default.is_none())
            .filter_map(|(name, setting)| {
                let example = scalar_text(&setting.example.as_ref()?.into())?;
                Some((name.clone(), example))
            })
            .collect();
        self.settings_from(&examples, |_| None)
    }

    fn settings_from(
        &self,
        overrides: &[(String, String)],
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Value, SettingError> {
        if let Some((name, _)) = overrides
            .iter()
            .find(|(name, _)| !self.settings.iter().any(|(known, _)| known == name))
        {
            let known: Vec<&str> = self.settings.iter().map(|(n, _)| n.as_str()).collect();
            return Err(SettingError::Unknown {
                service: self.name.clone(),
                name: name.clone(),
                known: match known.is_empty() {
                    true => "it has none".to_owned(),
                    false => format!("it has {}", known.join(", ")),
                },
            });
        }
        let mut values = Map::with_capacity(self.settings.len());
        for (name, setting) in &self.settings {
            let given = overrides.iter().rev().find(|(n, _)| n == name);
            let from_env = || setting.env.as_ref().and_then(|name| variable(name));
            let value = match given.map(|(_, v)| v.clone()).or_else(from_env) {
                Some(text) => {
                    self.refuse_unlike(name, setting, &text)?;
                    Value::String(text)
                }
                None => match &setting.default {
                    Some(default) => default.into(),
                    None => {
                        return Err(SettingError::Missing {
                            name: name.clone(),
                            variable: setting.env.clone(),
                        });
                    }
                },
            };
            values.insert(name.clone(), value);
        }
        Ok(Value::Object(values))
    }
}

impl Service {
    /// A value from a user must match the setting's pattern. The default was checked with the descriptor.
    fn refuse_unlike(
        &self,
        name: &str,
        setting: &SettingSpec,
        text: &str,
    ) -> Result<(), SettingError> {
        match &setting.pattern {
            Some(pattern)
                if !regex::Regex::new(pattern).is_ok_and(|regex| regex.is_match(text)) =>
            {
                Err(SettingError::Unlike {
                    name: name.to_owned(),
                    pattern: pattern.clone(),
                })
            }
            _ => Ok(()),
        }
    }
}

/// The names that the base URL may use: the settings, the values that come with the access token, and secrets.
fn url_names(settings: &Names, auth: &Auth) -> Names {
    let mut names = settings.clone();
    if let Some(grant) = auth.grant() {
        names = names.with_members("token", grant.value_names());
    }
    let mut secrets = auth.names_for_path().peekable();
    match secrets.peek() {
        Some(_) => names.with_members("auth", secrets),
        None => names,
    }
}

fn fingerprint(of: &impl std::hash::Hash) -> u64 {
    use std::hash::{DefaultHasher, Hasher};
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}
