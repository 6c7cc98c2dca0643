//! What the process keeps from the system. It holds secrets, and a dump of its memory would hold them too.

/// Sees to it that no dump of this process is written and that no other process of the user reads its memory. What the
/// system refuses is left as it is: a call is worth more than that.
pub fn harden() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        // The limit of the programs that are started for secrets stays theirs to raise.
        let Rlimit { maximum, .. } = getrlimit(Resource::Core);
        let none = Rlimit {
            current: Some(0),
            maximum,
        };
        let _ = setrlimit(Resource::Core, none);
    }
    // A limit does not hold where dumps go to a program instead of a file.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}
