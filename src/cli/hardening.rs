//! Protects the memory of the process from others. It contains secrets, and so would a dump of it.

/// Makes sure that no dump of this process is written and that no other process of the user reads its memory. If the
/// system refuses, the call continues without the protection.
pub(crate) fn harden() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        // Programs that are started for secrets may raise their own limit again.
        let Rlimit { maximum, .. } = getrlimit(Resource::Core);
        let none = Rlimit {
            current: Some(0),
            maximum,
        };
        let _ = setrlimit(Resource::Core, none);
    }
    // The limit does not apply if dumps go to a program instead of a file.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}
