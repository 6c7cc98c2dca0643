//! The descriptor format: files, their typed form, and what is wrong with them.

pub use crate::format::{
    Access, ExampleRequest, ExampleResponse, ExampleSpec, LimitsSpec, RateLimitSpec, RetrySpec,
    ServiceRef, ServiceSpec, SettingSpec, SpecVersion, TimeoutSpec, ToolSpec,
};
pub use crate::source::{self, Check, Code, Finding, Place, Severity, Source, code, finding};
pub use crate::words::{Duration, Name};
pub use crate::yaml;
