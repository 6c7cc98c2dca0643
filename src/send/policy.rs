//! The policy of a service's requests: limits, retries, and allowed addresses.

use std::time;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::words::Duration;

/// A client-side rate limit.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RateLimitSpec {
    /// Requests that may be sent.
    #[schemars(range(min = 1))]
    pub requests: std::num::NonZeroU32,
    /// In how long a time.
    pub per: Duration,
}

/// When a failed request is sent again. Only requests that are safe to repeat are.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RetrySpec {
    /// How often a request is sent at most; 1 means no retry.
    #[schemars(range(min = 1, max = 20))]
    pub max_attempts: u32,
    /// Statuses that are worth another try.
    #[schemars(inner(range(min = 400, max = 599)))]
    pub statuses: Vec<u16>,
    /// The longest first wait; each later one may be twice as long.
    pub base_delay: Duration,
    /// The longest wait. If the service asks for a longer one, the error is returned at once.
    pub max_delay: Duration,
}

impl Default for RetrySpec {
    fn default() -> RetrySpec {
        RetrySpec {
            max_attempts: 3,
            statuses: vec![408, 429, 500, 502, 503, 504],
            base_delay: Duration(time::Duration::from_millis(500)),
            max_delay: Duration(time::Duration::from_secs(60)),
        }
    }
}

/// How long a request may take.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TimeoutSpec {
    /// To connect.
    pub connect: Duration,
    /// Between two parts of the response.
    pub read: Duration,
    /// From the start to the last byte, for each try.
    pub total: Duration,
}

impl Default for TimeoutSpec {
    fn default() -> TimeoutSpec {
        TimeoutSpec {
            connect: Duration(time::Duration::from_secs(10)),
            read: Duration(time::Duration::from_secs(30)),
            total: Duration(time::Duration::from_secs(60)),
        }
    }
}

/// How large a response may be.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitsSpec {
    /// Most bytes of a response's body, after decompression.
    #[schemars(range(min = 1))]
    pub response_bytes: u64,
}

impl Default for LimitsSpec {
    fn default() -> LimitsSpec {
        LimitsSpec {
            response_bytes: 64 << 20,
        }
    }
}

/// The policy of a service's requests.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    /// Requests that may be sent in a time.
    pub rate_limit: Option<(std::num::NonZeroU32, time::Duration)>,
    /// When a failed request is sent again.
    pub retry: RetrySpec,
    /// How long a request may take.
    pub timeout: TimeoutSpec,
    /// How large a response may be.
    pub limits: LimitsSpec,
    /// Whether the service may stand at a private or link-local address.
    pub allow_private_network: bool,
}

impl Policy {
    /// The policy of a request to a URL that somebody named, who knows where it leads.
    pub(crate) fn of_named_url() -> Policy {
        Policy {
            rate_limit: None,
            retry: RetrySpec::default(),
            timeout: TimeoutSpec::default(),
            limits: LimitsSpec::default(),
            allow_private_network: true,
        }
    }
}
