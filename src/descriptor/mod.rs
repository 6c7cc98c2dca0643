//! The descriptor format: files, their typed form, and what is wrong with them.

pub mod code;
pub mod finding;
mod load;
mod origin;
pub mod schema;
pub mod source;
mod spec;
pub mod yaml;

pub use code::Code;
pub use finding::{Finding, Place, Severity};
pub use load::decode;
pub use origin::{Origin, Power, Untrusted};
pub use source::{Check, Source};
pub use spec::{
    Access, Duration, ExampleRequest, ExampleResponse, ExampleSpec, LimitsSpec, Name,
    RateLimitSpec, RetrySpec, ServiceRef, ServiceSpec, SettingSpec, SpecVersion, TimeoutSpec,
    ToolSpec,
};
