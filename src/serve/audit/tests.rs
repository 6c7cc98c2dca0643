//! What can be done to a log, and what is said of it.

use std::fs;
use std::path::{Path, PathBuf};

use super::line::Link;
use super::*;

fn event(id: &str) -> Event {
    Event::Call(Box::new(Entry {
        id: id.to_owned(),
        caller: "local".to_owned(),
        decision: "allow",
        ..Entry::default()
    }))
}

/// A log of ten lines in a folder of its own.
fn ten() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("audit.log");
    let (mut log, notes) = Log::open(&path).expect("a log");
    assert_eq!(notes, Vec::<String>::new());
    for i in 2..=10 {
        log.append(&event(&i.to_string()), false).expect("a line");
    }
    (folder, path)
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).expect("a text");
    text.lines().map(str::to_owned).collect()
}

fn write(path: &Path, lines: &[String]) {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(path, text).expect("a file");
}

fn problems(path: &Path) -> String {
    verify(path).expect("a log").problems.join("; ")
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    PathBuf::from(format!("{}{ending}", path.display()))
}

/// Whatever is done to a log is found, and the line is named.
#[test]
fn every_change_of_a_log_is_found_at_its_line() {
    type Change = fn(&mut Vec<String>);
    let changes: [(&str, Change, &str); 18] = [
        ("nothing", |_| (), ""),
        (
            "a changed line",
            |all| all[4] = all[4].replace("local", "other"),
            "line 5 was changed",
        ),
        (
            "the first line",
            |all| all[0] = all[0].replace("start", "begin"),
            "line 1 was changed",
        ),
        (
            "the last line",
            |all| all[9] = all[9].replace("local", "other"),
            "line 10 is not the one that its head knows",
        ),
        (
            "a hash",
            |all| all[4] = all[4].replace("\"prev\":\"", "\"prev\":\"0"),
            "line 5 was changed",
        ),
        (
            "a space more",
            |all| all[6].insert(1, ' '),
            "line 7 was changed",
        ),
        (
            "no JSON",
            |all| all[4] = "x".to_owned(),
            "line 5 was changed: it is no line",
        ),
        (
            "two of no JSON",
            |all| (all[4], all[5]) = (String::new(), "{".to_owned()),
            "lines 5 to 6 were changed",
        ),
        (
            "a removed line",
            |all| drop(all.remove(4)),
            "line number 5 is missing before line 5",
        ),
        (
            "three removed lines",
            |all| drop(all.drain(3..6)),
            "lines number 4 to 6 are missing before line 4",
        ),
        (
            "the first removed",
            |all| drop(all.remove(0)),
            "line number 1 is missing before line 1",
        ),
        (
            "swapped lines",
            |all| all.swap(4, 5),
            "line number 5 is missing before line 5; line 6 has the number 5",
        ),
        (
            "a line twice",
            |all| all.insert(5, all[4].clone()),
            "was put in: both have the same number",
        ),
        (
            "a copy elsewhere",
            |all| all.insert(8, all[2].clone()),
            "line 9 has the number 3",
        ),
        (
            "a line put in",
            |all| all.insert(4, all[4].replace("local", "other")),
            "line 5 was put in: both have the same number",
        ),
        (
            "a line put in behind",
            |all| all.insert(5, all[4].replace("local", "other")),
            "line 6 was put in: both have the same number",
        ),
        (
            "a cut end",
            |all| all.truncate(7),
            "the end was cut: 3 lines are missing behind line 7",
        ),
        (
            "an empty file",
            Vec::clear,
            "the end was cut: 10 lines are missing behind line 0",
        ),
    ];
    for (name, change, told) in changes {
        let (_folder, path) = ten();
        let mut all = lines(&path);
        change(&mut all);
        write(&path, &all);
        let found = problems(&path);
        assert!(found.contains(told), "{name}: {found}");
        assert_eq!(found.is_empty(), told.is_empty(), "{name}: {found}");
        // A server does not go on behind an end that is not its own.
        if matches!(name, "the last line" | "a cut end" | "an empty file") {
            let refused = Log::open(&path).err().map(|error| error.to_string());
            assert!(
                refused.is_some_and(|text| text.contains("keep it")),
                "{name}"
            );
        }
    }
}

/// Each byte of a log, changed alone.
#[test]
fn no_byte_of_a_log_can_be_changed_unseen() {
    let (_folder, path) = ten();
    let whole = fs::read(&path).expect("a file");
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        fs::write(&path, &changed).expect("a file");
        let seen = verify(&path).map(|verdict| verdict.problems.len());
        assert!(!matches!(seen, Ok(0)), "byte {at}");
    }
}

