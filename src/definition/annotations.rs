//! What a tool may do, as the hints that the protocol knows.

use crate::format::Access;
use crate::plan::Method;
use crate::tool::Tool;

/// What a tool may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Annotations {
    /// It changes nothing.
    pub read_only: bool,
    /// It may destroy something.
    pub destructive: bool,
    /// Repeating a call changes nothing more.
    pub idempotent: bool,
    /// It deals with a service that others write to, so what it gives may come from anybody.
    pub open_world: bool,
}

impl Annotations {
    pub(super) fn of(tool: &Tool) -> Annotations {
        let read_only = tool.access == Access::Read;
        let repeats = match tool.request.method {
            // With an idempotency key, a second try of one call is safe, but a second call has a key of its own.
            Method::Post | Method::Patch => {
                tool.request.idempotent && tool.request.idempotency_header.is_none()
            }
            Method::Get | Method::Head | Method::Options | Method::Put | Method::Delete => true,
        };
        Annotations {
            read_only,
            destructive: tool.access == Access::Destructive,
            idempotent: read_only || repeats,
            open_world: true,
        }
    }
}