/// A server that was killed leaves the start of a line, of any length.
#[test]
fn a_half_line_is_told_and_mended_by_a_line_of_its_own() {
    let (_folder, path) = ten();
    let whole = fs::read(&path).expect("a file");
    let head = fs::read(beside(&path, ".head")).expect("a head");
    let mut next = lines(&path)[9].replace("\"n\":10", "\"n\":11");
    let prev = line::hash(lines(&path)[9].as_bytes());
    let own = Link::of(next.as_bytes()).expect("a line").prev;
    next = next.replace(&own, &prev);
    for cut in 1..=next.len() {
        let mut torn = whole.clone();
        torn.extend_from_slice(&next.as_bytes()[..cut]);
        fs::write(&path, &torn).expect("a file");
        fs::write(beside(&path, ".head"), &head).expect("a file");
        let verdict = verify(&path).expect("a log");
        assert_eq!(verdict.problems, Vec::<String>::new(), "{cut}");
        assert!(
            verdict.notes.join(" ").contains("line 11 is not whole"),
            "{cut}: {verdict:?}"
        );
        let (mut log, notes) = Log::open(&path).expect("a log");
        assert!(
            notes.join(" ").contains("line 11 was not written whole"),
            "{notes:?}"
        );
        log.append(&event("x"), false).expect("a line");
        drop(log);
        let verdict = verify(&path).expect("a log");
        assert_eq!(verdict.problems, Vec::<String>::new(), "{cut}");
        let all = lines(&path);
        assert!(all[11].contains("\"event\":\"mended\""), "{cut}: {all:?}");
        assert!(
            fs::read(&path).expect("a file").starts_with(&torn),
            "nothing is taken away"
        );
        // It excuses exactly what it says.
        if cut < next.len() {
            let mut forged = all.clone();
            forged[10].push(' ');
            write(&path, &forged);
            assert!(problems(&path).contains("line 11"), "{cut}");
        }
    }
}

#[test]
fn a_log_goes_on_after_a_restart_and_has_one_writer() {
    let (_folder, path) = ten();
    let (mut log, notes) = Log::open(&path).expect("a log");
    assert_eq!(notes, Vec::<String>::new());
    let other = Log::open(&path).err().map(|error| error.to_string());
    assert!(other.is_some_and(|text| text.contains("another process")));
    log.append(&event("x"), true).expect("a line");
    let verdict = verify(&path).expect("a log");
    assert_eq!(
        (verdict.count, verdict.problems.len(), verdict.notes.len()),
        (12, 0, 0)
    );
    drop(log);
    // The head is one line behind when a server is killed between the two.
    let head = beside(&path, ".head");
    let kept = fs::read(&head).expect("a head");
    let (log, _) = Log::open(&path).expect("a log");
    drop(log);
    fs::write(&head, &kept).expect("a head");
    assert_eq!(problems(&path), "");
    let (log, _) = Log::open(&path).expect("a log");
    drop(log);
    // Two lines behind, it is an old one.
    fs::write(&head, &kept).expect("a head");
    assert!(
        problems(&path).contains("the head knows 12 lines, and 2 more follow"),
        "{}",
        problems(&path)
    );
    assert!(Log::open(&path).is_err());
    // Without a head, the end is not known, and that is said.
    fs::remove_file(&head).expect("a head");
    let verdict = verify(&path).expect("a log");
    assert!(
        verdict.notes.join(" ").contains("there is no head"),
        "{verdict:?}"
    );
    let (_, notes) = Log::open(&path).expect("a log");
    assert!(notes.join(" ").contains("it has no head"), "{notes:?}");
    fs::write(&head, "{}").expect("a head");
    assert!(Log::open(&path).is_err());
    assert!(verify(&path).is_err());
}

#[test]
fn a_log_that_somebody_else_touches_is_not_written_on() {
    for touch in [
        (|path| fs::write(path, "").expect("a file")) as fn(&Path),
        |path| {
            let mut all = fs::read(path).expect("a file");
            all.extend_from_slice(b"{}\n");
            fs::write(path, all).expect("a file");
        },
        |path| fs::rename(path, path.with_extension("old")).expect("a file"),
        |path| {
            fs::rename(path, path.with_extension("old")).expect("a file");
            fs::copy(path.with_extension("old"), path).expect("a file");
        },
    ] {
        let (_folder, path) = ten();
        let (mut log, _) = Log::open(&path).expect("a log");
        touch(&path);
        assert!(log.append(&event("x"), false).is_err());
    }
}

#[cfg(unix)]
#[test]
fn only_a_plain_file_of_the_users_own_is_a_log() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    let (folder, path) = ten();
    let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(&beside(&path, ".head"))), (0o600, 0o600));
    let link = folder.path().join("link.log");
    symlink(&path, &link).expect("a link");
    let pipe = folder.path().join("pipe.log");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.is_ok_and(|status| status.success()));
    let text = folder.path().join("notes.txt");
    fs::write(&text, "my notes\nare mine\n").expect("a file");
    for (file, reason) in [
        (link.as_path(), "it is a link"),
        (pipe.as_path(), ""),
        (Path::new("/dev/full"), "it is no plain file"),
        (folder.path(), ""),
        (text.as_path(), "no line of an audit log"),
        (Path::new("/no/such/folder/audit.log"), ""),
    ] {
        let told = Log::open(file).err().map(|error| error.to_string());
        let told = told.unwrap_or_else(|| panic!("{} is refused", file.display()));
        assert!(told.contains(reason), "{}: {told}", file.display());
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o622)).expect("a mode");
    assert!(Log::open(&path).is_err());
}
